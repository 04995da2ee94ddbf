"""The Telegram bot: what it hears goes to halext, what halext says goes to the chat."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

from telegram import Bot, BotCommand, BotCommandScopeAllPrivateChats, Update
from telegram.error import BadRequest, RetryAfter, TelegramError
from telegram.request import HTTPXRequest

from halext.commands.attachments import BYTES_MAX
from halext.commands.load import load
from halext.commands.say import Talk, failure
from halext.commands.types import File, Speaker, Text
from halext.errors import HalextError, Internal, InvalidInput, Unreachable
from halext.runtime.app import App
from halext.runtime.background import Background
from halext_bots.shared.host import Host
from halext_bots.shared.keeping import Connected
from halext_bots.shared.lanes import Lanes, Spawn, settled
from halext_bots.shared.strangers import Strangers
from halext_bots.telegram.alerts import AlertChat
from halext_bots.telegram.chats import Chats, TelegramStage
from halext_bots.telegram.failures import hush, translated
from halext_bots.telegram.incoming import Attachment, Heard, heard
from halext_bots.telegram.polling import Polling

OFFICIAL = "https://api.telegram.org"
LANE_MAX = 20
"""Messages of one chat that may wait for their turn; more are refused in words."""
ALL_MAX = 1_000
"""The same for all chats together, with presses of buttons."""
FILES_AT_ONCE = 4
"""Files of up to 20 MB that are fetched at the same time."""
LEAVE_S = 2.0
"""How long what was begun has at the end of a connection, to be on the record."""
CONNECTIONS = 16
NOTIFIER = "telegram"
TOO_MUCH = "That is too much at once; send it again in a moment."
UNREADABLE = "I can read texts, pictures and text files; voice, video and stickers I can't."
COMMANDS_MAX = 100
"""Telegram's limit for the menu."""
_log = logging.getLogger("halext.telegram")


async def run(app: App, token: str, connected: Connected) -> None:
    """Serve people until cancelled. Raises `KeyRefused` when the token is no good (any more), and `Unreachable`."""
    hush()
    base = (app.settings.telegram_api_base or OFFICIAL).rstrip("/")
    # In a thread: it reads certificates. For both ways in which the library asks, since polling takes the common one.
    request = await asyncio.to_thread(partial(HTTPXRequest, connection_pool_size=CONNECTIONS))
    api, files = f"{base}/bot", f"{base}/file/bot"
    try:
        bot = Bot(token, base_url=api, base_file_url=files, request=request, get_updates_request=request)
        # What goes on by itself ends with the connection: the next one resumes it from the record.
        async with bot, Background() as work:
            connection = Connection(app, bot, work.spawn)
            await connection.greet()
            connected(f"people write to @{bot.username}")
            await connection.serve()
    except TelegramError as error:
        raise translated(error) from None  # the cause's text may hold the token


class Connection:
    """One bot that is logged in."""

    def __init__(self, app: App, bot: Bot, spawn: Spawn) -> None:
        self._app = app
        self._bot = bot
        self._talk = Talk(app, load())
        self._host = Host(app, self._talk, "telegram", spawn)
        self._chats = Chats(bot, app.clock, spawn)
        self._lanes = Lanes(spawn)
        self._strangers = Strangers(app.clock)
        self._arrivals = app.arrivals(f"telegram:{bot.id}")
        self._fetching = asyncio.Semaphore(FILES_AT_ONCE)
        self._full: set[str] = set()
        """Chats that were told that it is too much."""

    async def greet(self) -> None:
        """Take over from a webhook, and offer the commands in Telegram's menu."""
        await self._bot.delete_webhook()
        try:
            await self._bot.set_my_commands(menu(self._talk), scope=BotCommandScopeAllPrivateChats())
        except (BadRequest, RetryAfter) as error:  # people can write without a menu
            _log.warning("the commands are not in Telegram's menu: %s", translated(error).message)

    async def serve(self) -> None:
        """Go on with what a restart interrupted, then hear what people say; for ever."""
        await self._host.resume(self._chats.restore)
        if (chat := self._app.settings.telegram_alert_chat) is not None:
            self._app.notifiers[NOTIFIER] = AlertChat(self._bot, chat)
        try:
            await Polling(self._bot, self._take, self._app.clock, self._arrivals).run()
        finally:
            self._app.notifiers.pop(NOTIFIER, None)
            await settled(self._lanes.ends, LEAVE_S)
            await self._chats.close()

    def _take(self, update: Update) -> asyncio.Event | None:
        found = heard(update, self._bot.bot)
        if found is None:
            return None
        # A press does not wait behind what it may want to stop.
        lane = f"press {found.callback_id}" if found.callback_id else found.chat
        if self._lanes.waiting(lane) >= LANE_MAX or len(self._lanes) >= ALL_MAX:
            if found.chat not in self._full:
                self._full.add(found.chat)
                self._chats.stage(found).say(Text(TOO_MUCH, is_error=True, is_quiet=True))
            return None
        self._full.discard(found.chat)
        return self._lanes.add(lane, lambda: self._deal(update.update_id, found))

    async def _deal(self, number: int, found: Heard) -> None:
        """Hear it, and put on record that it was heard: Telegram may deliver it once more after a crash."""
        stage = self._chats.stage(found)
        try:
            await self._hear(stage, found)
        except HalextError as error:
            stage.say(failure(error))
        except Exception:  # noqa: BLE001  (whoever wrote is told, and others are heard)
            _log.exception("update %s could not be dealt with", number)
            stage.say(failure(Internal()))
        await self._arrivals.note(number, self._app.clock.now())

    async def _hear(self, stage: TelegramStage, found: Heard) -> None:
        caller = await self._app.links.caller_for(found.account)
        speaker = Speaker(found.account, caller, found.place, is_private=found.is_private)
        line = started(found.line)
        is_link = line.partition(" ")[0].lower() == "link"
        if caller is None and not is_link and not self._strangers.is_due(found.account.id):
            stage.hush()
            return
        if caller is not None and found.is_unreadable:
            raise InvalidInput(UNREADABLE)
        files = await self._fetch(found.attachments) if caller is not None else []
        if line:
            await self._host.line(stage, speaker, line, files)
        else:
            await self._host.ask(stage, speaker, found.text, files)

    async def _fetch(self, attachments: Sequence[Attachment]) -> list[File]:
        return [await self._file(attachment) for attachment in attachments]

    async def _file(self, attachment: Attachment) -> File:
        _check_size(attachment.size)
        try:
            async with self._fetching:
                file = await self._bot.get_file(attachment.file_id)
                _check_size(file.file_size or 0)
                return File(attachment.name, bytes(await file.download_as_bytearray()))
        except TelegramError:  # its text may hold the token
            raise Unreachable("Telegram did not hand over the file; send it again.") from None


def _check_size(size: int) -> None:
    if size > BYTES_MAX:
        raise InvalidInput(f"That file is larger than {BYTES_MAX // 1_000_000} MB; send a smaller one.")


def started(line: str) -> str:
    """What `/start` means, which Telegram sends by itself: the way in, or the code that came with a link."""
    word, _, code = line.partition(" ")
    if word.lower() != "start":
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
