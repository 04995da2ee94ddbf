"""What one message on Telegram is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, MessageEntity

from halext.commands.types import Button, File
from halext_bots.telegram.entities import Formatted

ROW = 3
"""Buttons side by side: more are cut off on a phone."""


@dataclass(frozen=True, slots=True)
class Content:
    """A message, ready to be sent or to be written over another one."""

    body: Formatted
    buttons: tuple[Button, ...] = ()
    files: tuple[File, ...] = ()
    reply_to: int | None = None
    """The message that it answers; counts when it is sent only."""

    def plain(self) -> Content:
        """The same without any look, for when Telegram does not like the entities."""
        return Content(self.body.plain(), self.buttons, self.files, self.reply_to)

    @property
    def entities(self) -> list[MessageEntity]:
        """The look of the text, in the library's words."""
        return [
            MessageEntity(entity.type, entity.offset, entity.length, url=entity.url, language=entity.language)
            for entity in self.body.entities
        ]

    @property
    def keyboard(self) -> InlineKeyboardMarkup | None:
        """The buttons, in the library's words. An edit without it takes the buttons away."""
        if not self.buttons:
            return None
        keys = [InlineKeyboardButton(button.label, callback_data=button.says) for button in self.buttons]
        return InlineKeyboardMarkup([keys[at : at + ROW] for at in range(0, len(keys), ROW)])


def content(body: Formatted, buttons: Sequence[Button] = (), files: Sequence[File] = ()) -> Content:
    """A message of these parts."""
    return Content(body, tuple(buttons), tuple(files))
