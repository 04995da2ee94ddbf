from __future__ import annotations

import asyncio

import pytest

from halext.testing.clock import EPOCH, ManualClock, ScaledClock


async def test_a_manual_clock_wakes_sleepers_in_order_and_at_their_own_moment() -> None:
    clock = ManualClock()
    woken: list[tuple[str, float]] = []

    async def nap(name: str, *seconds: float) -> None:
        for some in seconds:
            await clock.sleep(some)
            woken.append((name, clock.monotonic()))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(nap("late", 5))
        tasks.create_task(nap("twice", 1, 2))
        tasks.create_task(nap("never", 100))
        await clock.advance(6)
        assert woken == [("twice", 1), ("twice", 3), ("late", 5)]
        assert clock.monotonic() == 6
        assert clock.now() == EPOCH + 6
        assert clock.sleepers == 1
        await clock.advance(94)
    assert woken[-1] == ("never", 100)


async def test_sleepers_that_are_due_together_wake_in_the_order_they_came() -> None:
    clock = ManualClock()
    woken: list[int] = []

    async def nap(number: int) -> None:
        await clock.sleep(1)
        woken.append(number)

    async with asyncio.TaskGroup() as tasks:
        for number in range(5):
            tasks.create_task(nap(number))
        await clock.advance(1)
    assert woken == [0, 1, 2, 3, 4]


async def test_a_sleeper_that_gave_up_is_passed_over() -> None:
    clock = ManualClock()
    task = asyncio.create_task(clock.sleep(1))
    await clock.advance(0.5)
    task.cancel()
    await clock.advance(1)
    assert task.cancelled()
    assert clock.sleepers == 0


async def test_no_time_at_all_only_lets_others_run() -> None:
    clock = ManualClock()
    await asyncio.wait_for(clock.sleep(0), 1)
    await asyncio.wait_for(clock.sleep(-1), 1)
    assert clock.monotonic() == 0


async def test_a_scaled_clock_runs_so_much_faster_than_life() -> None:
    clock = ScaledClock(10_000)
    real, scaled, wall = asyncio.get_running_loop().time(), clock.monotonic(), clock.now()
    await clock.sleep(100)
    assert clock.monotonic() - scaled >= 100
    assert clock.now() - wall >= 100
    assert asyncio.get_running_loop().time() - real < 5


def test_a_scale_must_be_above_zero() -> None:
    with pytest.raises(ValueError, match="above zero"):
        ScaledClock(0)
