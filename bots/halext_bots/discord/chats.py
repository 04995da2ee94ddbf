"""All channels of the bot: an outbox for each, and stages on which single things that were said are answered."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

import discord

from halext.commands.types import Button, File, Text
from halext.types import Clock
from halext_bots.discord.chat import DiscordChat
from halext_bots.discord.content import Content, Spot, content
from halext_bots.discord.markdown import Markdown
from halext_bots.discord.under import Under
from halext_bots.discord.window import Window
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
NOTHING = "There is nothing to say."
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
        return DiscordStage(str(channel_id), self.outbox(str(channel_id)), Under(channel_id, message_id))

    def apart(self, channel_id: int) -> DiscordStage:
        """Where something is said that answers nothing there."""
        return DiscordStage(str(channel_id), self.outbox(str(channel_id)), None)

    def on(self, interaction: discord.Interaction) -> InteractionStage:
        """Where a command or the press of a button is answered."""
        channel = str(interaction.channel_id)
        window = Window(interaction, self._clock)
        return InteractionStage(channel, self.outbox(channel), window, self._clock, self._spawn)

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
        await asyncio.gather(*(outbox.close(CLOSE_S) for outbox in self._outboxes.values()))


class DiscordStage:
    """Answers one message, or one command. Fulfils `stage.Stage`."""

    def __init__(self, chat: str, outbox: Outbox, spot: Spot | None) -> None:
        self._chat = chat
        self._outbox = outbox
        self._spot = spot

    @property
    def chat(self) -> str:
        """The channel's id."""
        return self._chat

    def say(self, reply: Text) -> None:
        """Answer with this."""
        bodies = messages(reply.markdown, RENDERER) or [NOTHING]
        after = None
        for number, body in enumerate(bodies):
            buttons = reply.buttons if number == len(bodies) - 1 else ()
            made = replace(self._dress(body, buttons), is_quiet=reply.is_quiet)
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

    def _dress(self, body: str, buttons: Sequence[Button], files: Sequence[File] = ()) -> Content:
        return at(self._spot, content(body, buttons, files))


class InteractionStage(DiscordStage):
    """Answers a command in its own place, which must begin within three seconds."""

    def __init__(self, chat: str, outbox: Outbox, window: Window, clock: Clock, spawn: Spawn) -> None:
        super().__init__(chat, outbox, window)
        self._window = window
        self._clock = clock
        self._spawn = spawn
        self._is_open_to_all = False
        spawn(self._defer_in_time(), "answer a command in time")

    def say(self, reply: Text) -> None:
        """Answer with this."""
        self._is_open_to_all = self._is_open_to_all or not reply.is_quiet
        super().say(reply)

    def busy(self) -> None:
        """Say that an answer will come, which all may see."""
        self._is_open_to_all = True
        self._spawn(self._window.defer(is_quiet=False), "an answer will come")

    def view(self) -> View:
        """Answer with something that grows."""
        self._is_open_to_all = True
        return super().view()

    async def _defer_in_time(self) -> None:
        """What is not known to be for all is for one, until it is there: nobody else shall read somebody's tasks."""
        await self._clock.sleep(ANSWER_S)
        await self._window.defer(is_quiet=not self._is_open_to_all)


def at(spot: Spot | None, made: Content) -> Content:
    """The message, and what takes its place if it is refused, as an answer to this."""
    fallback = at(spot, made.fallback) if isinstance(made.fallback, Content) else None
    return replace(made, spot=spot, fallback=fallback)
