"""What a bot does with guilds, channels and threads, by way of REST."""

from __future__ import annotations

from typing import Any

from halext.testing.discordapi.forms import Call
from halext.testing.discordapi.messages import Messages
from halext.testing.discordapi.refusal import Refusal, invalid, unknown
from halext.testing.discordapi.things import Channel, Guild, User
from halext.testing.discordapi.world import World

MAX_NAME = 100


class Places:
    """The routes of guilds, channels and threads."""

    def __init__(self, world: World, messages: Messages) -> None:
        self._world = world
        self._messages = messages

    def guild(self, call: Call) -> dict[str, Any]:
        """A guild that the bot is in."""
        return self._guild(call).json()

    def channels(self, call: Call) -> list[dict[str, Any]]:
        """The channels of a guild, without threads."""
        return [channel.json() for channel in self._guild(call).channels if channel.kind == "text"]

    def active_threads(self, call: Call) -> dict[str, Any]:
        """The threads of a guild that are not archived."""
        threads = [one for one in self._guild(call).channels if one.kind == "thread" and not one.is_archived]
        bot = self._world.bot
        own = [thread.thread_member(bot) for thread in threads if bot in thread.people]
        return {"threads": [thread.json() for thread in threads], "members": own}

    def member(self, call: Call) -> dict[str, Any]:
        """Someone in a guild."""
        guild = self._guild(call)
        number = call.number("user")
        found = next((user for user in guild.people if user.id == number), None)
        if found is None:
            raise Refusal(404, 10007, "Unknown Member")
        return guild.full_member(found)

    def user(self, call: Call) -> dict[str, Any]:
        """An account."""
        return self._user(call).json()

    def channel(self, call: Call) -> dict[str, Any]:
        """A channel or a thread."""
        return self._world.channel(call.number("channel")).json()

    def start_thread(self, call: Call) -> dict[str, Any]:
        """A thread, on a message or bare."""
        channel = self._messages.writable(call.number("channel"))
        name = str(call.read("name") or "")
        _check_name(name)
        if channel.kind != "text":
            raise Refusal(400, 50024, "Cannot execute action on this channel type")
        start = self._world.message(channel, call.number("message")) if "message" in call.ids else None
        if start and start.thread:
            raise Refusal(400, 160004, "A thread has already been created for this message")
        thread = self._world.add_thread(channel, name, self._world.bot, start=start)
        return {**thread.json(), "member": thread.thread_member(self._world.bot)}

    def change_thread(self, call: Call) -> dict[str, Any]:
        """Rename, archive or lock a thread."""
        thread = self._thread(call)
        name = str(call.read("name", thread.name))
        _check_name(name)
        archived, locked = call.read("archived", thread.is_archived), call.read("locked", thread.is_locked)
        self._world.change_thread(thread, name=name, is_archived=bool(archived), is_locked=bool(locked))
        return thread.json()

    def remove_thread(self, call: Call) -> dict[str, Any]:
        """Delete a thread."""
        thread = self._thread(call)
        self._world.remove_channel(thread)
        return thread.json()

    def join_thread(self, call: Call) -> None:
        """Let the bot or someone else take part in a thread, or leave it."""
        user = self._world.bot if call.ids["user"] == "@me" else self._user(call)
        self._world.join(self._thread(call), user, is_leaving=call.method == "DELETE")

    def _guild(self, call: Call) -> Guild:
        guild = self._world.guilds.get(call.number("guild"))
        if guild is None or not guild.has_bot:
            raise unknown("Guild")
        return guild

    def _user(self, call: Call) -> User:
        number = call.number("user")
        if number not in self._world.users:
            raise unknown("User")
        return self._world.users[number]

    def _thread(self, call: Call) -> Channel:
        channel = self._world.channel(call.number("channel"))
        if channel.kind != "thread":
            raise Refusal(403, 50013, "Missing Permissions")
        return channel


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= MAX_NAME:
        raise invalid("name", f"Must be between 1 and {MAX_NAME} in length.")
