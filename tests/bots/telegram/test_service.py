"""`halext up telegram`, as its owner starts it: a process of its own, killed in the middle and started again."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

from halext.runtime.control import LocalControl
from halext.runtime.shapes import AddNode
from halext.runtime.verbs.nodes import add_node
from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama
from halext.testing.telegram import FakeTelegram, Message, Person
from halext_bots.telegram.service import TelegramService
from tests.bots.conftest import LOCAL

from .conftest import MODEL, QUICK, house, is_ended, link

FakeOllamas = Callable[..., Awaitable[FakeOllama]]
FakeTelegrams = Callable[..., Awaitable[FakeTelegram]]
WORDS = [f"word{number}{'' if number % 10 else '.' + chr(10) * 2} " for number in range(400)]
"""A paragraph every ten words: what is finished is on record."""
WAIT_S = 30.0


@asynccontextmanager
async def up(home: Path, telegram: FakeTelegram) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A real `halext up telegram`, from when it is ready; killed at the end if it still runs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HALEXT_")}
    environment = kept | {
        "HALEXT_DATA_DIR": str(home / "data"),
        "HALEXT_TELEGRAM_TOKEN": telegram.token,
        "HALEXT_TELEGRAM_API_BASE": telegram.url,
    }
    command = [sys.executable, "-m", "halext", "up", "telegram", "--no-demo"]
    with (home / "log").open("a") as log:
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, cwd=home, stdout=asyncio.subprocess.PIPE, stderr=log
        )
    try:
        said = ""
        async with asyncio.timeout(WAIT_S):
            while "is ready" not in said:
                assert process.stdout is not None
                line = (await process.stdout.readline()).decode()
                assert line, said + (home / "log").read_text()
                said += line
        yield process, said
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def furnished(home: Path, telegram: FakeTelegram, node: FakeOllama) -> Person:
    """A data directory with a node, and Ada, who is linked."""
    ada = telegram.user("Ada")
    async with house(home, telegram, None) as app:
        await LocalControl(app, LOCAL).call(add_node, AddNode(name="mac", urls=[node.url]))
        await link(app, ada, "Ada")
    return ada


def noted(database: Path) -> None:
    """Wait until the other process has written down which message carries its answer."""
    deadline = time.monotonic() + WAIT_S
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        while connection.execute("SELECT refs FROM showings").fetchall() in ([], [("[]",)]):
            assert time.monotonic() < deadline
            time.sleep(0.01)


async def test_up_with_telegram_alone_answers_and_stops_in_order(
    tmp_path: Path, fake_ollama: FakeOllamas, fake_telegram: FakeTelegrams
) -> None:
    telegram, node = await fake_telegram(), await fake_ollama([QUICK])
    ada = await furnished(tmp_path, telegram, node)
    async with up(tmp_path, telegram) as (process, said):
        assert "telegram    people write to @halext_bot" in said
        assert "http" not in said
        ada.say("Why?")
        await telegram.until(lambda: [m for m in telegram.answers(ada.chat) if is_ended(m)], timeout_s=WAIT_S)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(WAIT_S):
            assert await process.wait() == 0
    assert telegram.token not in (tmp_path / "log").read_text()


async def test_a_kill_in_mid_answer_loses_nothing_and_doubles_nothing(
    tmp_path: Path, fake_ollama: FakeOllamas, fake_telegram: FakeTelegrams
) -> None:
    slow = FakeModel(MODEL, script=WORDS, load_s=0.0, tokens_per_s=0.5)
    telegram, node = await fake_telegram(), await fake_ollama([slow])
    ada = await furnished(tmp_path, telegram, node)

    def growing() -> list[Message]:
        return [message for message in telegram.answers(ada.chat) if "word30" in message.text]

    async with up(tmp_path, telegram) as (process, _):
        telegram.updates.repeat_next(2)  # as if its confirmation had been lost
        ada.say("Tell me\n\nall")
        (answer,) = await telegram.until(growing, timeout_s=WAIT_S)
        process.kill()
        await process.wait()
    async with up(tmp_path, telegram):
        await telegram.until(lambda: is_ended(answer), timeout_s=WAIT_S)
    assert [message.id for message in telegram.answers(ada.chat)] == [answer.id]
    assert answer.text.startswith("word0.")
    assert "word20" in answer.text
    assert "Interrupted: halext was stopped" in answer.text
    assert answer.buttons == ["Continue", "Regenerate", "Why"]
    assert len([request for request in node.requests if request.path == "/api/chat"]) == 1


async def test_a_kill_before_the_first_word_is_answered_after_the_start(
    tmp_path: Path, fake_ollama: FakeOllamas, fake_telegram: FakeTelegrams
) -> None:
    late = FakeModel(MODEL, script=["Here", " I", " am."], load_s=300.0, tokens_per_s=1000.0)
    telegram, node = await fake_telegram(), await fake_ollama([late])
    ada = await furnished(tmp_path, telegram, node)
    async with up(tmp_path, telegram) as (process, _):
        ada.say("Anybody there?")
        (placeholder,) = await telegram.until(lambda: telegram.answers(ada.chat), timeout_s=WAIT_S)
        await asyncio.to_thread(noted, tmp_path / "data" / "halext.db")
        process.kill()
        await process.wait()
    async with up(tmp_path, telegram):
        await telegram.until(lambda: is_ended(placeholder), timeout_s=WAIT_S)
    assert "Here I am." in placeholder.text
    assert [message.id for message in telegram.answers(ada.chat)] == [placeholder.id]


async def test_what_arrives_while_it_is_off_is_answered_when_it_is_on(
    tmp_path: Path, fake_ollama: FakeOllamas, fake_telegram: FakeTelegrams
) -> None:
    telegram, node = await fake_telegram(), await fake_ollama([QUICK])
    ada = await furnished(tmp_path, telegram, node)
    ada.say("Are you off?")
    async with up(tmp_path, telegram):
        await telegram.until(lambda: [m for m in telegram.answers(ada.chat) if is_ended(m)], timeout_s=WAIT_S)


def test_it_names_what_it_needs() -> None:
    assert (TelegramService.name, TelegramService.extra) == ("telegram", "telegram")
