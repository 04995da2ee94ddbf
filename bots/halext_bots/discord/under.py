"""An answer below a message that somebody wrote."""

from __future__ import annotations

import discord

from halext_bots.discord.content import ByChannel, Content
from halext_bots.discord.failures import NO_HISTORY


class Under:
    """The first message of an answer refers to what it answers. Fulfils `content.Spot`."""

    def __init__(self, channel_id: int, message_id: int) -> None:
        self._reference: discord.MessageReference | None = discord.MessageReference(
            message_id=message_id, channel_id=channel_id, fail_if_not_exists=False
        )

    async def send(self, body: Content, by_channel: ByChannel) -> str:
        """Post a message; its id. Where the bot may not read what was said before, it can't refer to it."""
        try:
            ref = await by_channel(body, self._reference)
        except discord.HTTPException as error:
            if self._reference is None or error.code != NO_HISTORY:
                raise
            ref = await by_channel(body, None)
        self._reference = None
        return ref

    def reaches(self, ref: str) -> bool:
        """Never."""
        del ref
        return False

    def is_needed(self, ref: str) -> bool:
        """Never."""
        del ref
        return False

    async def edit(self, ref: str, body: Content) -> None:
        """Never asked for."""
        del ref, body
        raise AssertionError("a message is edited by its channel")
