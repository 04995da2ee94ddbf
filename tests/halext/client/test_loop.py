"""The loop: work crosses threads and comes back, errors too, and leaving a call ends its work."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from halext.client import loop as loops
from halext.client.loop import Group, Loop
from halext.errors import UsageError


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.stop()
    made.join()
    assert not made._thread.is_alive()


class Endless:
    """Gives numbers, then waits for ever; says when it begins and ends."""

    def __init__(self, gives: int = 0) -> None:
        self.gives = gives
        self.began = threading.Event()
        self.ended = threading.Event()

    async def wait(self) -> None:
        self.began.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()

    async def tell(self) -> AsyncGenerator[int, None]:
        for number in range(self.gives):
            yield number
        await self.wait()


async def double(value: int) -> int:
    await asyncio.sleep(0)
    return value * 2


async def fail() -> None:
    raise ValueError("no")


def test_results_and_errors_come_back(loop: Loop) -> None:
    assert loop.run(double(21), set()) == 42
    with pytest.raises(ValueError, match="no"):
        loop.run(fail(), set())


def test_many_threads_use_one_loop(loop: Loop) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda number: loop.run(double(number), set()), range(200))) == list(range(0, 400, 2))


async def test_awaited_from_another_loop(loop: Loop) -> None:
    assert await loop.arun(double(21), set()) == 42
    with pytest.raises(ValueError, match="no"):
        await loop.arun(fail(), set())


async def test_cancelling_the_caller_cancels_the_work(loop: Loop) -> None:
    work = Endless()
    task = asyncio.get_running_loop().create_task(loop.arun(work.wait(), set()))
    assert await asyncio.to_thread(work.began.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(work.ended.wait, 5)


def test_leaving_an_iteration_ends_its_work_before_it_returns(loop: Loop) -> None:
    work = Endless(gives=3)
    for number in loop.iterate(work.tell(), set()):
        if number == 2:
            break
    assert work.ended.is_set() or not work.began.is_set()


async def test_leaving_an_awaited_iteration_ends_its_work(loop: Loop) -> None:
    work = Endless(gives=3)
    pieces = loop.aiterate(work.tell(), set())
    assert [await anext(pieces) for _ in range(3)] == [0, 1, 2]
    assert await asyncio.to_thread(work.began.wait, 5)
    await pieces.aclose()
    assert await asyncio.to_thread(work.ended.wait, 5)


async def count_and_fail() -> AsyncGenerator[int, None]:
    yield 1
    raise ValueError("after one")


async def test_pieces_come_before_the_error_that_ends_them(loop: Loop) -> None:
    seen: list[int] = []
    with pytest.raises(ValueError, match="after one"):
        seen.extend(piece for piece in loop.iterate(count_and_fail(), set()))
    pieces = loop.aiterate(count_and_fail(), set())
    assert await anext(pieces) == 1
    with pytest.raises(ValueError, match="after one"):
        await anext(pieces)


@pytest.mark.parametrize("kind", ["run", "iterate"])
def test_a_synchronous_call_inside_the_loop_is_refused(loop: Loop, kind: str) -> None:
    async def inside() -> None:
        if kind == "run":
            loop.run(double(1), set())
        else:
            next(loop.iterate(Endless(1).tell(), set()))

    with pytest.raises(UsageError, match="inside halext's own loop"):
        loop.run(inside(), set())


def test_work_that_somebody_else_ends_is_an_error_and_no_cancellation(loop: Loop) -> None:
    group: Group = set()
    work = Endless()

    async def end_all() -> None:
        for task in group:
            task.cancel()

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(loop.run, work.wait(), group)
        assert work.began.wait(5)
        loop.run(end_all(), set())
        with pytest.raises(UsageError, match="closed while it worked"):
            waiting.result(timeout=5)


async def test_the_same_where_it_is_awaited(loop: Loop) -> None:
    group: Group = set()
    work = Endless()

    async def end_all() -> None:
        for task in group:
            task.cancel()

    waiting = asyncio.get_running_loop().create_task(loop.arun(work.wait(), group))
    assert await asyncio.to_thread(work.began.wait, 5)
    await loop.arun(end_all(), set())
    with pytest.raises(UsageError, match="closed while it worked"):
        await waiting


def test_one_loop_per_process_while_anyone_uses_it() -> None:
    def first() -> None: ...
    def second() -> None: ...

    loop = loops.borrow(first)
    assert loops.borrow(second) is loop
    assert loops.borrow(first) is loop
    assert loops.is_borrowed(first)
    assert loops.give_back(first) is None
    assert loops.give_back(second) is loop
    loop.join()
    assert not loop._thread.is_alive()
    assert not loops.is_borrowed(first)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_gets_a_loop_of_its_own() -> None:
    def user() -> None: ...

    loop = loops.borrow(user)
    child = os.fork()
    if child == 0:
        own = loops.borrow(user)
        os._exit(0 if own is not loop and own.run(double(4), set()) == 8 else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    ended = loops.give_back(user)
    assert ended is loop
    ended.join()
