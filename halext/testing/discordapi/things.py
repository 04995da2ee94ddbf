"""What a Discord consists of: users, guilds, channels, messages. Each knows how the API shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from halext.testing.discordapi.components import BUTTON, shown_text, walk
from halext.testing.discordapi.snowflake import iso, seconds

ChannelKind = Literal["text", "dm", "thread"]
CHANNEL_TYPES = {"text": 0, "dm": 1, "thread": 11}
EPHEMERAL, LOADING, LAYOUT = 1 << 6, 1 << 7, 1 << 15
"""Flags of messages: only one person sees it, the bot is still thinking, it is made of Components V2."""
SUPPRESS_EMBEDS, HAS_THREAD, SILENT = 1 << 2, 1 << 5, 1 << 12
EVERYTHING = (1 << 53) - 1
SEND_MESSAGES = 1 << 11
ADMINISTRATOR = 1 << 3
USUAL = EVERYTHING & ~(ADMINISTRATOR | 1 << 1 | 1 << 2 | 1 << 4 | 1 << 5 | 1 << 13 | 1 << 28)
"""Permissions of someone who neither administers, kicks, bans nor manages channels, the guild, messages or roles."""


@dataclass(eq=False, slots=True)
class User:
    """An account."""

    id: int
    name: str
    is_bot: bool = False
    has_closed_dms: bool = False

    def json(self) -> dict[str, Any]:
        """As the API shows it."""
        name = {"username": self.name.lower().replace(" ", "_"), "global_name": self.name, "discriminator": "0"}
        more = {"avatar": None, "bot": self.is_bot, "system": False, "public_flags": 0, "banner": None}
        return {"id": str(self.id), **name, **more, "accent_color": None, "avatar_decoration_data": None}


@dataclass(eq=False, slots=True)
class Role:
    """A role in a guild, and who has it."""

    id: int
    name: str
    permissions: int = USUAL
    people: list[User] = field(default_factory=list)

    def json(self) -> dict[str, Any]:
        """As the API shows it."""
        looks = {"color": 0, "colors": {"primary_color": 0}, "hoist": False, "managed": False, "mentionable": True}
        about = {"position": 0, "permissions": str(self.permissions), "flags": 0, "icon": None, "unicode_emoji": None}
        return {"id": str(self.id), "name": self.name, **looks, **about}


@dataclass(eq=False, slots=True)
class Guild:
    """A server. Its first member owns it."""

    id: int
    name: str
    people: list[User]
    has_bot: bool = True
    roles: list[Role] = field(default_factory=list)
    channels: list[Channel] = field(default_factory=list, repr=False)

    def permissions(self, user: User) -> int:
        """What someone may do here."""
        if user is self.people[0] or user.is_bot:
            return EVERYTHING
        mine = USUAL
        for role in self.roles:
            mine |= role.permissions if user in role.people else 0
        return EVERYTHING if mine & ADMINISTRATOR else mine

    def member(self, user: User) -> dict[str, Any]:
        """Someone as a member, without the account."""
        roles = [str(role.id) for role in self.roles if user in role.people]
        since = {"joined_at": iso(seconds(self.id)), "premium_since": None, "communication_disabled_until": None}
        return {"roles": roles, "nick": None, "avatar": None, "flags": 0, "deaf": False, "mute": False, **since}

    def full_member(self, user: User) -> dict[str, Any]:
        """Someone as a member, with the account."""
        return {**self.member(user), "user": user.json(), "pending": False}

    def short(self) -> dict[str, Any]:
        """As interactions show it."""
        return {"id": str(self.id), "locale": "en-US", "features": []}

    def json(self) -> dict[str, Any]:
        """As GUILD_CREATE shows it."""
        rooms = [channel.json() for channel in self.channels if channel.kind == "text"]
        threads = [channel.json() for channel in self.channels if channel.kind == "thread" and not channel.is_archived]
        nobody = dict.fromkeys(("icon", "splash", "discovery_splash", "banner", "description", "vanity_url_code"))
        nowhere = dict.fromkeys(
            ("afk_channel_id", "system_channel_id", "rules_channel_id", "public_updates_channel_id")
        )
        levels = ("verification_level", "default_message_notifications", "explicit_content_filter", "mfa_level")
        counts = ("nsfw_level", "premium_tier", "premium_subscription_count", "system_channel_flags")
        lists = ("emojis", "stickers", "presences", "voice_states", "stage_instances", "guild_scheduled_events")
        return {
            "id": str(self.id),
            "name": self.name,
            "owner_id": str(self.people[0].id),
            "features": [],
            **nobody,
            **nowhere,
            **dict.fromkeys(levels + counts, 0),
            **{name: [] for name in (*lists, "soundboard_sounds")},
            "roles": [role.json() for role in self.roles],
            "channels": rooms,
            "threads": threads,
            "members": [self.full_member(user) for user in self.people],
            "member_count": len(self.people),
            "large": False,
            "unavailable": False,
            "joined_at": iso(seconds(self.id)),
            "application_id": None,
            "afk_timeout": 300,
            "preferred_locale": "en-US",
            "premium_progress_bar_enabled": False,
        }


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that Discord keeps. `at` is the clock's `monotonic` of its arrival."""

    id: int
    name: str
    data: bytes = field(repr=False)
    content_type: str
    url: str
    at: float
    description: str | None = None

    def json(self) -> dict[str, Any]:
        """As the API shows it."""
        about = {"filename": self.name, "size": len(self.data), "content_type": self.content_type}
        return {"id": str(self.id), **about, "url": self.url, "proxy_url": self.url, "description": self.description}


