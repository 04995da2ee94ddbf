"""The world that a bot lives in: people, chats, messages and files, and what of it the bot gets to see."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from halext.testing.botapi.forms import Upload, bad
from halext.testing.botapi.rich import plain
from halext.testing.botapi.text import Text
from halext.testing.botapi.updates import Updates
from halext.types import Clock

ChatKind = Literal["private", "group", "supergroup", "channel"]
ANONYMOUS_ADMIN = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
CHANNEL_IN_GROUP = {"id": 136817688, "is_bot": True, "first_name": "Channel", "username": "Channel_Bot"}
"""The accounts that stand in for people who write in the name of a chat."""
DRAFT_S = 30.0
"""How long a draft is shown after its last change."""
ACTION_S = 5.0
"""How long "is typing" is shown."""


@dataclass(eq=False, slots=True)
class User:
    """An account."""

    id: int
    first_name: str
    username: str = ""
    language: str = "en"
    is_bot: bool = False
    has_started: bool = False
    """Whether it ever wrote to the bot: before, the bot can't write to it."""
    has_blocked: bool = False

    def json(self) -> dict[str, Any]:
        """As the API shows it."""
        shown: dict[str, Any] = {"id": self.id, "is_bot": self.is_bot, "first_name": self.first_name}
        if self.username:
            shown["username"] = self.username
        return shown if self.is_bot else {**shown, "language_code": self.language}


@dataclass(frozen=True, slots=True)
class Revision:
    """What a message said from a moment on. `at` is the clock's `monotonic` in seconds."""

    at: float
    content: Mapping[str, Any]
    markup: Mapping[str, Any] | None

    @property
    def text(self) -> str:
        """Text, caption, or what a rich message says."""
        if "rich_message" in self.content:
            return plain(self.content["rich_message"])
        return str(self.content.get("text") or self.content.get("caption") or "")


@dataclass(eq=False, slots=True)
class Message:
    """A message. `revisions` is its history, the newest last."""

    chat: Chat = field(repr=False)
    id: int
    date: float
    sender: Mapping[str, Any] | None
    revisions: list[Revision]
    topic: int = 0
    reply_to: Message | None = field(default=None, repr=False)
    extra: dict[str, Any] = field(default_factory=dict)
    """Further fields of the API: where it was forwarded from, in whose name it was written."""
    edited_at: float | None = None
    is_deleted: bool = False
    reactions: dict[int, str] = field(default_factory=dict)

    @property
    def content(self) -> Mapping[str, Any]:
        """What it says now, as the API shows it."""
        return self.revisions[-1].content

    @property
    def markup(self) -> Mapping[str, Any] | None:
        """Its keyboard now."""
        return self.revisions[-1].markup

    @property
    def text(self) -> str:
        """Text, caption, or what a rich message says."""
        return self.revisions[-1].text

    @property
    def entities(self) -> list[dict[str, Any]]:
        """The marks in its text."""
        return list(self.content.get("entities") or self.content.get("caption_entities") or [])

    @property
    def buttons(self) -> list[str]:
        """What stands on its inline buttons."""
        rows = (self.markup or {}).get("inline_keyboard", [])
        return [str(button["text"]) for row in rows for button in row]

    def json(self, *, depth: int = 1) -> dict[str, Any]:
        """As the API shows it, with the message that it answers but not that one's own."""
        shown: dict[str, Any] = {"message_id": self.id, "date": int(self.date), "chat": self.chat.json()}
        if self.sender:
            shown["from"] = dict(self.sender)
        if self.topic:
            shown |= {"message_thread_id": self.topic, "is_topic_message": True}
        if self.edited_at is not None:
            shown["edit_date"] = int(self.edited_at)
        if self.reply_to and depth and not self.reply_to.is_deleted:
            shown["reply_to_message"] = self.reply_to.json(depth=depth - 1)
        if self.markup and "inline_keyboard" in self.markup:
            shown["reply_markup"] = dict(self.markup)
        return {**shown, **self.extra, **{key: value for key, value in self.content.items() if value}}


@dataclass(frozen=True, slots=True)
class Draft:
    """What a bot is still writing. `at` is the clock's `monotonic` of its last change."""

    id: int
    at: float
    text: Text
    topic: int = 0
    rich: Mapping[str, Any] | None = None


@dataclass(eq=False, slots=True)
class Chat:
    """A chat as the bot and its people see it."""

    id: int
    kind: ChatKind
    title: str
    people: list[User] = field(default_factory=list)
    is_forum: bool = False
    is_bot_kicked: bool = False
    topics: dict[int, str] = field(default_factory=dict)
    messages: dict[int, Message] = field(default_factory=dict, repr=False)
    drafts: dict[int, Draft] = field(default_factory=dict)
    actions: list[tuple[float, str]] = field(default_factory=list)
    """Every "is typing" with the clock's `monotonic`."""
    pinned: list[int] = field(default_factory=list)
    numbers: Callable[[], int] = field(default_factory=lambda: itertools.count(1).__next__, repr=False)

    @property
    def is_group(self) -> bool:
        """Whether the limits of groups hold."""
        return self.kind in {"group", "supergroup", "channel"}

    @property
    def shown(self) -> list[Message]:
        """What stands in it now, oldest first."""
        return [message for message in self.messages.values() if not message.is_deleted]

    @property
    def texts(self) -> list[str]:
        """The texts that stand in it now."""
        return [message.text for message in self.shown]

    def json(self) -> dict[str, Any]:
        """As the API shows it."""
        if self.kind == "private":
            user = self.people[0]
            name = {"username": user.username} if user.username else {}
            return {"id": self.id, "type": "private", "first_name": user.first_name, **name}
        return {"id": self.id, "type": self.kind, "title": self.title} | ({"is_forum": True} if self.is_forum else {})


