"""What a bot does with messages and reactions, by way of REST."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from halext.testing.discordapi.compose import Composer
from halext.testing.discordapi.forms import Call
from halext.testing.discordapi.gateway import blanked
from halext.testing.discordapi.limits import check_nonce
from halext.testing.discordapi.refusal import Refusal, Unsupported, invalid, unknown
from halext.testing.discordapi.snowflake import seconds
from halext.testing.discordapi.things import Channel, Message, Revision, User

NONCE_S = 300.0
"""How long a nonce is remembered: "the past few minutes"."""
LATE_S = 3600.0
MAX_LATE_EDITS = 20
"""Edits to a message older than an hour that pass; Discord publishes neither the number nor the wait."""
LATE_RETRY_S = 5.0
MAX_PAGE = 100
MAX_REACTIONS = 20
"""Different emojis under one message."""


class Messages:
    """The routes below `/channels/{channel}/messages`, and what is near them."""

    def __init__(self, composer: Composer, *, reads_all: bool) -> None:
        self._world = composer.world
        self._composer = composer
        self._reads_all = reads_all

    def writable(self, number: int) -> Channel:
        """A channel in which the bot may write; Refusal otherwise."""
        channel = self._seen(number)
        if channel.kind == "dm" and not self._is_reachable(channel):
            raise Refusal(403, 50007, "Cannot send messages to this user")
        if channel.is_locked or not (channel.parent or channel).bot_may_write:
            raise Refusal(403, 50013, "Missing Permissions")
        return channel

    def history(self, call: Call) -> list[Mapping[str, Any]]:
        """The newest messages before, after or around one, the newest first."""
        channel, query = self._seen(call.number("channel")), call.query
        limit = int(query.get("limit", 50))
        if not 1 <= limit <= MAX_PAGE:
            raise invalid("limit", f"int value should be between 1 and {MAX_PAGE}.", "NUMBER_TYPE_MAX")
        every = [message for message in channel.shown if message.only_for is None]
        if "around" in query:
            half, middle = limit // 2, int(query["around"])
            older = [message for message in every if message.id < middle][-half:] if half else []
            every = older + [message for message in every if message.id >= middle][: limit - half]
        if "after" in query:
            every = [message for message in every if message.id > int(query["after"])][:limit]
        if "before" in query:
            every = [message for message in every if message.id < int(query["before"])]
        return [self._seen_as(message) for message in reversed(every[-limit:])]

    def get(self, call: Call) -> Mapping[str, Any]:
        """One message."""
        return self._seen_as(self._message(call))

    def send(self, call: Call) -> dict[str, Any]:
        """Write a message. With `enforce_nonce`, one that was written already is returned instead."""
        channel = self.writable(call.number("channel"))
        nonce = check_nonce(call.read("nonce"))
        if nonce and call.read("enforce_nonce") and (first := self._by_nonce(channel, nonce)):
            return first.json()
        reply_to = self._answered(channel, call.read("message_reference"))
        revision, flags = self._composer.write(channel, call.payload, call.uploads, Revision(), 0)
        if channel.kind == "thread":
            self._world.join(channel, self._world.bot)
        sent = self._world.add_message(channel, self._world.bot, revision, flags=flags, nonce=nonce, reply_to=reply_to)
        return sent.json()

    def edit(self, call: Call) -> dict[str, Any]:
        """Change a message of one's own."""
        message = self._message(call)
        if message.author is not self._world.bot:
            raise Refusal(403, 50005, "Cannot edit a message authored by another user")
        if self._world.date() - seconds(message.id) > LATE_S or self._age(message) > LATE_S:
            message.late_edits += 1
            if message.late_edits > MAX_LATE_EDITS:
                text = "Maximum number of edits to messages older than 1 hour reached. Try again later"
                raise Refusal(429, 30046, text, retry_s=LATE_RETRY_S)
        revision, flags = self._composer.write(message.channel, call.payload, call.uploads, message.now, message.flags)
        self._world.revise(message, revision, flags)
        return message.json()

    def delete(self, call: Call) -> None:
        """Remove a message; in a DM only one's own."""
        message = self._message(call)
        if message.channel.kind == "dm" and message.author is not self._world.bot:
            raise Refusal(403, 50003, "Cannot execute action on a DM channel")
        self._world.delete(message)

    def delete_many(self, call: Call) -> None:
        """Remove 2 to 100 messages of a guild."""
        channel, ids = self._seen(call.number("channel")), call.read("messages") or []
        if not 2 <= len(ids) <= MAX_PAGE:
            raise Refusal(400, 50016, "Provided too few or too many messages to delete.")
        for message in [channel.messages[int(number)] for number in ids if int(number) in channel.messages]:
            self._world.delete(message)

    def type(self, call: Call) -> None:
        """Show that the bot is typing."""
        self._world.type(self.writable(call.number("channel")), self._world.bot)

    def react(self, call: Call) -> None:
        """Put the bot's emoji under a message."""
        message, emoji = self._message(call), call.ids["emoji"]
        if emoji not in message.reactions and len(message.reactions) >= MAX_REACTIONS:
            raise Refusal(400, 30010, f"Maximum number of reactions reached ({MAX_REACTIONS})")
        self._world.react(message, emoji, self._world.bot)

    def unreact(self, call: Call) -> None:
        """Take an emoji away: the bot's, or somebody's."""
        message, who = self._message(call), call.ids["user"]
        user = self._world.bot if who == "@me" else self._user(int(who))
        if user.id in message.reactions.get(call.ids["emoji"], []):
            self._world.react(message, call.ids["emoji"], user, is_leaving=True)

    def pin(self, call: Call) -> None:
        """Pin a message, or take it off the pins."""
        self._message(call).is_pinned = call.method == "PUT"
        self._world.changed()

    def open_dm(self, call: Call) -> dict[str, Any]:
        """The conversation with a person."""
        return self._world.add_dm(self._user(int(call.read("recipient_id")))).json()

    def _is_reachable(self, channel: Channel) -> bool:
        """Whether a person gets what the bot writes: they share a guild, or the person wrote first."""
        user = next(user for user in channel.people if not user.is_bot)
        shares = any(user in guild.people for guild in self._world.guilds.values() if guild.has_bot)
        wrote = any(message.author is user for message in channel.messages.values())
        return (shares or wrote) and not user.has_closed_dms

    def _seen_as(self, message: Message) -> Mapping[str, Any]:
        hides = message.channel.guild is not None and not self._reads_all
        return blanked(message.json(), self._world.bot.id) if hides else message.json()

    def _seen(self, number: int) -> Channel:
        channel = self._world.channel(number)
        if channel.guild and not channel.guild.has_bot:
            raise Refusal(403, 50001, "Missing Access")
        return channel

    def _message(self, call: Call) -> Message:
        message = self._world.message(self._seen(call.number("channel")), call.number("message"))
        if message.only_for is not None:
            raise unknown("Message")  # only their interaction's token knows ephemeral messages
        return message

    def _user(self, number: int) -> User:
        if number not in self._world.users:
            raise Refusal(400, 50033, "Invalid Recipient(s)")
        return self._world.users[number]

    def _by_nonce(self, channel: Channel, nonce: str) -> Message | None:
        own = (one for one in channel.messages.values() if one.author is self._world.bot and one.nonce == nonce)
        return next((one for one in own if self._age(one) < NONCE_S), None)

    def _age(self, message: Message) -> float:
        return self._world.clock.monotonic() - message.revisions[0].at

    def _answered(self, channel: Channel, reference: dict[str, Any] | None) -> Message | None:
        if not reference:
            return None
        if reference.get("type"):
            raise Unsupported("forwarded messages")
        found = channel.messages.get(int(reference["message_id"]))
        if found is not None and not found.is_deleted and found.only_for is None:
            return found
        if reference.get("fail_if_not_exists", True):
            raise invalid("message_reference", "Unknown message", "REPLIES_UNKNOWN_MESSAGE")
        return None
