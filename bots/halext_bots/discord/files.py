"""What comes along with a message or a command, fetched at once: its addresses expire."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import discord

from halext.commands.attachments import BYTES_MAX
from halext.commands.types import File
from halext.errors import InvalidInput, TooLarge, Unreachable
from halext_bots.discord.failures import FAILURES

FILES_MAX = 4
TOGETHER_MAX = 2 * BYTES_MAX
"""Bytes of all files of one message: a small server has to hold them."""
PATIENCE_S = 30.0


async def fetch(attachments: Sequence[discord.Attachment]) -> list[File]:
    """The files. Raises `TooLarge`, `InvalidInput` for too many, and `Unreachable`."""
    if len(attachments) > FILES_MAX:
        raise InvalidInput(f"That are {len(attachments)} files; send at most {FILES_MAX} at once.")
    if any(attachment.size > BYTES_MAX for attachment in attachments):
        raise TooLarge(f"That file is larger than {BYTES_MAX // 1_000_000} MB; send a smaller one.")
    if sum(attachment.size for attachment in attachments) > TOGETHER_MAX:
        raise TooLarge(f"Together the files are larger than {TOGETHER_MAX // 1_000_000} MB; send fewer.")
    try:
        async with asyncio.timeout(PATIENCE_S):
            data = await asyncio.gather(*(attachment.read() for attachment in attachments))
    except FAILURES:
        raise Unreachable("Discord did not hand over the file; send it again.") from None
    return [File(attachment.filename, content) for attachment, content in zip(attachments, data, strict=True)]
