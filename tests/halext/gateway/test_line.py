from __future__ import annotations

import asyncio

import pytest

from halext.errors import AllBusy, UnknownModel
from halext.gateway import line as line_module
from halext.gateway.line import Line, Waiter


class Counter:
    """So many places, counted."""

    def __init__(self, free: int) -> None:
        self.free = free
        self.order: list[str] = []

    def waiter(self, name: str, lane: str = "m") -> Waiter[str]:
        def place() -> str | None:
            if not self.free:
                return None
            self.free -= 1
            self.order.append(name)
            return name

        return Waiter(lane=lane, place=place, undo=lambda _name: self.give())

    def give(self) -> None:
        self.free += 1


async def test_who_can_start_does_not_wait() -> None:
    line: Line[str] = Line(0)
    assert await line.wait(Counter(1).waiter("a"), 1) == "a"
    assert len(line) == 0


async def test_first_come_first_served() -> None:
    line: Line[str] = Line(10)
    places = Counter(0)
    async with asyncio.TaskGroup() as group:
        for name in "abc":
            group.create_task(line.wait(places.waiter(name), 5))
        await asyncio.sleep(0)
        assert len(line) == 3
        for _ in range(3):
            places.give()
            line.move()
            line.move()
    assert places.order == ["a", "b", "c"]


async def test_a_lane_that_is_stuck_blocks_no_other() -> None:
    line: Line[str] = Line(10)
    stuck, free = Counter(0), Counter(1)
    task = asyncio.get_running_loop().create_task(line.wait(stuck.waiter("a", "slow"), 5))
    await asyncio.sleep(0)
    assert await line.wait(free.waiter("b", "fast"), 5) == "b"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(line) == 0


async def test_an_error_ends_the_wait_of_one() -> None:
    line: Line[str] = Line(10)

    def refuse() -> str | None:
        raise UnknownModel("no")

    with pytest.raises(UnknownModel):
        await line.wait(Waiter("m", refuse, lambda _name: None), 5)
    assert len(line) == 0


async def test_the_line_is_bounded() -> None:
    line: Line[str] = Line(1)
    places = Counter(0)
    task = asyncio.get_running_loop().create_task(line.wait(places.waiter("a"), 5))
    await asyncio.sleep(0)
    with pytest.raises(AllBusy, match="1 requests are waiting"):
        await line.wait(places.waiter("b"), 5)
    places.give()
    line.move()
    assert await task == "a"


async def test_who_gives_up_in_the_moment_of_their_turn_gives_the_place_back() -> None:
    line: Line[str] = Line(10)
    places = Counter(0)
    task = asyncio.get_running_loop().create_task(line.wait(places.waiter("a"), 5))
    await asyncio.sleep(0)
    places.give()
    line.move()
    assert places.free == 0
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert places.free == 1
    assert len(line) == 0


async def test_patience_is_bounded_and_leaves_nothing() -> None:
    line: Line[str] = Line(10)
    places = Counter(0)
    with pytest.raises(AllBusy) as failure:
        await line.wait(places.waiter("a"), 0.01)
    assert failure.value.retry_after_s == 0.01
    places.give()
    line.move()
    assert places.free == 1


async def test_time_alone_moves_the_line_for_everyone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pause that is over tells nobody: without a look at the time they would wait for ever."""
    monkeypatch.setattr(line_module, "RECHECK_S", 0.01)
    line: Line[str] = Line(10)
    stuck, places = Counter(0), Counter(0)
    async with asyncio.TaskGroup() as group:
        first = group.create_task(line.wait(stuck.waiter("a", "slow"), 5))
        group.create_task(line.wait(places.waiter("b"), 5))
        third = group.create_task(line.wait(places.waiter("c"), 5))
        await asyncio.sleep(0)
        places.free = 2
        async with asyncio.timeout(5):
            await third
        first.cancel()
    assert places.order == ["b", "c"]
    assert len(line) == 0


async def test_an_error_that_comes_as_someone_leaves_is_nobodys() -> None:
    line: Line[str] = Line(10)
    answers: list[Exception] = []

    def place() -> str | None:
        if answers:
            raise answers.pop()
        return None

    task = asyncio.get_running_loop().create_task(line.wait(Waiter("m", place, lambda _name: None), 5))
    await asyncio.sleep(0)
    answers.append(UnknownModel("gone"))
    line.move()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(line) == 0
