"""How Ollama decides what is in memory: warm requests join at once, all cold ones share a single loop."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field

from halext.testing.faults import Fault
from halext.testing.models import FakeModel
from halext.testing.ollama_fields import TEXTS
from halext.testing.runner import Runner, RunnerOptions
from halext.testing.stream import OUT_OF_MEMORY
from halext.testing.timeline import Entry, EntryKind, Timeline
from halext.types import Clock

WARM_LOAD_S = 0.005
"""What `load_duration` says on a warm model: small, never zero."""
FURTHER_MODEL_SHARE = 0.8
"""A further model is loaded only into this share of the free GPU memory."""
LOWER_CTX = (32_768, 4096)
"""Where an automatic context goes when a load runs out of memory."""


class Busy(Exception):
    """The cold queue is full."""


class LoadFailed(Exception):
    """The model could not be loaded; the message is what Ollama says."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What the fake Ollama runs on, and its settings. Sizes in bytes, times in seconds."""

    memory_bytes: int = 16 * 2**30
    system_bytes: int = 32 * 2**30
    slots: int = 1
    max_queue: int = 512
    max_loaded: int = 3
    keep_alive_s: float = 300.0
    num_ctx: int = 4096
    vram_wait_s: float = 0.5


@dataclass(eq=False, slots=True)
class _Waiter:
    model: FakeModel
    options: RunnerOptions
    keep_alive_s: float | None
    request: int
    runner: asyncio.Future[Runner]
    left: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def has_left(self) -> bool:
        """True from the moment of the cancellation; `left` is set a turn of the loop later."""
        return self.runner.cancelled()


