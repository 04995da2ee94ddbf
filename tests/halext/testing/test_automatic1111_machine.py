from __future__ import annotations

import asyncio

import pytest

from halext.testing.automatic1111_machine import FakeCheckpoint, Machine, Wish, WrongField
from halext.testing.clock import ManualClock, ScaledClock

FIRST, SECOND = FakeCheckpoint("first", load_s=1), FakeCheckpoint("second", load_s=1)


def machine() -> Machine:
    return Machine([FIRST, SECOND], ScaledClock(1000), step_s=0.1, prepare_s=0.1, seed=0)


def silent(_: object) -> None:
    """Nobody listens."""


async def no_fault(_: int) -> None:
    """Nothing goes wrong."""


async def test_seeds_count_up_and_are_drawn_where_none_is_given() -> None:
    one = machine()
    fixed = await one.do(Wish("a", seed=7, steps=2, count=3), no_fault, silent)
    assert [painted.seed for painted in fixed.painted] == [7, 8, 9]
    assert len({painted.png for painted in fixed.painted}) == 3
    drawn = await one.do(Wish("b", steps=2), no_fault, silent)
    assert drawn.painted[0].seed >= 0
    assert "Seed: " in drawn.painted[0].infotext


async def test_another_checkpoint_is_loaded_and_the_first_comes_back() -> None:
    one, loads = machine(), list[str]()
    result = await one.do(Wish("a", steps=1, overrides={"sd_model_checkpoint": SECOND.title}), no_fault, loads.append)
    assert (result.checkpoint, one.loaded) == (SECOND, FIRST)
    assert loads == ["load_start", "load_end"] * 2
    stays = Wish("b", steps=1, overrides={"sd_model_checkpoint": "second"}, restores=False)
    await one.do(stays, no_fault, silent)
    assert one.loaded is SECOND


async def test_an_unknown_checkpoint_is_dropped_in_silence() -> None:
    result = await machine().do(Wish("a", steps=1, overrides={"sd_model_checkpoint": "nobody"}), no_fault, silent)
    assert result.checkpoint is FIRST


async def test_one_after_the_other_in_order() -> None:
    one, began = machine(), list[str]()

    async def job(name: str) -> None:
        async def reach(_: int) -> None:
            began.append(name)

        await one.do(Wish(name, steps=2), reach, silent)

    await asyncio.gather(job("a"), job("b"), job("c"))
    assert began == ["a", "a", "b", "b", "c", "c"]
    assert (one.current, one.pending, list(one.finished)) == (None, {}, ["a", "b", "c"])


async def test_an_interrupt_ends_the_job_that_runs_with_an_unfinished_picture() -> None:
    one = machine()

    async def stop_at_two(step: int) -> None:
        one.state.interrupted = step == 2

    stopped = await one.do(Wish("a", seed=1, steps=8, count=4), stop_at_two, silent)
    assert len(stopped.painted) == 1
    whole = await one.do(Wish("b", seed=1, steps=8), no_fault, silent)  # the flag is cleared when a job begins
    assert whole.painted[0].png != stopped.painted[0].png


async def test_a_job_that_failed_stays_the_current_one() -> None:
    one = machine()

    async def burst(_: int) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await one.do(Wish("a"), burst, silent)
    assert (one.current, list(one.finished), one.state.job_count) == ("a", [], 0)
    await one.do(Wish("b", steps=1), no_fault, silent)
    assert one.current is None


async def test_only_sixteen_are_remembered() -> None:
    one = machine()
    for number in range(18):
        await one.do(Wish(str(number), steps=1, width=32, height=32), no_fault, silent)
    assert list(one.finished) == [str(number) for number in range(2, 18)]


async def test_the_state_counts_pictures_and_steps(manual_clock: ManualClock) -> None:
    one = Machine([FIRST], manual_clock, step_s=1, prepare_s=1, seed=0)
    async with asyncio.TaskGroup() as group:
        group.create_task(one.do(Wish("a", steps=2, count=2), no_fault, silent))
        await manual_clock.advance(0.5)
        assert (one.state.job_count, one.state.share) == (-1, 0)
        await manual_clock.advance(1)
        assert (one.state.job_count, one.state.job_no, one.state.sampling_step) == (2, 0, 0)
        await manual_clock.advance(2)
        assert (one.state.job_no, one.state.share) == (1, 0.5)
        await manual_clock.advance(10)


def test_a_field_of_the_wrong_type_is_named() -> None:
    with pytest.raises(WrongField) as caught:
        Wish.read({"steps": "many"}, "t")
    assert caught.value.name == "steps"
    assert Wish.read({"n_iter": 2, "batch_size": 3, "force_task_id": "mine"}, "t").count == 6


@pytest.mark.parametrize("name", ["first", "first.safetensors", FIRST.title, FIRST.hash, FIRST.sha256])
def test_a_checkpoint_has_many_names(name: str) -> None:
    assert machine().find(name) is FIRST