@dataclass(frozen=True, slots=True)
class Revision:
    """What a message said from a moment on. `at` is the clock's `monotonic` in seconds.

    `allowed_mentions` is what came with it (None when nothing did), `pinged` whom it named with Discord's leave: users
    by their id, roles with an `&` before it, "@everyone", "@here".
    """

    content: str = ""
    embeds: Sequence[Mapping[str, Any]] = ()
    components: Sequence[Mapping[str, Any]] = ()
    attachments: Sequence[Attachment] = ()
    at: float = 0.0
    allowed_mentions: Mapping[str, Any] | None = None
    pinged: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        """The content, or what a layout shows."""
        return self.content or shown_text(self.components)


@dataclass(eq=False, slots=True)
class Message:
    """A message. `revisions` is its history, the newest last; `only_for` is who alone sees an ephemeral one."""

    channel: Channel = field(repr=False)
    id: int
    author: User
    revisions: list[Revision]
    flags: int = 0
    type: int = 0
    nonce: str = ""
    reply_to: Message | None = field(default=None, repr=False)
    only_for: User | None = None
    interaction: Mapping[str, Any] | None = field(default=None, repr=False)
    edited_at: float | None = None
    is_deleted: bool = False
    is_pinned: bool = False
    late_edits: int = 0
    reactions: dict[str, list[int]] = field(default_factory=dict)
    """Who reacted with an emoji."""
    thread: Channel | None = field(default=None, repr=False)

    @property
    def now(self) -> Revision:
        """What it says now."""
        return self.revisions[-1]

    @property
    def text(self) -> str:
        """The content, or what a layout shows."""
        return self.now.text

    @property
    def embeds(self) -> Sequence[Mapping[str, Any]]:
        """Its embeds, as the bot sent them."""
        return self.now.embeds

    @property
    def attachments(self) -> Sequence[Attachment]:
        """Its files."""
        return self.now.attachments

    @property
    def buttons(self) -> list[str]:
        """What stands on its buttons, disabled ones too."""
        return [button_text(one) for one in walk(self.now.components) if one["type"] == BUTTON]

    @property
    def is_loading(self) -> bool:
        """Whether the bot is still thinking."""
        return bool(self.flags & LOADING)

    def json(self, *, depth: int = 1) -> dict[str, Any]:
        """As REST shows it, with the message that it answers but not that one's own."""
        now = self.now
        shown = {
            "id": str(self.id),
            "channel_id": str(self.channel.id),
            "author": self.author.json(),
            "content": now.content,
            "embeds": list(now.embeds),
            "components": list(now.components),
            "attachments": [one.json() for one in now.attachments],
            "timestamp": iso(seconds(self.id)),
            "edited_timestamp": None if self.edited_at is None else iso(self.edited_at),
            "tts": False,
            "mention_everyone": bool(now.pinged & {"@everyone", "@here"}),
            "mentions": self._mentions(),
            "mention_roles": [one[1:] for one in now.pinged if one[0] == "&"],
            "pinned": self.is_pinned,
            "type": self.type,
            "flags": self.flags,
            "reactions": self._reactions(),
        }
        if self.nonce:
            shown["nonce"] = self.nonce
        if self.interaction:
            shown |= {"interaction_metadata": dict(self.interaction), "application_id": str(self.author.id)}
            shown["webhook_id"] = str(self.author.id)
            if self.interaction.get("name"):
                shown["interaction"] = {key: self.interaction[key] for key in ("id", "type", "name", "user")}
        if self.thread:
            shown["thread"] = self.thread.json()
        if self.reply_to:
            where = {"message_id": str(self.reply_to.id), "channel_id": str(self.reply_to.channel.id)}
            shown["message_reference"] = {"type": 0, **where, **self.channel.place()}
            if depth:
                shown["referenced_message"] = None if self.reply_to.is_deleted else self.reply_to.json(depth=0)
        return shown

    def event(self) -> dict[str, Any]:
        """As the gateway shows it: with the guild, and with the author as its member."""
        guild = self.channel.guild
        shown = {**self.json(), **self.channel.place()}
        return shown if guild is None else {**shown, "member": guild.member(self.author)}

    def _mentions(self) -> list[dict[str, Any]]:
        return [user.json() for user in self.channel.members if str(user.id) in self.now.pinged]

    def _reactions(self) -> list[dict[str, Any]]:
        bots = {user.id for user in self.channel.members if user.is_bot}
        return [
            {"emoji": {"id": None, "name": emoji}, "count": len(people), "me": bool(bots & set(people))}
            for emoji, people in self.reactions.items()
        ]


