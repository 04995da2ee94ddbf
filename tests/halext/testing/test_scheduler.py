from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from halext.testing.clock import ManualClock
from halext.testing.faults import FaultKind, Faults
from halext.testing.models import FakeModel
from halext.testing.runner import Runner, RunnerOptions
from halext.testing.scheduler import WARM_LOAD_S, Busy, LoadFailed, Machine, Scheduler
from halext.testing.timeline import Timeline

GB = 10**9
A = FakeModel("a", load_s=10, size_bytes=4 * GB)
B = FakeModel("b", load_s=10, size_bytes=4 * GB)
C = FakeModel("c", load_s=10, size_bytes=4 * GB)

Held = asyncio.Task[tuple[Runner, float]]


class Lab:
    """A scheduler on a clock that stands still."""

    def __init__(self, machine: Machine) -> None:
        self.clock = ManualClock()
        self.timeline = Timeline()
        self.faults = Faults()
        self.tasks: set[asyncio.Task[Any]] = set()
        self.scheduler = Scheduler(machine, self.clock, self.timeline, self.spawn, self.faults.take_load)

    def spawn(self, work: Coroutine[None, None, None]) -> Callable[[], object]:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        return task.cancel

    def ask(self, model: FakeModel, keep_alive_s: float | None = None, **options: Any) -> Held:
        wanted = RunnerOptions.of(model, options)
        task = asyncio.create_task(self.scheduler.acquire(model, wanted, keep_alive_s=keep_alive_s))
        self.tasks.add(task)
        return task

    async def load(self, model: FakeModel, keep_alive_s: float | None = None, **options: Any) -> Runner:
        """Ask for a model and let the time pass that it takes."""
        held = self.ask(model, keep_alive_s, **options)
        await self.clock.advance(model.load_s)
        return held.result()[0]

    async def use(self, model: FakeModel, keep_alive_s: float | None = None, **options: Any) -> None:
        """Load a model and leave it idle."""
        self.scheduler.release(await self.load(model, keep_alive_s, **options))

    def evictions(self) -> list[tuple[str, str]]:
        return [(entry.model, entry.detail) for entry in self.timeline.of("evict")]


@asynccontextmanager
async def lab(**machine: Any) -> AsyncIterator[Lab]:
    machine = {"memory_bytes": 16 * GB, "vram_wait_s": 0.0, **machine}
    one = Lab(Machine(**machine))
    one.spawn(one.scheduler.run())
    try:
        yield one
    finally:
        for task in one.tasks:
            task.cancel()
        await asyncio.gather(*one.tasks, return_exceptions=True)


async def test_a_cold_request_waits_for_its_load_and_a_warm_one_joins_at_once() -> None:
    async with lab() as it:
        cold = it.ask(A)
        await it.clock.advance(9.9)
        assert not cold.done()
        assert it.scheduler.loaded == {}
        assert it.scheduler.loading is not None
        await it.clock.advance(0.1)
        runner, load_s = cold.result()
        assert load_s == pytest.approx(10 + WARM_LOAD_S)
        assert await it.ask(A) == (runner, WARM_LOAD_S)
        assert runner.refs == 2
        assert it.scheduler.is_warm(A, RunnerOptions())
        assert [entry.kind for entry in it.timeline] == ["wait", "load_start", "load_end"]


async def test_a_load_blocks_every_other_cold_request_whatever_its_model() -> None:
    async with lab() as it:
        first, second = it.ask(A), it.ask(B)
        await it.clock.advance(10)
        assert first.done()
        assert not second.done()
        await it.clock.advance(10)
        assert second.result()[1] == pytest.approx(20 + WARM_LOAD_S)  # the load time tells of the queue too


async def test_waiters_for_one_model_share_its_load() -> None:
    async with lab() as it:
        held = [it.ask(A) for _ in range(3)]
        await it.clock.advance(10)
        assert {id(one.result()[0]) for one in held} == {id(it.scheduler.loaded["a"])}
        assert it.scheduler.loaded["a"].refs == 3


