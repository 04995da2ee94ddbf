"""The Telegram bot: what it hears goes to halext, what halext says goes to the chat."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from telegram import Bot, BotCommand, BotCommandScopeAllPrivateChats, Update
from telegram.error import TelegramError
from telegram.request import HTTPXRequest

from halext.commands.attachments import BYTES_MAX
from halext.commands.load import load
from halext.commands.say import Talk
from halext.commands.types import File, Speaker, Text
from halext.errors import HalextError, InvalidInput, Unreachable
from halext.runtime.app import App
from halext_bots.shared.host import Host
from halext_bots.shared.keeping import Connected
from halext_bots.shared.lanes import Lanes
from halext_bots.shared.strangers import Strangers
from halext_bots.telegram.alerts import AlertChat
from halext_bots.telegram.chats import Chats
from halext_bots.telegram.failures import translated
from halext_bots.telegram.incoming import Attachment, Heard, heard
from halext_bots.telegram.polling import Polling

OFFICIAL = "https://api.telegram.org"
LANE_MAX = 20
"""Messages of one chat that may wait for their turn; more are refused in words."""
CONNECTIONS = 16
NOTIFIER = "telegram"
COMMANDS_MAX = 100
"""Telegram's limit for the menu."""
_log = logging.getLogger("halext.telegram")


async def run(app: App, token: str, connected: Connected) -> None:
    """Serve people until cancelled. Raises `KeyRefused` when the token is no good (any more), and `Unreachable`."""
    base = (app.settings.telegram_api_base or OFFICIAL).rstrip("/")
    request = HTTPXRequest(connection_pool_size=CONNECTIONS)
    bot = Bot(token, base_url=f"{base}/bot", base_file_url=f"{base}/file/bot", request=request)
    try:
        async with bot:
            connection = Connection(app, bot)
            await connection.greet()
            connected(f"people write to @{bot.username}")
            await connection.serve()
    except TelegramError as error:
        raise translated(error) from None  # the cause's text may hold the token


class Connection:
    """One bot that is logged in."""

    def __init__(self, app: App, bot: Bot) -> None:
        self._app = app
        self._bot = bot
        self._talk = Talk(app, load())
        self._host = Host(app, self._talk, "telegram")
        self._chats = Chats(bot, app.clock, app.background.spawn)
        self._lanes = Lanes(app.background.spawn)
        self._strangers = Strangers(app.clock)

    async def greet(self) -> None:
        """Take over from a webhook, and offer the commands in Telegram's menu."""
        await self._bot.delete_webhook()
        await self._bot.set_my_commands(menu(self._talk), scope=BotCommandScopeAllPrivateChats())

    async def serve(self) -> None:
        """Go on with what a restart interrupted, then hear what people say; for ever."""
        await self._host.resume(self._chats.restore)
        if (chat := self._app.settings.telegram_alert_chat) is not None:
            self._app.notifiers[NOTIFIER] = AlertChat(self._bot, chat)
        try:
            await Polling(self._bot, self._take, self._app.clock).run()
        finally:
            self._app.notifiers.pop(NOTIFIER, None)
            await self._chats.close()

    def _take(self, update: Update) -> asyncio.Event | None:
        found = heard(update, self._bot.bot)
        if found is None:
            return None
        if found.callback_id:  # a press does not wait behind what it may want to stop
            return self._lanes.add(f"press {found.callback_id}", lambda: self._hear(found))
        if self._lanes.waiting(found.chat) >= LANE_MAX:
            self._chats.stage(found).say(Text("That is too much at once; send it again in a moment.", is_error=True))
            return None
        return self._lanes.add(found.chat, lambda: self._hear(found))

    async def _hear(self, found: Heard) -> None:
        caller = await self._app.links.caller_for(found.account)
        speaker = Speaker(found.account, caller, found.place, is_private=found.is_private)
        stage = self._chats.stage(found)
        line = started(found.line)
        if caller is None and not line.startswith("link") and not self._strangers.is_due(found.account.id):
            return
        try:
            files = await self._fetch(found.attachments) if caller is not None else []
        except HalextError as error:
            stage.say(Text(error.message, is_error=True))
            return
        if line:
            await self._host.line(stage, speaker, line, files)
        else:
            await self._host.ask(stage, speaker, found.text, files)

    async def _fetch(self, attachments: Sequence[Attachment]) -> list[File]:
        return [await self._file(attachment) for attachment in attachments]

    async def _file(self, attachment: Attachment) -> File:
        if attachment.size > BYTES_MAX:
            raise InvalidInput(f"That file is larger than {BYTES_MAX // 1_000_000} MB; send a smaller one.")
        try:
            file = await self._bot.get_file(attachment.file_id)
            return File(attachment.name, bytes(await file.download_as_bytearray()))
        except TelegramError as error:
            raise Unreachable("Telegram did not hand over the file; send it again.") from translated(error)


def started(line: str) -> str:
    """What `/start` means, which Telegram sends by itself: the way in, or the code that came with a link."""
    word, _, code = line.partition(" ")
    if word != "start":
        return line
    return f"link {code}" if code.strip() else "help"


def menu(talk: Talk) -> list[BotCommand]:
    """The commands for Telegram's menu: those of two words by their first one, once."""
    found: dict[str, str] = {}
    for command in talk.registry.all():
        first, _, second = command.name.partition(" ")
        if command.is_listed:
            below = [other.name.split()[1] for other in talk.registry.all() if other.name.startswith(f"{first} ")]
            found.setdefault(first, f"{' · '.join(below)}" if second else command.description)
    return [BotCommand(name, description) for name, description in found.items()][:COMMANDS_MAX]
