"""What one message on Telegram is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, MessageEntity

from halext.commands.types import Button, File
from halext_bots.shared.keyboard import rows
from halext_bots.shared.transport import Body
from halext_bots.telegram.entities import Formatted


@dataclass(frozen=True, slots=True)
class Content(Body):
    """A message, ready to be sent or to be written over another one."""

    text: Formatted
    buttons: tuple[Button, ...] = ()
    files: tuple[File, ...] = ()
    reply_to: int | None = field(default=None, compare=False)
    """The message that it answers; counts when it is sent only."""

    @property
    def entities(self) -> list[MessageEntity]:
        """The look of the text, in the library's words."""
        return [
            MessageEntity(entity.type, entity.offset, entity.length, url=entity.url, language=entity.language)
            for entity in self.text.entities
        ]

    @property
    def keyboard(self) -> InlineKeyboardMarkup | None:
        """The buttons, in the library's words. An edit without it takes the buttons away."""
        if not self.buttons:
            return None
        return InlineKeyboardMarkup([[_key(button) for button in row] for row in rows(self.buttons)])


def content(
    text: Formatted, buttons: Sequence[Button] = (), files: Sequence[File] = (), reply_to: int | None = None
) -> Content:
    """A message of these parts; without any look if Telegram does not like the one it has."""
    plain = Content(text.plain(), tuple(buttons), tuple(files), reply_to=reply_to) if text.entities else None
    return Content(text, tuple(buttons), tuple(files), plain, reply_to)


def of_telegram(body: Body) -> Content:
    """What was made here and went through the outbox."""
    if not isinstance(body, Content):
        raise TypeError("that is no message for Telegram")
    return body


def _key(button: Button) -> InlineKeyboardButton:
    return InlineKeyboardButton(button.label, callback_data=button.says)