async def test_the_cold_queue_has_an_end_and_those_who_leave_keep_their_place_in_it() -> None:
    async with lab(max_queue=2) as it:
        loading = it.ask(A)
        await it.clock.advance(1)
        left, _ = it.ask(B), it.ask(C)
        await it.clock.advance(1)
        with pytest.raises(Busy):
            await it.ask(B)
        left.cancel()
        await it.clock.advance(1)
        with pytest.raises(Busy):
            await it.ask(B)
        assert it.scheduler.cold_waiting == 2
        await it.clock.advance(7)  # a is loaded; the one who left is passed over
        assert loading.done()
        assert it.scheduler.cold_waiting == 0
        assert it.scheduler.loading is not None
        assert it.scheduler.loading.model == C


async def test_a_load_dies_with_the_one_who_waits_for_it() -> None:
    async with lab() as it:
        first, second = it.ask(A), it.ask(A)
        await it.clock.advance(9)
        first.cancel()
        await it.clock.advance(9)
        assert not second.done()
        await it.clock.advance(1)
        assert second.done()
        kinds = [entry.kind for entry in it.timeline.of("load_start", "load_abort", "load_end")]
        assert kinds == ["load_start", "load_abort", "load_start", "load_end"]


async def test_one_who_leaves_with_the_runner_in_hand_gives_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    async with lab() as it:
        held = it.ask(A)
        hand_over = it.scheduler._hand_over

        def hand_over_and_leave(runner: Runner, waiter: Any) -> None:
            hand_over(runner, waiter)
            held.cancel()

        monkeypatch.setattr(it.scheduler, "_hand_over", hand_over_and_leave)
        await it.clock.advance(10)
        assert held.cancelled()
        assert it.scheduler.loaded["a"].refs == 0


async def test_an_idle_model_leaves_after_its_keep_alive() -> None:
    async with lab(keep_alive_s=100) as it:
        runner = await it.load(A)
        assert runner.expires_at is None
        it.scheduler.release(runner)
        idle_since = it.clock.now()
        assert runner.expires_at == idle_since + 100
        await it.clock.advance(60)
        await it.ask(A)
        await it.clock.advance(200)
        assert it.scheduler.loaded == {"a": runner}  # busy
        assert runner.expires_at == idle_since + 100  # and its date stale
        it.scheduler.release(runner)
        await it.clock.advance(99)
        assert it.scheduler.loaded
        await it.clock.advance(1)
        assert it.evictions() == [("a", "expired")]


@pytest.mark.parametrize(("keep_alive_s", "stays"), [(0.0, False), (math.inf, True)])
async def test_keep_alive_zero_leaves_at_once_and_a_negative_one_never(keep_alive_s: float, *, stays: bool) -> None:
    async with lab() as it:
        await it.use(A, keep_alive_s)
        await it.clock.advance(1e9 if stays else 0)
        assert ("a" in it.scheduler.loaded) is stays


async def test_an_unload_by_name_waits_until_the_model_is_idle() -> None:
    async with lab() as it:
        runner = await it.load(A)
        it.scheduler.expire("a")
        it.scheduler.expire("unknown")
        assert "a" in it.scheduler.loaded
        it.scheduler.release(runner)
        assert "a" not in it.scheduler.loaded


async def test_a_further_model_needs_room_and_the_shortest_keep_alive_makes_it() -> None:
    async with lab(memory_bytes=10 * GB) as it:
        await it.use(A, 500)
        await it.use(B, 200)  # 4 of 6 free: under 80 %
        await it.use(C, 900)
        assert it.evictions() == [("b", "room")]
        assert sorted(it.scheduler.loaded) == ["a", "c"]


async def test_there_is_a_limit_to_how_many_models_are_loaded() -> None:
    async with lab(max_loaded=1) as it:
        await it.use(A)
        await it.use(B)
        assert list(it.scheduler.loaded) == ["b"]


async def test_a_load_waits_until_the_card_has_its_memory_back() -> None:
    async with lab(max_loaded=1, vram_wait_s=1.5) as it:
        await it.use(A)
        second = it.ask(B)
        await it.clock.advance(11.4)
        assert it.evictions() == [("a", "room")]
        assert not second.done()
        await it.clock.advance(0.1)
        assert second.done()


