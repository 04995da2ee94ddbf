"""Keeps what comes in, some at a time: a commit for every single answer would take longer than many answers do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from halext.client.book import Book, Placed

BATCH = 20
FLUSH_S = 0.2
"""What a crash may cost: so many answers, or those of so long, whichever is less. Progress is shown as often."""
MOST = 1_000
"""So many may wait for a slow disk; more make their workers wait."""


class Writer:
    """Collects answers and keeps them in batches; all that blocks is done in threads."""

    def __init__(self, book: Book, show: Callable[[], None]) -> None:
        self._book = book
        self._show = show
        self._placed: list[Placed] = []
        self._is_due = asyncio.Event()
        self._writing = asyncio.Lock()

    async def put(self, placed: Placed) -> None:
        """Keep this soon."""
        self._placed.append(placed)
        if len(self._placed) >= BATCH:
            self._is_due.set()
        if len(self._placed) >= MOST:
            await self.flush()

    async def run(self) -> None:
        """Keep what has come and show how far it is, until cancelled; `flush` once more after that."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_S):
                    await self._is_due.wait()
            await self.flush()
            await asyncio.to_thread(self._show)

    async def flush(self) -> None:
        """Keep all that has come. Cut off in the middle, nothing is lost: the next one keeps the same once more."""
        async with self._writing:
            self._is_due.clear()
            if placed := list(self._placed):
                await asyncio.to_thread(self._book.save, placed)
                del self._placed[: len(placed)]
