from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager

import pytest
from telegram import Bot, Update
from telegram.request import HTTPXRequest

from halext.errors import DatabaseUnavailable, HalextError, KeyRefused
from halext.testing.clock import ScaledClock
from halext.testing.telegram import FakeTelegram
from halext_bots.telegram.failures import hush
from halext_bots.telegram.polling import Polling

from .conftest import Lines

FakeTelegrams = Callable[..., Awaitable[FakeTelegram]]


class Memory:
    """Arrivals, without a database."""

    def __init__(self) -> None:
        self.noted: set[int] = set()
        self.forgotten: list[int] = []
        self.trouble: list[HalextError] = []

    async def known(self, numbers: Collection[int], now: float) -> set[int]:
        """As the store."""
        del now
        if self.trouble:
            raise self.trouble.pop()
        return self.noted & set(numbers)

    async def forget(self, below: int, now: float) -> None:
        """As the store."""
        del now
        self.forgotten.append(below)


class Taken:
    """What was taken: it is dealt with at once, and on record."""

    def __init__(self, memory: Memory) -> None:
        self.texts: list[str] = []
        self.memory = memory
        self.faults = 0

    def __call__(self, update: Update) -> asyncio.Event | None:
        """Take it."""
        if self.faults:
            self.faults -= 1
            raise RuntimeError("a bug")
        assert update.message is not None
        self.texts.append(update.message.text or "")
        self.memory.noted.add(update.update_id)
        done = asyncio.Event()
        done.set()
        return done


@asynccontextmanager
async def polling(
    telegram: FakeTelegram, memory: Memory, take: Callable[[Update], asyncio.Event | None]
) -> AsyncIterator[asyncio.Task[None]]:
    hush()
    request = HTTPXRequest(httpx_kwargs={"verify": False})
    async with Bot(telegram.token, telegram.base_url, request=request, get_updates_request=request) as bot:
        task = asyncio.get_running_loop().create_task(Polling(bot, take, ScaledClock(20.0), memory).run())
        yield task
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_each_update_is_taken_once_and_then_confirmed(fake_telegram: FakeTelegrams) -> None:
    telegram, memory = await fake_telegram(), Memory()
    ada, taken = telegram.user("Ada"), Taken(memory)
    telegram.updates.repeat_next(2)
    for text in ("one", "two"):
        ada.say(text)
    async with polling(telegram, memory, taken):
        await telegram.until(lambda: telegram.updates.pending == 0 and memory.forgotten)
        ada.say("three")
        await telegram.until(lambda: len(memory.forgotten) > 1 and telegram.updates.pending == 0)
    assert taken.texts == ["one", "two", "three"]


async def test_what_was_dealt_with_before_a_crash_is_not_taken_again(fake_telegram: FakeTelegrams) -> None:
    telegram, memory = await fake_telegram(), Memory()
    ada, taken = telegram.user("Ada"), Taken(memory)
    ada.say("one")
    telegram.faults.at("getUpdates", nth=2, times=100, status=502)
    async with polling(telegram, memory, taken):
        await telegram.until(lambda: len(telegram.made("getUpdates")) > 2)
    assert telegram.updates.pending == 1
    telegram.faults.clear()
    ada.say("two")
    async with polling(telegram, memory, taken):
        await telegram.until(lambda: telegram.updates.pending == 0)
    assert taken.texts == ["one", "two"]


async def test_trouble_is_said_once_and_outwaited(fake_telegram: FakeTelegrams, lines: Lines) -> None:
    telegram, memory = await fake_telegram(), Memory()
    taken = Taken(memory)
    memory.trouble = [DatabaseUnavailable(), DatabaseUnavailable()]
    telegram.faults.at("getUpdates", nth=4, times=2, status=429, text="Too Many Requests", retry_after=0.2)
    telegram.user("Ada").say("one")
    async with polling(telegram, memory, taken):
        await telegram.until(lambda: telegram.updates.pending == 0)
        await telegram.until(lambda: len(telegram.made("getUpdates")) > 5)
    assert taken.texts == ["one"]
    assert len(lines.of("database does not answer")) == 1
    assert len(lines.of("asks for a pause")) == 1
    assert len(lines.of("answers again")) >= 1


async def test_one_that_nobody_can_deal_with_is_left_out(fake_telegram: FakeTelegrams, lines: Lines) -> None:
    telegram, memory = await fake_telegram(), Memory()
    ada, taken = telegram.user("Ada"), Taken(memory)
    taken.faults = 1
    for text in ("poison", "two"):
        ada.say(text)
    telegram.updates.push_raw({"message": 7})
    async with polling(telegram, memory, taken):
        await telegram.until(lambda: telegram.updates.pending == 0)
    assert taken.texts == ["two"]
    assert len(lines.of("can't be read")) == 2


async def test_what_takes_long_holds_up_nobody(fake_telegram: FakeTelegrams) -> None:
    telegram, memory = await fake_telegram(), Memory()
    ada, seen = telegram.user("Ada"), list[int]()

    def take(update: Update) -> asyncio.Event:
        seen.append(update.update_id)
        return asyncio.Event()  # nobody sets it

    ada.say("slow")
    async with polling(telegram, memory, take):
        await telegram.until(lambda: telegram.updates.pending == 0)
        ada.say("next")
        await telegram.until(lambda: len(seen) > 1)


@pytest.mark.parametrize("status", [401, 404])
async def test_a_refused_token_ends_it_without_showing_it(fake_telegram: FakeTelegrams, status: int) -> None:
    telegram, memory = await fake_telegram(), Memory()
    telegram.faults.at("getUpdates", status=status, text="Unauthorized")
    async with polling(telegram, memory, Taken(memory)) as task:
        with pytest.raises(KeyRefused) as failure:
            await task
    assert telegram.token not in repr(failure.value)
    assert failure.value.__suppress_context__
