"""All channels of the bot: an outbox for each, and stages on which single things that were said are answered."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

import discord

from halext.commands.types import Button, File, Text
from halext.types import Clock
from halext_bots.discord.chat import DiscordChat
from halext_bots.discord.content import Content, content
from halext_bots.discord.failures import FAILURES
from halext_bots.discord.markdown import Markdown
from halext_bots.shared.lanes import Spawn
from halext_bots.shared.outbox import Full, Outbox
from halext_bots.shared.pace import DISCORD, Rank
from halext_bots.shared.splitting import messages
from halext_bots.shared.stage import View
from halext_bots.shared.view import Growing

CHANNELS_MAX = 500
"""Channels whose outboxes are kept at once; idle ones make room, those that were quiet for longest first."""
CLOSE_S = 3.0
ANSWER_S = 2.0
"""Discord gives three seconds for the first answer to a command; by then it is told that one will come."""
RENDERER = Markdown()
_log = logging.getLogger("halext.discord")


class Chats:
    """Finds the outbox of a channel, and makes stages."""

    def __init__(self, client: discord.Client, clock: Clock, spawn: Spawn) -> None:
        self._client = client
        self._clock = clock
        self._spawn = spawn
        self._outboxes: OrderedDict[str, Outbox] = OrderedDict()

    def under(self, channel_id: int, message_id: int) -> DiscordStage:
        """Where a message is answered."""
        return DiscordStage(str(channel_id), self.outbox(str(channel_id)), reply_to=message_id)

    def on(self, interaction: discord.Interaction) -> InteractionStage:
        """Where a command or the press of a button is answered."""
        channel = str(interaction.channel_id)
        return InteractionStage(channel, self.outbox(channel), interaction, self._clock, self._spawn)

    def restore(self, chat: str, refs: tuple[str, ...]) -> View | None:
        """What was being shown before a restart."""
        return Growing(self.outbox(chat), RENDERER, content, refs)

    def outbox(self, chat: str) -> Outbox:
        """The outbox of a channel by its id."""
        if chat not in self._outboxes:
            idle = [known for known, outbox in self._outboxes.items() if outbox.is_idle]
            for known in idle[: max(len(self._outboxes) + 1 - CHANNELS_MAX, 0)]:
                del self._outboxes[known]
            self._outboxes[chat] = Outbox(
                DiscordChat(self._client, int(chat)), self._clock, self._spawn, pace=DISCORD, name="discord"
            )
        self._outboxes.move_to_end(chat)
        return self._outboxes[chat]

    async def close(self) -> None:
        """Send what is final, for a moment, and nothing more after that."""
        for outbox in self._outboxes.values():
            await outbox.close(CLOSE_S)


class DiscordStage:
    """Answers one message. Fulfils `stage.Stage`."""

    def __init__(self, chat: str, outbox: Outbox, *, reply_to: int | None = None) -> None:
        self._chat = chat
        self._outbox = outbox
        self._reply_to = reply_to

    @property
    def chat(self) -> str:
        """The channel's id."""
        return self._chat

    def say(self, reply: Text) -> None:
        """Answer with this."""
        bodies = messages(reply.markdown, RENDERER)
        after = None
        for number, body in enumerate(bodies):
            buttons = reply.buttons if number == len(bodies) - 1 else ()
            made = self._first(number, content(body, buttons), is_quiet=reply.is_quiet)
            try:
                after = self._outbox.post(made, rank=Rank.FINAL, after=after)
            except Full:
                _log.warning("there is no room for an answer: too much waits for this channel")

    def busy(self) -> None:
        """Show that the bot is writing."""
        self._outbox.typing()

    def view(self) -> View:
        """Answer with something that grows."""
        return Growing(self._outbox, RENDERER, self._dress)

    def _first(self, number: int, made: Content, *, is_quiet: bool) -> Content:
        del is_quiet
        return replace(made, reply_to=self._reply_to) if number == 0 else made

    def _dress(self, body: str, buttons: Sequence[Button], files: Sequence[File] = ()) -> Content:
        return self._first(0, content(body, buttons, files), is_quiet=False)


class InteractionStage(DiscordStage):
    """Answers a command in its own place, which must begin within three seconds."""

    def __init__(self, chat: str, outbox: Outbox, interaction: discord.Interaction, clock: Clock, spawn: Spawn) -> None:
        super().__init__(chat, outbox)
        self._interaction = interaction
        self._clock = clock
        self._spawn = spawn
        spawn(self._defer_in_time(), "answer a command in time")

    def busy(self) -> None:
        """Say that an answer will come."""
        self._spawn(self.defer(), "an answer will come")

    def _first(self, number: int, made: Content, *, is_quiet: bool) -> Content:
        if number and not is_quiet:
            return made
        return replace(made, interaction=self._interaction, is_quiet=is_quiet, is_more=number > 0)

    async def _defer_in_time(self) -> None:
        await self._clock.sleep(ANSWER_S)
        await self.defer()

    async def defer(self) -> None:
        """Say that an answer will come, unless there is one."""
        if self._interaction.response.is_done():
            return
        try:
            await self._interaction.response.defer(thinking=True)
        except (*FAILURES, discord.InteractionResponded):
            return  # answered in this very moment, or too late: the channel has to do
