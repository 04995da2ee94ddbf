"""A session: opened once, opened again after a failure, closed once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest

from halext.client.session import Session
from halext.errors import Unreachable, UsageError
from halext.runtime.control import Control


class House:
    """Counts how often it is opened and closed; the first `failures` openings fail."""

    def __init__(self, failures: int = 0) -> None:
        self.opened = self.closed = 0
        self.failures = failures

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Control]:
        if self.failures:
            self.failures -= 1
            raise Unreachable
        self.opened += 1
        await asyncio.sleep(0)
        yield cast("Control", self)
        self.closed += 1


async def look(control: Control) -> Control:
    return control


def test_it_is_opened_when_it_is_needed_and_closed_once() -> None:
    house = House()
    session = Session(house.open, "here")
    assert house.opened == 0
    assert session.run(look) is session.run(look)
    session.close()
    session.close()
    assert (house.opened, house.closed) == (1, 1)
    with pytest.raises(UsageError, match="is closed"):
        session.run(look)


def test_closing_what_was_never_used_opens_nothing() -> None:
    house = House()
    session = Session(house.open, "here")
    session.close()
    assert house.opened == 0
    assert session.is_closed


async def test_many_callers_open_it_once() -> None:
    house = House()
    session = Session(house.open, "here")
    await asyncio.gather(*(session.arun(look) for _ in range(20)))
    await session.aclose()
    assert (house.opened, house.closed) == (1, 1)


def test_a_failed_opening_is_tried_again() -> None:
    house = House(failures=1)
    session = Session(house.open, "here")
    with pytest.raises(Unreachable):
        session.run(look)
    session.run(look)
    session.close()
    assert (house.opened, house.closed) == (1, 1)


async def test_closing_lets_what_was_interrupted_say_its_last_words() -> None:
    """As when Ctrl-C ends a script: its work is cancelled, and a moment later the process closes everything."""
    said: list[str] = []
    begun, leaving = asyncio.Event(), asyncio.Event()
    here = asyncio.get_running_loop()

    async def work(_control: Control) -> None:
        try:
            here.call_soon_threadsafe(begun.set)
            await asyncio.Event().wait()
        finally:
            here.call_soon_threadsafe(leaving.set)
            await asyncio.sleep(0.05)  # the way to a node and back
            said.append("stop")

    session = Session(House().open, "here")
    working = asyncio.ensure_future(session.arun(work))
    await begun.wait()
    working.cancel()
    await leaving.wait()
    await session.aclose()
    assert said == ["stop"]
    with pytest.raises(asyncio.CancelledError):
        await working
