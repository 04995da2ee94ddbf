"""All chats of the bot: an outbox for each, and stages on which single things that were said are answered."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence

from telegram import Bot
from telegram.error import TelegramError

from halext.commands.types import Button, File, Text
from halext.types import Clock
from halext_bots.shared.lanes import Spawn
from halext_bots.shared.outbox import Full, Outbox
from halext_bots.shared.pace import TELEGRAM, TELEGRAM_GROUP, Rank
from halext_bots.shared.splitting import messages
from halext_bots.shared.stage import View
from halext_bots.shared.view import Growing
from halext_bots.telegram.chat import TelegramChat
from halext_bots.telegram.content import Content, content
from halext_bots.telegram.entities import Entities, Formatted
from halext_bots.telegram.incoming import Heard

TOAST_MAX = 200
CHATS_MAX = 500
"""Chats whose outboxes are kept at once; idle ones make room, those that were quiet for longest first."""
CLOSE_S = 3.0
RENDERER = Entities()
_log = logging.getLogger("halext.telegram")


class Chats:
    """Finds the outbox of a chat, and makes stages."""

    def __init__(self, bot: Bot, clock: Clock, spawn: Spawn) -> None:
        self._bot = bot
        self._clock = clock
        self._spawn = spawn
        self._outboxes: OrderedDict[str, Outbox] = OrderedDict()

    def stage(self, heard: Heard) -> TelegramStage:
        """Where something that was heard is answered."""
        return TelegramStage(self._bot, heard, self.outbox(heard.chat), self._spawn)

    def restore(self, chat: str, refs: tuple[str, ...]) -> View | None:
        """What was being shown before a restart."""
        return Growing(self.outbox(chat), RENDERER, content, refs)

    def outbox(self, chat: str) -> Outbox:
        """The outbox of a chat by its name: its id, and a topic's behind a colon."""
        if chat not in self._outboxes:
            self._make_room()
            number, _, thread = chat.partition(":")
            pace = TELEGRAM_GROUP if number.startswith("-") else TELEGRAM
            telegram_chat = TelegramChat(self._bot, int(number), int(thread) if thread else None)
            self._outboxes[chat] = Outbox(telegram_chat, self._clock, self._spawn, pace=pace, name="telegram")
        self._outboxes.move_to_end(chat)
        return self._outboxes[chat]

    async def close(self) -> None:
        """Send what is final, for a moment, and nothing more after that."""
        async with asyncio.TaskGroup() as group:
            for outbox in self._outboxes.values():
                group.create_task(outbox.close(CLOSE_S))

    def _make_room(self) -> None:
        idle = [chat for chat, outbox in self._outboxes.items() if outbox.is_idle]
        for chat in idle[: max(len(self._outboxes) + 1 - CHATS_MAX, 0)]:
            del self._outboxes[chat]


class TelegramStage:
    """Answers one thing that was said. Fulfils `stage.Stage`."""

    def __init__(self, bot: Bot, heard: Heard, outbox: Outbox, spawn: Spawn) -> None:
        self._bot = bot
        self._heard = heard
        self._outbox = outbox
        self._spawn = spawn

    @property
    def chat(self) -> str:
        """The chat's name."""
        return self._heard.chat

    def say(self, reply: Text) -> None:
        """Answer with this: as a toast if a button was pressed and it is short, else as a message."""
        bodies = messages(reply.markdown, RENDERER)
        if self._heard.callback_id and reply.is_quiet and not reply.buttons and len(bodies) == 1:
            text = bodies[0].plain().text
            if len(text) <= TOAST_MAX:
                self._spawn(self._toast(text), "toast")
                return
        self.hush()
        after = None
        for number, body in enumerate(bodies):
            buttons = reply.buttons if number == len(bodies) - 1 else ()
            try:
                after = self._outbox.post(self._dress(body, buttons), rank=Rank.FINAL, after=after)
            except Full:
                _log.warning("there is no room for an answer: too much waits for this chat")

    def busy(self) -> None:
        """Show that the bot is writing."""
        self.hush()
        self._outbox.typing()

    def view(self) -> View:
        """Answer with something that grows."""
        self.hush()
        return Growing(self._outbox, RENDERER, self._dress)

    def hush(self) -> None:
        """Let a pressed button stop spinning."""
        if self._heard.callback_id:
            self._spawn(self._toast(""), "toast")

    def _dress(self, body: Formatted, buttons: Sequence[Button], files: Sequence[File] = ()) -> Content:
        is_reply = not self._heard.is_private and not self._heard.callback_id
        return content(body, buttons, files, self._heard.message_id if is_reply else None)

    async def _toast(self, text: str) -> None:
        try:
            await self._bot.answer_callback_query(self._heard.callback_id, text or None)
        except TelegramError:
            return  # a press may be too old to be answered; nothing depends on it