async def test_a_large_model_spills_over_and_a_larger_one_is_refused() -> None:
    async with lab(memory_bytes=3 * GB, system_bytes=2 * GB) as it:
        runner = await it.load(A)
        assert (runner.size_bytes, runner.vram_bytes) == (4 * GB, 3 * GB)
        it.scheduler.release(runner)
        with pytest.raises(LoadFailed, match="more system memory"):
            await it.ask(FakeModel("huge", size_bytes=6 * GB))


async def test_an_automatic_context_shrinks_before_a_load_is_given_up() -> None:
    hungry = FakeModel("h", load_s=1, size_bytes=GB, kv_bytes_per_token=100_000)
    async with lab(memory_bytes=4 * GB, system_bytes=0, num_ctx=131_072) as it:
        runner = await it.load(hungry)
        assert runner.num_ctx == 4096
        it.scheduler.release(runner)
        with pytest.raises(LoadFailed):
            await it.ask(hungry, num_ctx=131_072)


async def test_other_runner_options_load_the_model_again() -> None:
    async with lab() as it:
        await it.use(A, num_ctx=8192)
        await it.use(A, num_ctx=8192, temperature=1)
        assert it.evictions() == []
        await it.use(A)
        assert it.evictions() == [("a", "reload")]


async def test_a_busy_victim_can_still_be_joined_and_leaves_when_it_is_idle() -> None:
    async with lab(max_loaded=1) as it:
        victim = await it.load(A)
        waiting = it.ask(B)
        await it.clock.advance(1)
        assert victim.keep_alive_s == 0
        await it.ask(A)  # no keep_alive of its own: it changes nothing
        it.scheduler.release(victim)
        it.scheduler.release(victim)
        await it.clock.advance(10)
        assert waiting.done()


async def test_a_join_with_a_keep_alive_revives_the_victim_and_blocks_all_loads() -> None:
    async with lab(max_loaded=1) as it:
        victim = await it.load(A)
        waiting = it.ask(B)
        await it.clock.advance(1)
        await it.ask(A, 60)
        it.scheduler.release(victim)
        it.scheduler.release(victim)
        await it.clock.advance(59)
        assert not waiting.done()
        assert it.scheduler.loading is None
        await it.clock.advance(1 + 10)
        assert waiting.done()


async def test_revived_for_ever_only_an_unload_lets_the_next_load_begin() -> None:
    async with lab(max_loaded=1) as it:
        victim = await it.load(A)
        waiting = it.ask(B)
        await it.clock.advance(1)
        await it.ask(A, math.inf)
        it.scheduler.release(victim)
        it.scheduler.release(victim)
        await it.clock.advance(1e6)
        assert not waiting.done()
        it.scheduler.expire("a")
        await it.clock.advance(10)
        assert waiting.done()


async def test_a_load_that_runs_out_of_memory_evicts_the_others_and_is_tried_again() -> None:
    async with lab() as it:
        await it.use(A)
        it.faults.at("load", "oom", model="b")
        second = it.ask(B)
        await it.clock.advance(19)
        assert it.evictions() == [("a", "memory")]
        assert not second.done()
        await it.clock.advance(1)
        assert second.done()


@pytest.mark.parametrize("kind", ["error", "oom"])
async def test_a_load_can_fail_for_good_and_the_next_one_works(kind: FaultKind) -> None:
    async with lab() as it:
        it.faults.at("load", kind)
        failing = it.ask(A)
        await it.clock.advance(10)
        with pytest.raises(LoadFailed, match="llama runner process has terminated"):
            await failing
        await it.use(A)


async def test_a_stalled_load_ends_with_its_waiter() -> None:
    async with lab() as it:
        it.faults.at("load", "stall")
        stuck = it.ask(A)
        await it.clock.advance(1e6)
        assert not stuck.done()
        stuck.cancel()
        await it.use(A)


async def test_a_load_can_be_late() -> None:
    async with lab() as it:
        it.faults.at("load", "stall", seconds=5)
        late = it.ask(A)
        await it.clock.advance(14.9)
        assert not late.done()
        await it.clock.advance(0.1)
        assert late.done()


async def test_out_of_memory_while_running_empties_the_server() -> None:
    async with lab() as it:
        await it.use(A)
        busy = await it.load(B)
        it.scheduler.expire_all()
        assert list(it.scheduler.loaded) == ["b"]
        it.scheduler.release(busy)
        assert it.scheduler.loaded == {}
