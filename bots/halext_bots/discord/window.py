"""The quarter of an hour in which a command, or the press of a button, can be answered in its own place."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from enum import Enum, auto
from math import inf

import discord

from halext.types import Clock
from halext_bots.discord import quietly
from halext_bots.discord.content import NOBODY, ByChannel, Content
from halext_bots.discord.failures import (
    ANSWERED_ALREADY,
    CLOSED,
    FAILURES,
    UNKNOWN_MESSAGE,
    is_out_of_reach,
)

OPEN_S = 14 * 60.0
"""Discord closes it after fifteen minutes."""
TOO_LATE = "That took too long to be answered where only you see it; please say it again."


class _State(Enum):
    NEW = auto()
    THINKING = auto()
    """All see that an answer will come."""
    QUIETLY_THINKING = auto()
    """Only who gave the command sees it."""
    ANSWERED = auto()


class Window:
    """Answers one interaction: first in its own place, then below. Fulfils `content.Spot`.

    What goes to the interaction goes there one call after the other. When the window is closed, or was never open
    because more than three seconds had gone by, the channel has to do; what only one person may see is not said there.
    """

    def __init__(self, interaction: discord.Interaction, clock: Clock) -> None:
        self._interaction = interaction
        self._clock = clock
        self._until = clock.monotonic() + OPEN_S
        self._lock = asyncio.Lock()
        self._state = _State.NEW
        self._refs: set[str] = set()
        self._needed: set[str] = set()

    @property
    def is_open(self) -> bool:
        """Whether there is time left."""
        return self._clock.monotonic() < self._until

    async def defer(self, *, is_quiet: bool) -> None:
        """Say that an answer will come, unless something was said; then what comes must be as quiet as this."""
        async with self._lock:
            if self._state is not _State.NEW or not self.is_open:
                return
            try:
                await self._interaction.response.defer(thinking=True, ephemeral=is_quiet)
            except FAILURES as error:
                self._note(error)
            else:
                self._state = _State.QUIETLY_THINKING if is_quiet else _State.THINKING

    async def send(self, body: Content, by_channel: ByChannel) -> str:
        """Post a message; its id."""
        async with self._lock:
            try:
                ref = await self._post(body, by_channel) if self.is_open else None
            except discord.HTTPException as error:
                if error.code not in CLOSED:
                    raise
                self._until = -inf
                ref = None
            if ref is None:
                return await by_channel(self._for_all(body), None)
            self._state = _State.ANSWERED
            return ref

    def reaches(self, ref: str) -> bool:
        """Whether a message was posted by way of the interaction, and there is time left."""
        return self.is_open and ref in self._refs

    def is_needed(self, ref: str) -> bool:
        """Whether a message was edited this way before, as its channel is closed to the bot."""
        return self.reaches(ref) and ref in self._needed

    async def edit(self, ref: str, body: Content) -> None:
        """Write over a message by way of the interaction."""
        self._needed.add(ref)
        await self._interaction.followup.edit_message(
            int(ref), content=body.text, view=body.view(), attachments=body.uploads(), allowed_mentions=NOBODY
        )

    def _note(self, error: Exception) -> None:
        """What a failure tells about the interaction."""
        if isinstance(error, discord.InteractionResponded):
            self._state = _State.THINKING
        elif isinstance(error, discord.HTTPException) and error.code == ANSWERED_ALREADY:
            self._state = _State.THINKING  # by an attempt of ours of whose success we never heard
        elif isinstance(error, discord.HTTPException) and error.code in CLOSED:
            self._until = -inf

    async def _post(self, body: Content, by_channel: ByChannel) -> str:
        if self._state is _State.NEW:
            ref = await self._respond(body)
            if ref is not None:
                return ref
        if self._state is _State.ANSWERED:
            return await self._add(body, by_channel)
        if self._state is _State.QUIETLY_THINKING and not body.is_quiet:
            return await self._answer_openly(body, by_channel)
        return await self._fill(body, by_channel)

    async def _respond(self, body: Content) -> str | None:
        """The first answer; None when there is one already."""
        try:
            answered = await self._interaction.response.send_message(
                body.text,
                view=body.view() or discord.utils.MISSING,
                files=body.uploads(),
                ephemeral=body.is_quiet,
                suppress_embeds=True,
                allowed_mentions=NOBODY,
            )
        except (discord.HTTPException, discord.InteractionResponded) as error:
            self._note(error)
            if self._state is _State.NEW:
                raise
            return None
        return self._kept(answered.message_id)

    async def _fill(self, body: Content, by_channel: ByChannel) -> str:
        """Write over what says that an answer will come."""
        try:
            ref = await quietly.fill(self._interaction, body)
        except discord.HTTPException as error:
            if error.code != UNKNOWN_MESSAGE:
                raise
            return await self._add(body, by_channel)  # somebody has deleted it
        return self._kept(ref)

    async def _answer_openly(self, body: Content, by_channel: ByChannel) -> str:
        """For all, although only one person was told that an answer will come."""
        try:
            ref = await by_channel(body, None)
        except discord.HTTPException as error:
            if not is_out_of_reach(error):
                raise
            return await self._fill(body, by_channel)
        with suppress(*FAILURES):
            await self._interaction.delete_original_response()
        return ref

    async def _add(self, body: Content, by_channel: ByChannel) -> str:
        """Below the first answer: in the channel, which knows repeats, where the bot may write there."""
        if not body.is_quiet:
            try:
                return await by_channel(body, None)
            except discord.HTTPException as error:
                if not is_out_of_reach(error):
                    raise
        added = await self._interaction.followup.send(
            body.text,
            view=body.view() or discord.utils.MISSING,
            files=body.uploads(),
            ephemeral=body.is_quiet,
            suppress_embeds=True,
            allowed_mentions=NOBODY,
            wait=True,
        )
        return self._kept(added.id)

    def _kept(self, message_id: int | str | None) -> str:
        ref = str(message_id)
        self._refs.add(ref)
        return ref

    def _for_all(self, body: Content) -> Content:
        if not body.is_quiet or self._interaction.guild_id is None:
            return body
        return replace(body, text=TOO_LATE, buttons=(), files=())