class Scheduler:
    """The runners in memory and the cold loop.

    `run` must be running; `spawn` starts its timers and returns what stops them; `load_fault` is asked at every load
    what goes wrong with it.
    """

    def __init__(
        self,
        machine: Machine,
        clock: Clock,
        timeline: Timeline,
        spawn: Callable[[Coroutine[None, None, None]], Callable[[], object]],
        load_fault: Callable[[str], Fault | None] = lambda _name: None,
    ) -> None:
        self.machine = machine
        self.loaded: dict[str, Runner] = {}
        self.loading: Runner | None = None
        self._leaving: list[Runner] = []
        self._clock = clock
        self._timeline = timeline
        self._spawn = spawn
        self._load_fault = load_fault
        self._cold: asyncio.Queue[_Waiter] = asyncio.Queue(machine.max_queue)
        self._unloaded = asyncio.Event()

    @property
    def cold_waiting(self) -> int:
        """How many places of the cold queue are taken."""
        return self._cold.qsize()

    def is_warm(self, model: FakeModel, options: RunnerOptions) -> bool:
        """Whether such a request would join a runner at once."""
        runner = self.loaded.get(model.name)
        return runner is not None and runner.fits(options)

    async def acquire(
        self,
        model: FakeModel,
        options: RunnerOptions,
        *,
        keep_alive_s: float | None = None,
        request: int = 0,
    ) -> tuple[Runner, float]:
        """A runner for the request, and the seconds that took; give it back by `release`.

        Raises Busy when the cold queue is full, and LoadFailed.
        """
        runner = self.loaded.get(model.name)
        if runner is not None and runner.fits(options):
            self._join(runner, keep_alive_s)
            return runner, WARM_LOAD_S
        began = self._clock.monotonic()
        runner = await self._wait_cold(model, options, keep_alive_s, request)
        return runner, WARM_LOAD_S + self._clock.monotonic() - began

    def release(self, runner: Runner) -> None:
        """A request is through with its runner; the last one starts the keep-alive timer."""
        runner.refs -= 1
        if runner.refs == 0 and self.loaded.get(runner.model.name) is runner:
            self._went_idle(runner)

    def expire(self, name: str) -> None:
        """Unload by name, as soon as the model is idle; nothing to do when it is not loaded."""
        runner = self.loaded.get(name)
        if runner is not None:
            self._expire(runner, "unload")

    def expire_all(self) -> None:
        """Out of memory while running: every model goes."""
        for runner in list(self.loaded.values()):
            self._expire(runner, "memory")

    async def run(self) -> None:
        """The cold loop, for ever: one request at a time, and its load blocks all others."""
        while True:
            waiter = await self._cold.get()
            if waiter.has_left:
                continue
            try:
                runner = await self._make_room_and_load(waiter)
            except LoadFailed as failure:
                self._note("load_abort", waiter, str(failure))
                if not waiter.has_left:
                    waiter.runner.set_exception(failure)
                continue
            if runner is not None:
                self._hand_over(runner, waiter)

    async def _wait_cold(
        self,
        model: FakeModel,
        options: RunnerOptions,
        keep_alive_s: float | None,
        request: int,
    ) -> Runner:
        future: asyncio.Future[Runner] = asyncio.get_running_loop().create_future()
        waiter = _Waiter(model, options, keep_alive_s, request, future)
        try:
            self._cold.put_nowait(waiter)
        except asyncio.QueueFull:
            raise Busy from None
        self._note("wait", waiter, "cold")
        try:
            return await future
        except asyncio.CancelledError:
            waiter.left.set()
            if future.done() and not future.cancelled() and future.exception() is None:
                self.release(future.result())
            raise

    def _hand_over(self, runner: Runner, waiter: _Waiter) -> None:
        if not waiter.has_left:
            self._join(runner, waiter.keep_alive_s)
            waiter.runner.set_result(runner)

    def _join(self, runner: Runner, keep_alive_s: float | None) -> None:
        runner.refs += 1
        if keep_alive_s is not None:
            runner.keep_alive_s = keep_alive_s  # this also revives a runner that was to leave
        if runner.stop_expiry is not None:
            runner.stop_expiry()
            runner.stop_expiry = None

    def _went_idle(self, runner: Runner) -> None:
        if runner.keep_alive_s <= 0:
            self._unload(runner, "expired")
            return
        runner.expires_at = self._clock.now() + runner.keep_alive_s
        if math.isfinite(runner.keep_alive_s):
            runner.stop_expiry = self._spawn(self._expire_later(runner))

    async def _expire_later(self, runner: Runner) -> None:
        await self._clock.sleep(runner.keep_alive_s)
        runner.stop_expiry = None
        self._unload(runner, "expired")

    def _expire(self, runner: Runner, reason: str) -> None:
        runner.keep_alive_s = 0.0
        if runner.refs == 0:
            self._unload(runner, reason)

    def _unload(self, runner: Runner, reason: str) -> None:
        if runner.stop_expiry is not None:
            runner.stop_expiry()
            runner.stop_expiry = None
        del self.loaded[runner.model.name]
        self._leaving.append(runner)
        self._timeline.add(Entry("evict", self._clock.monotonic(), runner.model.name, detail=reason))
        self._spawn(self._give_back_memory(runner))

    async def _give_back_memory(self, runner: Runner) -> None:
        if self.machine.vram_wait_s:
            await self._clock.sleep(self.machine.vram_wait_s)
        self._leaving.remove(runner)
        self._unloaded.set()

    async def _make_room_and_load(self, waiter: _Waiter) -> Runner | None:
        """The loaded runner; None when the one who wanted it left during the load."""
        while True:
            self._unloaded.clear()
            present = self.loaded.get(waiter.model.name)
            if present is not None and present.fits(waiter.options):
                return present
            fresh = self._fresh(waiter)
            if present is not None:
                self._expire(present, "reload")
            elif self._has_room(fresh):
                return await self._load(fresh, waiter)
            elif self.loaded:
                self._expire(min(self.loaded.values(), key=Runner.eviction_order), "room")
            await self._unloaded.wait()

    def _fresh(self, waiter: _Waiter) -> Runner:
        machine = self.machine
        keep = machine.keep_alive_s if waiter.keep_alive_s is None else waiter.keep_alive_s
        return Runner(waiter.model, waiter.options, server_ctx=machine.num_ctx, slots=machine.slots, keep_alive_s=keep)

    def _has_room(self, fresh: Runner) -> bool:
        if not self.loaded and not self._leaving:
            return True
        if len(self.loaded) >= self.machine.max_loaded:
            return False
        used = sum(runner.vram_bytes for runner in [*self.loaded.values(), *self._leaving])
        return fresh.size_bytes <= FURTHER_MODEL_SHARE * (self.machine.memory_bytes - used)

    async def _load(self, fresh: Runner, waiter: _Waiter) -> Runner | None:
        self.loading = fresh
        self._note("load_start", waiter, f"num_ctx={fresh.num_ctx}")
        try:
            await self._survive_fault(fresh, waiter)
            self._place(fresh)
            arrived = await self._unless_left(waiter, fresh.model.load_s)
        finally:
            self.loading = None
        if not arrived:
            self._note("load_abort", waiter, "the client left")
            return None
        self.loaded[fresh.model.name] = fresh
        self._note("load_end", waiter)
        return fresh

    def _place(self, fresh: Runner) -> None:
        """Decide how much of it goes to the GPU; an automatic context shrinks before the load is given up."""
        machine = self.machine
        for lower in LOWER_CTX:
            if fresh.size_bytes > machine.memory_bytes and fresh.options.num_ctx is None:
                fresh.num_ctx = min(fresh.num_ctx, lower)
        if fresh.size_bytes > machine.memory_bytes + machine.system_bytes:
            wanted, there = fresh.size_bytes / 2**30, (machine.memory_bytes + machine.system_bytes) / 2**30
            raise LoadFailed(
                f"model requires more system memory ({wanted:.1f} GiB) than is available ({there:.1f} GiB)"
            )
        used = sum(runner.vram_bytes for runner in self.loaded.values())
        fresh.vram_bytes = min(fresh.size_bytes, machine.memory_bytes - used)

    async def _survive_fault(self, fresh: Runner, waiter: _Waiter) -> None:
        fault = self._load_fault(waiter.model.name)
        if fault is None:
            return
        if fault.kind == "error":
            raise LoadFailed(fault.text or TEXTS[500])
        if fault.kind == "stall":
            await self._unless_left(waiter, math.inf if fault.seconds is None else fault.seconds)
            return
        await self._unless_left(waiter, fresh.model.load_s)  # the load that runs out of memory takes its time too
        if not self.loaded:
            raise LoadFailed(OUT_OF_MEMORY)
        while self.loaded and not waiter.has_left:
            self._unloaded.clear()
            self.expire_all()
            await self._unloaded.wait()

    async def _unless_left(self, waiter: _Waiter, seconds: float) -> bool:
        """Let time pass; False as soon as the waiter has left."""
        if math.isinf(seconds):
            await waiter.left.wait()
            return False
        passing = asyncio.ensure_future(self._clock.sleep(seconds))
        leaving = asyncio.ensure_future(waiter.left.wait())
        try:
            await asyncio.wait({passing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            passing.cancel()
            leaving.cancel()
            await asyncio.gather(passing, leaving, return_exceptions=True)
        return not waiter.has_left

    def _note(self, kind: EntryKind, waiter: _Waiter, detail: str = "") -> None:
        self._timeline.add(Entry(kind, self._clock.monotonic(), waiter.model.name, waiter.request, detail))
