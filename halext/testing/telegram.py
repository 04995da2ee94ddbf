"""A fake Telegram Bot API on a real socket, with the people who talk to the bot.

In a test, with any bot library that lets you choose its address:

    async with FakeTelegram() as telegram:
        ...                                  # start your bot with telegram.base_url, telegram.file_url, telegram.token
        ada = telegram.user("Ada")
        ada.say("hello")
        answer = await telegram.until(lambda: telegram.answers(ada.chat))

Telegram's limits hold as for a real bot, flood control too; its clock runs faster. By hand:
`python -m halext.testing.telegram` prints the settings to use.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Self, TypeVar

from halext.testing.botapi import webhook
from halext.testing.botapi.api import Api, Call
from halext.testing.botapi.faults import CallFaults
from halext.testing.botapi.flood import Flood, FloodRules
from halext.testing.botapi.forms import Upload
from halext.testing.botapi.page import page
from halext.testing.botapi.people import Person
from halext.testing.botapi.updates import Updates
from halext.testing.botapi.world import Chat, Draft, InlineQuery, Message, Press, User, World
from halext.testing.clock import ScaledClock
from halext.testing.server import Exchange, HttpServer
from halext.types import Clock

__all__ = ["Call", "Chat", "FakeTelegram", "FloodRules", "InlineQuery", "Message", "Person", "Press", "UnknownMethods"]

TOKEN = "1234567:fake-telegram-token"  # noqa: S105 - it opens nothing
NEW_TOKEN = "1234567:another-telegram-token"  # noqa: S105

Found = TypeVar("Found")


class UnknownMethods(AssertionError):
    """The bot called methods that this fake doesn't have, or that don't exist."""


class FakeTelegram:
    """The Bot API for one bot, and its world; `async with` it, or `start` and `close` it.

    Flood control and the deadlines of Telegram run on a clock that is `scale` times as fast as life, and `retry_after`
    is real seconds, so at 10 a wait of 3 s is 0.3 s. Dates of messages are real ones, unless a `clock` is given.
    `calls` is the log of what the bot asked for, `faults` what is still to go wrong with it.
    """

    def __init__(
        self,
        *,
        scale: float = 10.0,
        clock: Clock | None = None,
        token: str = TOKEN,
        username: str = "halext_bot",
        flood: FloodRules | None = None,
        reads_all: bool = False,
        private_topics: bool = False,
        port: int = 0,
    ) -> None:
        self.clock: Clock = clock or ScaledClock(scale)
        self.token = token
        bot = User(int(token.partition(":")[0]), "halext", username, is_bot=True)
        self.world = World(self.clock, clock.now if clock else time.time, bot)
        self.world.reads_all, self.world.has_private_topics = reads_all, private_topics
        self.world.changed = self._notify
        self._changed = asyncio.Event()
        factor = 1.0 if clock else scale
        self._api = Api(self.world, token, scale=factor, flood=Flood(flood), changed=self._notify)
        self.faults: CallFaults = self._api.faults
        self.calls: list[Call] = self._api.calls
        self._server = HttpServer(self._handle, port=port)
        self._deliverer: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Scheme, host and port; the port stays the same over `kill` and `start`."""
        return self._server.url

    @property
    def base_url(self) -> str:
        """What python-telegram-bot calls `base_url`."""
        return f"{self.url}/bot"

    @property
    def file_url(self) -> str:
        """What python-telegram-bot calls `base_file_url`."""
        return f"{self.url}/file/bot"

    @property
    def updates(self) -> Updates:
        """What waits for the bot: repeat or damage the next one, let another program poll."""
        return self.world.updates

    async def start(self) -> None:
        """Listen."""
        await self._server.start()
        deliver = webhook.deliver(self.world.updates, self.clock, self._api.call_by_webhook)
        self._deliverer = asyncio.get_running_loop().create_task(deliver)

    async def kill(self) -> None:
        """Be gone: connections are reset and refused until `start`. What people and bot have written stays."""
        await self._stop_deliverer()
        await self._server.kill()

    async def close(self) -> None:
        """Stop; raises what failed inside the fake, and UnknownMethods when the bot called some."""
        await self._stop_deliverer()
        await self._server.close()
        if self._api.unknown:
            raise UnknownMethods(f"the bot called what this fake doesn't know: {', '.join(self._api.unknown)}")

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def _stop_deliverer(self) -> None:
        if self._deliverer is not None:
            self._deliverer.cancel()
            await asyncio.gather(self._deliverer, return_exceptions=True)
            self._deliverer = None

    def user(self, name: str, *, username: str = "", language: str = "en") -> Person:
        """A new person. The bot can write to her once she has written to it."""
        return Person(self.world, self.world.add_user(name, username, language))

    def group(self, title: str, *people: Person, forum: bool = False) -> Chat:
        """A new supergroup with these people and the bot; with `forum` it has topics. The first one owns it."""
        return self.world.add_chat("supergroup", title, [person.user for person in people], is_forum=forum)

    def channel(self, title: str, *people: Person) -> Chat:
        """A new channel that these people and the bot write in."""
        return self.world.add_chat("channel", title, [person.user for person in people])

    def topic(self, chat: Chat, name: str) -> int:
        """A new topic in a forum, or in a private chat where the bot has topics; its `message_thread_id`."""
        if not chat.is_forum and not (chat.kind == "private" and self.world.has_private_topics):
            raise ValueError(f"{chat.title} has no topics")
        return self.world.add_topic(chat, name)

    def revoke_token(self) -> None:
        """Let every call fail with 401 from now on."""
        self._api.token_works = False

    def renew_token(self, token: str = NEW_TOKEN) -> str:
        """The bot's next token, as from @BotFather: it works from now on, and the one before does not."""
        self.token = self._api.token = token
        self._api.token_works = True
        return token

    async def until(self, condition: Callable[[], Found], *, timeout_s: float = 5.0) -> Found:
        """What `condition` returns as soon as that is true; TimeoutError after `timeout_s` real seconds."""
        async with asyncio.timeout(timeout_s):
            while not (found := condition()):
                await self._changed.wait()
        return found

    def answers(self, chat: Chat) -> list[Message]:
        """What the bot wrote in a chat and still stands there, oldest first."""
        return [message for message in chat.shown if (message.sender or {}).get("id") == self.world.bot.id]

    def made(self, method: str) -> list[Call]:
        """The calls of a method, oldest first."""
        return [call for call in self.calls if call.method == method]

    @property
    def uploads(self) -> list[Upload]:
        """The files that the bot sent."""
        return [upload for call in self.calls for upload in call.form.files.values()]

    @property
    def refused(self) -> int:
        """How many calls flood control turned down."""
        return self._api.flood.refused

    def drafts(self, chat: Chat) -> list[Draft]:
        """What the bot is shown to be writing in a private chat."""
        return self.world.drafts(chat)

    def draw(self) -> str:
        """A page of HTML that shows every chat as a person would see it."""
        return page(self.world)

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _handle(self, exchange: Exchange) -> None:
        if exchange.request.path == "/":
            await exchange.send(200, self.draw().encode(), content_type="text/html; charset=utf-8")
        else:
            await self._api.handle(exchange)


async def _serve(port: int, scale: float) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows has no handlers here; Ctrl-C ends it all the same
            loop.add_signal_handler(number, stop.set)
    async with FakeTelegram(port=port, scale=scale) as telegram:
        print(telegram.url)  # noqa: T201 - scripts read the address from the first line
        print(f"HALEXT_TELEGRAM_TOKEN={telegram.token}")  # noqa: T201
        print(f"HALEXT_TELEGRAM_API_BASE={telegram.url}", flush=True)  # noqa: T201
        await stop.wait()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one until Ctrl-C or SIGTERM; its address shows the chats in a browser."""
    parser = argparse.ArgumentParser(
        prog="python -m halext.testing.telegram", description="A fake Telegram Bot API for tests."
    )
    parser.add_argument("--port", type=int, default=8443, help="0 takes any free one (default: 8443)")
    parser.add_argument("--scale", type=float, default=1, help="how much faster than life time runs (default: 1)")
    args = parser.parse_args(argv)
    try:
        asyncio.run(_serve(args.port, args.scale))
    except OSError as error:
        print(f"Can't listen: {error.strerror or error}. Choose another port with --port.", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
