"""Alerts, told in the Discord channel that the owner has named."""

from __future__ import annotations

import discord

from halext.alerts.types import Alert
from halext.commands import words
from halext.errors import NotFound
from halext_bots.discord.content import NOBODY
from halext_bots.discord.failures import FAILURES, NOT_FOUND, TOO_OLD_TO_EDIT, translated
from halext_bots.discord.markdown import plain

TITLE_MAX, TEXT_MAX = 150, 800
"""Characters before anything is escaped, which doubles them at most: a message has 2,000."""


class AlertChannel:
    """Tells alerts in one channel. Fulfils `alerts.types.Notifier`."""

    def __init__(self, client: discord.Client, channel_id: int) -> None:
        self._channel = client.get_partial_messageable(channel_id)

    async def send(self, alert: Alert, /) -> str:
        """Post it; the message's id. The alert's key makes a repeat harmless."""
        try:
            message = await self._channel.send(
                told_as(alert), nonce=alert.key, allowed_mentions=NOBODY, suppress_embeds=True
            )
        except FAILURES as error:
            raise translated(error) from None
        return str(message.id)

    async def edit(self, ref: str, alert: Alert, /) -> None:
        """Write over the message."""
        try:
            await self._channel.get_partial_message(int(ref)).edit(content=told_as(alert), allowed_mentions=NOBODY)
        except discord.HTTPException as error:
            if error.status == NOT_FOUND or error.code == TOO_OLD_TO_EDIT:
                raise NotFound("The message of this alert is gone.") from None
            raise translated(error) from None
        except FAILURES as error:
            raise translated(error) from None


def told_as(alert: Alert) -> str:
    """The alert as a message: a bold title, and what there is to say below."""
    mark = "✅" if alert.is_over else "🔴"
    title, text = words.shortened(alert.title, TITLE_MAX), words.shortened(alert.text, TEXT_MAX)
    return f"{mark} **{plain(title)}**\n{plain(text)}"
