"""One chat on Telegram, as the outbox uses it."""

from __future__ import annotations

import logging

from telegram import Bot, InputFile, InputMediaPhoto, LinkPreviewOptions, Message, ReplyParameters
from telegram.constants import ChatAction
from telegram.error import BadRequest, ChatMigrated, Forbidden, RetryAfter, TelegramError

from halext.commands.attachments import is_picture
from halext.commands.types import File
from halext_bots.shared.boundaries import utf16
from halext_bots.shared.transport import Body, Flooded, Gone, Refused
from halext_bots.telegram.content import Content, of_telegram
from halext_bots.telegram.failures import seconds, translated

CAPTION_MAX = 1_024
"""In UTF-16 units."""
PHOTO_MAX = 10_000_000
"""Bytes; a larger picture goes as a file."""
NO_PREVIEW = LinkPreviewOptions(is_disabled=True)
GONE = (
    "message to edit not found",
    "message can't be edited",
    "message_id_invalid",
    "chat not found",
    "not enough rights",
    "message thread not found",
    "topic_closed",
    "topic_deleted",
)
"""What Telegram says, in lower case, of a message or a chat that is not there for us any more."""
_log = logging.getLogger("halext.telegram")


class TelegramChat:
    """Sends, edits and takes away. Fulfils `outbox.Chat`."""

    def __init__(self, bot: Bot, chat_id: int, thread_id: int | None) -> None:
        self._bot = bot
        self._chat_id = chat_id
        self._thread_id = thread_id

    async def send(self, body: Body, *, key: str) -> str:
        """Post it; the message's number. Telegram knows no keys: a repeat after a lost answer may be seen twice."""
        del key
        try:
            return str((await self._send(of_telegram(body))).message_id)
        except TelegramError as error:
            raise _failure(error) from None

    async def edit(self, ref: str, body: Body) -> None:
        """Write over a message. With files it becomes a new message, and the old one goes."""
        made = of_telegram(body)
        try:
            if made.files:
                await self._send(made)
                await self._take_away(ref)
                return
            await self._bot.edit_message_text(
                made.text.text,
                self._chat_id,
                int(ref),
                entities=made.entities,
                reply_markup=made.keyboard,
                link_preview_options=NO_PREVIEW,
            )
        except TelegramError as error:
            if "message is not modified" not in str(error).lower():
                raise _failure(error) from None

    async def delete(self, ref: str) -> None:
        """Take a message away."""
        try:
            await self._bot.delete_message(self._chat_id, int(ref))
        except TelegramError as error:
            raise _failure(error) from None

    async def typing(self) -> None:
        """Show that something is being written."""
        try:
            await self._bot.send_chat_action(self._chat_id, ChatAction.TYPING, message_thread_id=self._thread_id)
        except TelegramError as error:
            raise _failure(error) from None

    async def _take_away(self, ref: str) -> None:
        """Whatever becomes of it: its successor stands there, and must not be sent once more."""
        try:
            await self._bot.delete_message(self._chat_id, int(ref))
        except TelegramError as error:
            _log.info("a message that has a successor can't be taken away: %s", translated(error).message)

    async def _send(self, body: Content) -> Message:
        if not body.files:
            return await self._text(body)
        has_caption = bool(body.text.text) and utf16(body.text.text) <= CAPTION_MAX
        words = body if has_caption else None
        if len(body.files) > 1 and body.keyboard is None and all(map(_is_photo, body.files)):
            message = await self._album(body.files, words)
        else:
            *others, last = body.files
            for file in others:
                await self._file(file, None)
            message = await self._file(last, words)
        return await self._text(body) if body.text.text and not has_caption else message

    async def _album(self, files: tuple[File, ...], words: Content | None) -> Message:
        """All pictures in one call: either all of them arrive or none."""
        captions = [words, *[None] * (len(files) - 1)]
        media = [
            InputMediaPhoto(
                file.data,
                caption=said.text.text if said else None,
                caption_entities=said.entities if said else None,
                filename=file.name,
            )
            for file, said in zip(files, captions, strict=True)
        ]
        sent = await self._bot.send_media_group(self._chat_id, media, message_thread_id=self._thread_id)
        return sent[0]

    async def _text(self, body: Content) -> Message:
        return await self._bot.send_message(
            self._chat_id,
            body.text.text,
            entities=body.entities,
            reply_markup=body.keyboard,
            link_preview_options=NO_PREVIEW,
            message_thread_id=self._thread_id,
            reply_parameters=_reply(body),
        )

    async def _file(self, file: File, words: Content | None) -> Message:
        upload = InputFile(file.data, filename=file.name)
        caption = None if words is None else words.text.text
        entities = None if words is None else words.entities
        keyboard = None if words is None else words.keyboard
        thread = self._thread_id
        if _is_photo(file):
            return await self._bot.send_photo(
                self._chat_id,
                upload,
                caption,
                reply_markup=keyboard,
                caption_entities=entities,
                message_thread_id=thread,
            )
        return await self._bot.send_document(
            self._chat_id, upload, caption, reply_markup=keyboard, caption_entities=entities, message_thread_id=thread
        )


def _is_photo(file: File) -> bool:
    return is_picture(file.data) and len(file.data) <= PHOTO_MAX


def _reply(body: Content) -> ReplyParameters | None:
    return None if body.reply_to is None else ReplyParameters(body.reply_to, allow_sending_without_reply=True)


def _failure(error: TelegramError) -> Exception:
    """What the outbox is told. Texts of errors are left out where they could hold anything of ours."""
    match error:
        case RetryAfter():
            return Flooded(seconds(error))
        case Forbidden() | ChatMigrated():
            return Gone()
        case BadRequest():
            return Gone() if any(text in str(error).lower() for text in GONE) else Refused(str(error))
        case _:
            return translated(error)
