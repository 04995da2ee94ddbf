"""What people say on Telegram, made out from its updates. Files are named here and not fetched."""

from __future__ import annotations

from dataclasses import dataclass

from telegram import Message, MessageEntity, Update, User

from halext.accounts.links.types import ChatAccount

MENTION = MessageEntity.MENTION
COMMAND = MessageEntity.BOT_COMMAND


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that can be fetched."""

    file_id: str
    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Heard:
    """Something that is meant for the bot. Either a command line or plain words."""

    account: ChatAccount
    chat_id: int
    thread_id: int | None
    is_private: bool
    line: str = ""
    """A command with what follows it, without its slash."""
    text: str = ""
    attachments: tuple[Attachment, ...] = ()
    message_id: int | None = None
    """What was said, or the message whose button was pressed."""
    callback_id: str = ""
    """Set when a button was pressed."""
    is_unreadable: bool = False
    """It holds something that no model here can take in, such as a voice message."""

    @property
    def chat(self) -> str:
        """The chat's name: what `restore` finds it by."""
        return f"{self.chat_id}:{self.thread_id}" if self.thread_id else str(self.chat_id)

    @property
    def place(self) -> str:
        """The chat's name for `chat.places`."""
        return f"telegram:{self.chat}"


def heard(update: Update, bot: User) -> Heard | None:
    """What an update says to the bot; None for what is none of its business."""
    if update.callback_query is not None:
        return _pressed(update)
    message = update.message
    if message is None or message.from_user is None or message.from_user.is_bot or message.sender_chat is not None:
        return None  # edits, channel posts and anonymous admins carry nobody's identity
    attachments = _attachments(message)
    text = message.text or message.caption or ""
    is_private = message.chat.type == "private"
    line = "" if message.forward_origin else _line(message, text, bot, is_private=is_private)
    is_unreadable = _is_unreadable(message, is_private=is_private)
    if line is None:
        return None
    if not line:
        text = _without_mention(message, text, bot)
        if not is_private and not _is_addressed(message, bot):
            return None
        if not text and not attachments and not is_unreadable:
            return None
    return Heard(
        account=_account(message.from_user),
        chat_id=message.chat_id,
        thread_id=message.message_thread_id if message.is_topic_message else None,
        is_private=is_private,
        line=line,
        text="" if line else text,
        attachments=attachments,
        message_id=message.message_id,
        is_unreadable=is_unreadable,
    )


def _pressed(update: Update) -> Heard | None:
    query = update.callback_query
    if query is None or query.message is None or not query.data or query.from_user.is_bot:
        return None
    message = query.message
    thread = message.message_thread_id if isinstance(message, Message) and message.is_topic_message else None
    return Heard(
        account=_account(query.from_user),
        chat_id=message.chat.id,
        thread_id=thread,
        is_private=message.chat.type == "private",
        line=query.data,
        message_id=message.message_id,
        callback_id=query.id,
    )


def _line(message: Message, text: str, bot: User, *, is_private: bool) -> str | None:
    """The command that a message begins with, without slash and bot's name; "" for none, None for another bot's."""
    entities = message.entities or message.caption_entities
    first = next((entity for entity in entities if entity.type == COMMAND and entity.offset == 0), None)
    if first is None:
        return ""
    word, rest = text[1 : first.length], text[first.length :].strip()
    name, _, whom = word.partition("@")
    if whom and whom.lower() != (bot.username or "").lower():
        return "" if is_private else None
    if not whom and not is_private and not _is_reply(message, bot) and _first(name) not in _PLAIN_IN_GROUPS:
        return ""
    return f"{name.replace('_', ' ')} {rest}".strip()


def _first(name: str) -> str:
    return name.partition("_")[0].lower()


_PLAIN_IN_GROUPS = frozenset({"ask", "imagine", "models", "nodes", "task", "why", "stop", "model", "chat"})
"""Commands that count without our name behind them too; others may be another bot's."""


def _is_addressed(message: Message, bot: User) -> bool:
    return _is_reply(message, bot) or _mention(message, bot) is not None


def _is_reply(message: Message, bot: User) -> bool:
    replied = message.reply_to_message
    return replied is not None and replied.from_user is not None and replied.from_user.id == bot.id


def _mention(message: Message, bot: User) -> str | None:
    wanted = f"@{bot.username}".lower()
    entities = message.parse_entities([MENTION]) | message.parse_caption_entities([MENTION])
    return next((text for text in entities.values() if text.lower() == wanted), None)


def _without_mention(message: Message, text: str, bot: User) -> str:
    mention = _mention(message, bot)
    return text.replace(mention, "", 1).strip() if mention else text.strip()


def _attachments(message: Message) -> tuple[Attachment, ...]:
    if message.photo:
        photo = message.photo[-1]  # the largest
        return (Attachment(photo.file_id, "photo.jpg", photo.file_size or 0),)
    if message.document is not None and message.animation is None:
        document = message.document
        return (Attachment(document.file_id, document.file_name or "file", document.file_size or 0),)
    return ()


def _is_unreadable(message: Message, *, is_private: bool) -> bool:
    found = message.voice or message.audio or message.video or message.video_note or message.animation
    return bool(found) or (is_private and message.sticker is not None)


def _account(user: User) -> ChatAccount:
    return ChatAccount("telegram", str(user.id), f"@{user.username}" if user.username else user.full_name)
