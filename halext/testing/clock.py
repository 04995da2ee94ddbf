"""Clocks for tests: one that only moves when told to, and one that runs faster than life."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time

EPOCH = 1_790_000_000.0
"""Where `ManualClock.now` starts: a fixed moment in September 2026, so that dates in tests never drift."""

SETTLE_TURNS = 12
"""Turns of the loop that a woken sleeper gets before time moves on: enough to finish its step and sleep again."""


class ManualClock:
    """Time that stands still until `advance` is awaited."""

    def __init__(self, start: float = EPOCH) -> None:
        self._start = start
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._start + self._elapsed

    def monotonic(self) -> float:
        """Seconds that passed on this clock."""
        return self._elapsed

    @property
    def sleepers(self) -> int:
        """How many tasks wait for time to pass."""
        return sum(not future.done() for _, _, future in self._sleepers)

    async def sleep(self, seconds: float) -> None:
        """Wait until `advance` has moved this clock by so much."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._order), future))
        await future

    async def advance(self, seconds: float) -> None:
        """Let time pass: every sleeper wakes at its own moment, earliest first, also those who sleep again."""
        end = self._elapsed + seconds
        await self._settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            due, _, future = heapq.heappop(self._sleepers)
            self._elapsed = due
            if not future.done():
                future.set_result(None)
                await self._settle()
        self._elapsed = end

    async def _settle(self) -> None:
        for _ in range(SETTLE_TURNS):
            await asyncio.sleep(0)


class ScaledClock:
    """Real time, `scale` times as fast: at 100, a load of 30 s takes 0.3 s."""

    def __init__(self, scale: float = 100.0) -> None:
        if scale <= 0:
            raise ValueError("scale must be above zero")
        self.scale = scale
        self._began = time.monotonic()
        self._start = time.time()

    def now(self) -> float:
        """Seconds since the epoch, had time run this fast since the clock was made."""
        return self._start + self.monotonic()

    def monotonic(self) -> float:
        """Scaled seconds since the clock was made."""
        return (time.monotonic() - self._began) * self.scale

    async def sleep(self, seconds: float) -> None:
        """Let that much scaled time pass."""
        await asyncio.sleep(seconds / self.scale)