@dataclass(eq=False, slots=True)
class Channel:
    """A place to write in: a channel of a guild, a thread in one, or a conversation with one person."""

    id: int
    name: str
    kind: ChannelKind = "text"
    guild: Guild | None = None
    parent: Channel | None = field(default=None, repr=False)
    owner: User | None = None
    people: list[User] = field(default_factory=list)
    """Who takes part in a DM or a thread."""
    messages: dict[int, Message] = field(default_factory=dict, repr=False)
    typing: list[tuple[float, User]] = field(default_factory=list)
    """Every "is typing" with the clock's `monotonic`."""
    is_archived: bool = False
    is_locked: bool = False
    bot_may_write: bool = True

    @property
    def members(self) -> list[User]:
        """Who can read it."""
        return self.guild.people if self.guild else self.people

    @property
    def shown(self) -> list[Message]:
        """What stands in it now, oldest first; ephemeral messages too."""
        return [message for message in self.messages.values() if not message.is_deleted]

    @property
    def texts(self) -> list[str]:
        """The texts that stand in it now."""
        return [message.text for message in self.shown]

    def place(self) -> dict[str, Any]:
        """The guild, for events; nothing for a DM."""
        return {"guild_id": str(self.guild.id)} if self.guild else {}

    def json(self) -> dict[str, Any]:
        """As the API shows it."""
        last = next(reversed(self.messages), None)
        shown: dict[str, Any] = {"id": str(self.id), "type": CHANNEL_TYPES[self.kind], "flags": 0, **self.place()}
        shown["last_message_id"] = None if last is None else str(last)
        if self.kind == "dm":
            return {**shown, "recipients": [user.json() for user in self.people if not user.is_bot]}
        shown |= {"name": self.name, "parent_id": str(self.parent.id) if self.parent else None}
        if self.kind == "text":
            looks = {"position": 0, "permission_overwrites": self._overwrites(), "nsfw": False, "topic": None}
            return {**shown, **looks, "rate_limit_per_user": 0}
        return {**shown, **self._thread()}

    def _overwrites(self) -> list[dict[str, Any]]:
        bots = [] if self.bot_may_write else [user for user in self.members if user.is_bot]
        return [{"id": str(bot.id), "type": 1, "allow": "0", "deny": str(SEND_MESSAGES)} for bot in bots]

    def _thread(self) -> dict[str, Any]:
        assert self.owner
        begun = iso(seconds(self.id))
        state = {"archived": self.is_archived, "locked": self.is_locked, "auto_archive_duration": 1440}
        numbers = {"message_count": len(self.messages), "member_count": len(self.people), "rate_limit_per_user": 0}
        times = {"archive_timestamp": begun, "create_timestamp": begun}
        return {"owner_id": str(self.owner.id), **numbers, "thread_metadata": {**state, **times}}

    def thread_member(self, user: User) -> dict[str, Any]:
        """Someone as a member of a thread."""
        return {"id": str(self.id), "user_id": str(user.id), "join_timestamp": iso(seconds(self.id)), "flags": 0}


def button_text(button: Mapping[str, Any]) -> str:
    """What stands on a button."""
    return str(button.get("label") or (button.get("emoji") or {}).get("name") or "")
