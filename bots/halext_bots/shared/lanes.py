"""Order: what is said in one chat is taken one after the other, and chats don't wait for each other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress

Spawn = Callable[[Coroutine[object, object, None], str], None]


class Lanes:
    """Runs work in lanes. A lane exists while something runs or waits in it."""

    def __init__(self, spawn: Spawn) -> None:
        """`spawn` runs work that outlives its caller."""
        self._spawn = spawn
        self._last: dict[str, asyncio.Event] = {}
        self._waiting: dict[str, int] = {}

    def __len__(self) -> int:
        """How much runs or waits in all lanes together."""
        return sum(self._waiting.values())

    @property
    def ends(self) -> list[asyncio.Event]:
        """Those that are set when what runs or waits now has ended."""
        return list(self._last.values())

    def waiting(self, lane: str) -> int:
        """How much runs or waits in this lane."""
        return self._waiting.get(lane, 0)

    def add(self, lane: str, work: Callable[[], Awaitable[None]]) -> asyncio.Event:
        """Run `work` when everything before it in the lane has ended; the event is set when it has ended itself."""
        before, done = self._last.get(lane), asyncio.Event()
        self._last[lane] = done
        self._waiting[lane] = self._waiting.get(lane, 0) + 1
        self._spawn(self._turn(lane, work, before, done), f"said in {lane}")
        return done

    async def _turn(
        self, lane: str, work: Callable[[], Awaitable[None]], before: asyncio.Event | None, done: asyncio.Event
    ) -> None:
        try:
            if before is not None:
                await before.wait()
            await work()
        finally:
            done.set()
            self._waiting[lane] -= 1
            if self._last.get(lane) is done:
                del self._last[lane], self._waiting[lane]


async def settled(events: list[asyncio.Event], patience_s: float) -> None:
    """Wait until all of this has ended, or until patience has."""
    with suppress(TimeoutError):
        async with asyncio.timeout(patience_s):
            for event in events:
                await event.wait()
