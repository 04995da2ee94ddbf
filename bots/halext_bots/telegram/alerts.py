"""Alerts, told in the Telegram chat that the owner has named."""

from __future__ import annotations

from telegram import Bot, Message
from telegram.error import BadRequest, TelegramError

from halext.alerts.types import Alert
from halext.commands.words import shortened
from halext.errors import NotFound
from halext_bots.shared.boundaries import utf16
from halext_bots.telegram.chat import GONE, NO_PREVIEW
from halext_bots.telegram.content import Content
from halext_bots.telegram.entities import Entity, Formatted, plain
from halext_bots.telegram.failures import translated

TITLE_MAX, TEXT_MAX = 200, 1_700
"""Characters. Some count twice, and each @ counts for two: no alert is refused for its length."""


class AlertChat:
    """Tells alerts in one chat. Fulfils `alerts.types.Notifier`."""

    def __init__(self, bot: Bot, chat_id: int) -> None:
        self._bot = bot
        self._chat_id = chat_id

    async def send(self, alert: Alert, /) -> str:
        """Post it; the message's number."""
        told = told_as(alert)
        try:
            message: Message = await self._bot.send_message(
                self._chat_id, told.text.text, entities=told.entities, link_preview_options=NO_PREVIEW
            )
        except TelegramError as error:
            raise translated(error) from None
        return str(message.message_id)

    async def edit(self, ref: str, alert: Alert, /) -> None:
        """Write over the message."""
        told = told_as(alert)
        try:
            await self._bot.edit_message_text(
                told.text.text,
                self._chat_id,
                int(ref),
                entities=told.entities,
                link_preview_options=NO_PREVIEW,
            )
        except BadRequest as error:
            said = str(error).lower()
            if "message is not modified" in said:
                return
            if any(text in said for text in GONE):
                raise NotFound("The message of this alert is gone.") from None
            raise translated(error) from None
        except TelegramError as error:
            raise translated(error) from None


def told_as(alert: Alert) -> Content:
    """The alert as a message: a bold title, and what there is to say below."""
    mark = "✅ " if alert.is_over else "🔴 "
    title = plain(shortened(alert.title, TITLE_MAX))
    bold = Entity("bold", utf16(mark), utf16(title))
    return Content(Formatted(f"{mark}{title}\n{plain(shortened(alert.text, TEXT_MAX))}", (bold,)))
