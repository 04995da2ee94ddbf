"""The world that a bot lives in: who and what there is, and what happens to it."""

from __future__ import annotations

import dataclasses
import mimetypes
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from halext.testing.discordapi.mentions import pings
from halext.testing.discordapi.refusal import unknown
from halext.testing.discordapi.snowflake import Snowflakes
from halext.testing.discordapi.things import (
    HAS_THREAD,
    SUPPRESS_EMBEDS,
    Attachment,
    Channel,
    Guild,
    Message,
    Revision,
    Role,
    User,
)
from halext.types import Clock

TYPING_S = 10.0
"""How long "is typing" is shown."""
LINK_S = 24 * 3600.0
"""How long the address of a file works."""
REPLY = 19
THREAD_CREATED = 18
ADDRESS = re.compile(r"(?<!<)https?://[^\s>)]+", re.IGNORECASE)
"""What Discord loads a preview of: an address that is not in pointed brackets."""
Emit = Callable[[str, dict[str, Any]], None]


class World:
    """Everything there is. `bot` is the account of the bot under test; `emit` tells it what happened."""

    def __init__(self, clock: Clock, date: Callable[[], float], name: str = "halext") -> None:
        self.clock = clock
        self.date = date
        self.ids = Snowflakes(date)
        self.bot = User(self.ids.next(), name, is_bot=True)
        self.users: dict[int, User] = {self.bot.id: self.bot}
        self.guilds: dict[int, Guild] = {}
        self.channels: dict[int, Channel] = {}
        self.files: dict[int, Attachment] = {}
        self.url = ""
        self.previewed: list[str] = []
        """The addresses in messages of the bot that were loaded to show a preview."""
        self.emit: Emit = lambda _name, _body: None
        self.changed: Callable[[], None] = lambda: None

    def add_user(self, name: str) -> User:
        """A new account."""
        user = User(self.ids.next(), name)
        self.users[user.id] = user
        return user

    def add_guild(self, name: str, *people: User, has_bot: bool = True) -> Guild:
        """A new guild with these people, the first of whom owns it; the bot hears of it if it is in it."""
        if not people:
            raise ValueError("a guild needs an owner")
        members = [*people, self.bot] if has_bot else list(people)
        guild = Guild(self.ids.next(), name, members, has_bot)
        guild.roles.append(Role(guild.id, "@everyone"))
        self.guilds[guild.id] = guild
        self._tell(guild, "GUILD_CREATE", guild.json())
        return guild

    def remove_bot(self, guild: Guild) -> None:
        """Take the bot out of a guild: it hears of that, and of nothing more."""
        self.emit("GUILD_DELETE", {"id": str(guild.id)})
        guild.has_bot = False
        guild.people.remove(self.bot)
        self.changed()

    def add_role(self, guild: Guild, name: str, *people: User) -> Role:
        """A new role for these people."""
        role = Role(self.ids.next(), name, people=list(people))
        guild.roles.append(role)
        self._tell(guild, "GUILD_ROLE_CREATE", {"guild_id": str(guild.id), "role": role.json()})
        return role

    def add_channel(self, guild: Guild, name: str, *, bot_may_write: bool = True) -> Channel:
        """A new text channel."""
        channel = Channel(self.ids.next(), name, guild=guild, bot_may_write=bot_may_write)
        guild.channels.append(channel)
        self.channels[channel.id] = channel
        self._tell(guild, "CHANNEL_CREATE", channel.json())
        return channel

    def add_dm(self, user: User) -> Channel:
        """The conversation of a person with the bot; a new one only if there was none."""
        for channel in self.channels.values():
            if channel.kind == "dm" and user in channel.people:
                return channel
        channel = Channel(self.ids.next(), user.name, "dm", people=[user, self.bot])
        self.channels[channel.id] = channel
        return channel

    def add_thread(self, parent: Channel, name: str, owner: User, *, start: Message | None = None) -> Channel:
        """A new thread, on a message or bare."""
        number = start.id if start else self.ids.next()
        thread = Channel(number, name, "thread", parent.guild, parent, owner, people=[owner])
        self.channels[number] = thread
        assert parent.guild
        parent.guild.channels.append(thread)
        self._tell(parent.guild, "THREAD_CREATE", {**thread.json(), "newly_created": True})
        if start:
            start.thread = thread
            start.flags |= HAS_THREAD
            self.tell_message("MESSAGE_UPDATE", start)
        else:
            self.add_message(parent, owner, Revision(name), type_=THREAD_CREATED)
        return thread

    def join(self, thread: Channel, user: User, *, is_leaving: bool = False) -> None:
        """Let someone take part in a thread, or leave it."""
        if (user in thread.people) is not is_leaving:
            return
        thread.people.remove(user) if is_leaving else thread.people.append(user)
        change = {
            "id": str(thread.id),
            **thread.place(),
            "member_count": len(thread.people),
            "added_members": [] if is_leaving else [thread.thread_member(user)],
            "removed_member_ids": [str(user.id)] if is_leaving else [],
        }
        assert thread.guild
        self._tell(thread.guild, "THREAD_MEMBERS_UPDATE", change)

    def change_thread(self, thread: Channel, *, name: str, is_archived: bool, is_locked: bool) -> None:
        """Rename, archive or lock a thread."""
        thread.name, thread.is_archived, thread.is_locked = name, is_archived, is_locked
        assert thread.guild
        self._tell(thread.guild, "THREAD_UPDATE", thread.json())

    def remove_channel(self, channel: Channel) -> None:
        """Delete a channel or a thread."""
        del self.channels[channel.id]
        assert channel.guild
        channel.guild.channels.remove(channel)
        self._tell(channel.guild, "THREAD_DELETE" if channel.kind == "thread" else "CHANNEL_DELETE", channel.json())

    def channel(self, number: int) -> Channel:
        """A channel that is there; Refusal otherwise."""
        if number not in self.channels:
            raise unknown("Channel")
        return self.channels[number]

    def message(self, channel: Channel, number: int) -> Message:
        """A message that is still there; Refusal otherwise."""
        message = channel.messages.get(number)
        if message is None or message.is_deleted:
            raise unknown("Message")
        return message

    def keep(self, channel: Channel, name: str, data: bytes, content_type: str = "", note: str = "") -> Attachment:
        """Store a file; its type goes by its name, as libraries upload everything as a stream of bytes."""
        number = self.ids.next()
        kind = mimetypes.guess_type(name)[0] or content_type or "application/octet-stream"
        url = f"{self.url}/attachments/{channel.id}/{number}/{quote(name)}"
        file = Attachment(number, name, data, kind, url, self.clock.monotonic(), note or None)
        self.files[number] = file
        return file

    def file(self, number: int) -> Attachment | None:
        """A stored file, while its address works."""
        file = self.files.get(number)
        return file if file and self.clock.monotonic() - file.at < LINK_S else None

    def add_message(
        self,
        channel: Channel,
        author: User,
        revision: Revision,
        *,
        flags: int = 0,
        nonce: str = "",
        type_: int = 0,
        reply_to: Message | None = None,
        only_for: User | None = None,
        interaction: Mapping[str, Any] | None = None,
    ) -> Message:
        """Put a message into a channel; an ephemeral one is told to nobody."""
        kind = type_ or (REPLY if reply_to else 0)
        revision = self._dated(revision, reply_to)
        message = Message(
            channel, self.ids.next(), author, [revision], flags, kind, nonce, reply_to, only_for, interaction
        )
        channel.messages[message.id] = message
        self._preview(message)
        channel.is_archived = False
        self.tell_message("MESSAGE_CREATE", message)
        return message

    def revise(self, message: Message, revision: Revision, flags: int | None = None) -> None:
        """Let a message say something else."""
        message.edited_at = self.date()
        message.flags = message.flags if flags is None else flags
        message.revisions.append(self._dated(revision, None))
        self._preview(message)
        self.tell_message("MESSAGE_UPDATE", message)

    def _preview(self, message: Message) -> None:
        if message.author is self.bot and not message.flags & SUPPRESS_EMBEDS:
            self.previewed += ADDRESS.findall(message.text)

    def delete(self, message: Message) -> None:
        """Remove a message."""
        message.is_deleted = True
        where = {"id": str(message.id), "channel_id": str(message.channel.id), **message.channel.place()}
        if message.only_for is None:
            self.tell(message.channel, "MESSAGE_DELETE", where)
        self.changed()

    def react(self, message: Message, emoji: str, user: User, *, is_leaving: bool = False) -> None:
        """Put someone's emoji under a message, or take it away."""
        people = message.reactions.setdefault(emoji, [])
        if (user.id in people) is is_leaving:
            people.remove(user.id) if is_leaving else people.append(user.id)
            channel = message.channel
            ids = {"user_id": str(user.id), "channel_id": str(channel.id), "message_id": str(message.id)}
            event = {**ids, **channel.place(), "emoji": {"id": None, "name": emoji}, "burst": False, "type": 0}
            if channel.guild and not is_leaving:
                event |= {"member": channel.guild.full_member(user), "message_author_id": str(message.author.id)}
            self.tell(channel, f"MESSAGE_REACTION_{'REMOVE' if is_leaving else 'ADD'}", event)
        if not people:
            del message.reactions[emoji]

    def type(self, channel: Channel, user: User) -> None:
        """Show that someone is typing."""
        channel.typing.append((self.clock.monotonic(), user))
        event = {"channel_id": str(channel.id), "user_id": str(user.id), "timestamp": int(self.date())}
        member = {"member": channel.guild.full_member(user)} if channel.guild else {}
        self.tell(channel, "TYPING_START", {**event, **channel.place(), **member})

    def is_typing(self, channel: Channel, user: User) -> bool:
        """Whether a channel shows that someone is typing now: for ten seconds, or until the message is there."""
        last = max((at for at, who in channel.typing if who is user), default=float("-inf"))
        written = (message.revisions[0].at for message in channel.messages.values() if message.author is user)
        return self.clock.monotonic() - last < TYPING_S and last > max(written, default=float("-inf"))

    def tell_message(self, name: str, message: Message) -> None:
        """Tell the bot of a message; of an ephemeral one it knows by itself."""
        if message.only_for is None:
            self.tell(message.channel, name, message.event())
        self.changed()

    def tell(self, channel: Channel, name: str, body: dict[str, Any]) -> None:
        """Tell the bot what happened in a channel, if it can see that one."""
        if channel.guild:
            self._tell(channel.guild, name, body)
        else:
            self.emit(name, body)
            self.changed()

    def _tell(self, guild: Guild, name: str, body: dict[str, Any]) -> None:
        if guild.has_bot:
            self.emit(name, body)
        self.changed()

    def _dated(self, revision: Revision, reply_to: Message | None) -> Revision:
        pinged = pings(revision.text, revision.allowed_mentions, replied_to=reply_to.author.id if reply_to else 0)
        return dataclasses.replace(revision, at=self.clock.monotonic(), pinged=pinged)