@dataclass(frozen=True, slots=True)
class File:
    """A file that Telegram keeps. One kept for the bot can be fetched by `path`."""

    id: str
    upload: Upload
    path: str


@dataclass(eq=False, slots=True)
class Press:
    """A pressed button. `answer` is what the bot let the person see, None until it has answered."""

    id: str
    message: Message
    data: str
    at: float
    answer: Mapping[str, Any] | None = None


@dataclass(eq=False, slots=True)
class InlineQuery:
    """What someone typed behind the bot's name. `results` is None until the bot has answered."""

    id: str
    user: User
    text: str
    at: float
    results: list[dict[str, Any]] | None = None


class World:
    """Everything there is. `bot` is the account of the bot under test."""

    def __init__(self, clock: Clock, date: Callable[[], float], bot: User) -> None:
        self.clock = clock
        self.date = date
        self.bot = bot
        self.updates = Updates()
        self.users: dict[int, User] = {}
        self.chats: dict[int, Chat] = {}
        self.files: dict[str, File] = {}
        self.reads_all = False
        """Whether the bot sees what people in groups say to each other; by default Telegram keeps that private."""
        self.has_private_topics = False
        """Whether private chats can have topics too."""
        self.inline_messages: dict[str, Message] = {}
        """What people sent by way of the bot's inline results, by the id under which the bot may edit it."""
        self.presses: dict[str, Press] = {}
        self.inline_queries: dict[str, InlineQuery] = {}
        self.commands: dict[tuple[str, str], list[dict[str, str]]] = {}
        """The bot's menus by scope and language."""
        self.changed: Callable[[], None] = lambda: None
        self.updates.changed = self._notify
        self._user_ids = itertools.count(1001)
        self._group_ids = itertools.count(1_000_000_000_001)
        self._album_ids = itertools.count(13_000_000_000_000_001)

    def _notify(self) -> None:
        self.changed()  # looked up now: whoever wants to know has set it after this world was made

    def add_user(self, name: str, username: str, language: str) -> User:
        """A person, and the chat that it will have with the bot."""
        user = User(next(self._user_ids), name, username, language)
        self.users[user.id] = user
        self.chats[user.id] = Chat(user.id, "private", name, [user])
        return user

    def add_chat(self, kind: ChatKind, title: str, people: list[User], *, is_forum: bool = False) -> Chat:
        """A group or channel that the bot is in."""
        number = next(self._group_ids)
        chat = Chat(-number + 1_000_000_000_000 if kind == "group" else -number, kind, title, people, is_forum)
        self.chats[chat.id] = chat
        return chat

    def add_topic(self, chat: Chat, name: str) -> int:
        """A topic in a forum; its number, which is that of the message that opened it."""
        number = chat.numbers()
        chat.topics[number] = name
        self.changed()
        return number

    def chat(self, number: int) -> Chat:
        """The chat that a bot means, if it may write there. Refusal otherwise."""
        chat = self.chats.get(number)
        if chat is None:
            raise bad("chat not found")
        return chat

    def message(self, chat: Chat, number: int, missing: str) -> Message:
        """A message that is still there; Refusal with the text `missing` otherwise."""
        message = chat.messages.get(number)
        if message is None or message.is_deleted:
            raise bad(missing)
        return message

    def keep(self, upload: Upload, kind: str) -> File:
        """Store a file."""
        number = len(self.files) + 1
        suffix = upload.name.rpartition(".")[2] if "." in upload.name else "bin"
        file = File(f"file-{kind}-{number}", upload, f"{kind}s/file_{number}.{suffix}")
        self.files[file.id] = file
        return file

    def new_album(self) -> str:
        """What the messages of one album share."""
        return str(next(self._album_ids))

    def add_message(
        self,
        chat: Chat,
        sender: Mapping[str, Any] | None,
        content: Mapping[str, Any],
        *,
        markup: Mapping[str, Any] | None = None,
        topic: int = 0,
        reply_to: Message | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Message:
        """Put a message into a chat. What the bot hears of it is another matter."""
        revision = Revision(self.clock.monotonic(), content, markup)
        message = Message(chat, chat.numbers(), self.date(), sender, [revision], topic, reply_to, dict(extra or {}))
        chat.messages[message.id] = message
        self.changed()
        return message

    def revise(self, message: Message, content: Mapping[str, Any], markup: Mapping[str, Any] | None) -> None:
        """Let a message say something else; a change of its buttons alone leaves no mark on it."""
        if content != message.content:
            message.edited_at = self.date()
        message.revisions.append(Revision(self.clock.monotonic(), content, markup))
        self.changed()

    def drafts(self, chat: Chat) -> list[Draft]:
        """What the person of a private chat sees the bot writing now."""
        now = self.clock.monotonic()
        return [draft for draft in chat.drafts.values() if now - draft.at < DRAFT_S]

    def action(self, chat: Chat) -> str:
        """What the chat says that the bot is doing now, such as "typing"; empty when it says nothing."""
        now = self.clock.monotonic()
        return next((action for at, action in reversed(chat.actions) if now - at < ACTION_S), "")
