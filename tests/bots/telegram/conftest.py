"""A halext with its Telegram bot running, a fake Telegram, and Ada, who is linked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from halext.accounts.links.types import ChatAccount
from halext.accounts.types import Caller
from halext.runtime.app import App
from halext.runtime.control import LocalControl
from halext.runtime.settings import Settings
from halext.runtime.shapes import AddNode
from halext.runtime.verbs.nodes import add_node
from halext.runtime.wiring import open_app
from halext.testing.clock import ScaledClock
from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama
from halext.testing.telegram import FakeTelegram, Message, Person
from halext.types import Clock
from halext_bots.telegram.service import TelegramService
from tests.bots.conftest import LOCAL, House

MODEL = "llama3.2:3b"
SCALE = 10.0
"""How much faster than life halext and Telegram are here."""
QUICK = FakeModel(MODEL, script=["Because", " air", " scatters", " blue."], load_s=0.0, tokens_per_s=1000.0)
ENDLESS = FakeModel(MODEL, script=[f"word{number} " for number in range(5000)], load_s=0.0, tokens_per_s=1.0)
"""On the fakes' clock that is 100 words a second, and almost a minute in all."""
MENTION = "@halext_bot"


@dataclass
class Scene:
    """Everyone who is there."""

    telegram: FakeTelegram
    app: App
    node: FakeOllama
    ada: Person
    caller: Caller
    told: list[str] = field(default_factory=list)

    async def answered(self, person: Person | None = None, *, chat: Any = None, more: int = 1) -> list[Message]:
        """The ended answers in a chat, as soon as there are so many."""
        where = chat or (person or self.ada).chat

        def ended() -> list[Message]:
            found = [message for message in self.telegram.answers(where) if is_ended(message)]
            return found if len(found) >= more else []

        return await self.telegram.until(ended, timeout_s=15)

    async def said(self, text: str, *, chat: Any = None) -> Message:
        """The latest message of the bot, once it holds this."""
        where = chat or self.ada.chat

        def last() -> Message | None:
            return next((found for found in reversed(self.telegram.answers(where)) if text in found.text), None)

        found = await self.telegram.until(last, timeout_s=15)
        assert found is not None
        return found

    @property
    def asked(self) -> list[str]:
        """What the node was asked, the bodies of all questions."""
        return [request.body.decode() for request in self.node.requests if request.path == "/api/chat"]


def is_ended(message: Message) -> bool:
    """Whether an answer stands there as it stays."""
    return "Regenerate" in message.buttons


@asynccontextmanager
async def house(path: Path, telegram: FakeTelegram, clock: Clock | None, **settings: Any) -> AsyncIterator[App]:
    """A halext that is open, on the record of the one before it in the same place."""
    given = {"telegram_token": telegram.token, "telegram_api_base": telegram.url, **settings}
    given = {name: value for name, value in given.items() if value is not None}
    async with open_app(Settings(data_dir=path / "data", port=0, **given), clock) as app:
        yield app


async def link(app: App, person: Person, name: str) -> Caller:
    """Somebody with an account whose chat account is known; the bot may write to them."""
    user = await app.people.add_user(name, "member")  # type: ignore[arg-type]
    caller = await app.people.caller_of(user.id)
    assert caller is not None
    code = await app.links.code(caller)
    await app.links.claim(ChatAccount("telegram", str(person.id), name), code.text)
    person.user.has_started = True
    return caller


Begin = Callable[..., Awaitable[Scene]]


@pytest.fixture
async def begin(
    tmp_path: Path,
    fake_ollama: Callable[..., Awaitable[FakeOllama]],
    fake_telegram: Callable[..., Awaitable[FakeTelegram]],
) -> AsyncIterator[Begin]:
    """Opens a scene; it is closed after the test."""
    async with AsyncExitStack() as stack:

        async def begin(
            *models: FakeModel,
            reads_all: bool = False,
            **settings: Any,
        ) -> Scene:
            clock = ScaledClock(SCALE)  # the same one, or a wait of flood control would be misunderstood
            node = await fake_ollama(models or [QUICK], slots=4)
            telegram = await fake_telegram(clock=clock, reads_all=reads_all)
            app = await stack.enter_async_context(house(tmp_path, telegram, clock, **settings))
            await LocalControl(app, LOCAL).call(add_node, AddNode(name="mac", urls=[node.url]))
            ada = telegram.user("Ada", username="ada")
            caller = await link(app, ada, "Ada")
            told = await stack.enter_async_context(House(app, node).running(TelegramService()))
            return Scene(telegram, app, node, ada, caller, told)

        yield begin


class Lines(logging.Handler):
    """What halext writes into its log from `INFO` on."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self._news = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it, and wake who waits for it."""
        self.records.append(record)
        self._news.set()
        self._news = asyncio.Event()

    def of(self, text: str) -> list[str]:
        """The lines that hold this."""
        return [line for record in self.records if text in (line := record.getMessage())]

    async def until(self, text: str) -> str:
        """The first line that holds this, as soon as there is one."""
        async with asyncio.timeout(15):
            while not self.of(text):
                await self._news.wait()
        return self.of(text)[0]


@pytest.fixture
def lines() -> Iterator[Lines]:
    logger, handler = logging.getLogger("halext"), Lines()
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.setLevel(before)
    logger.removeHandler(handler)
