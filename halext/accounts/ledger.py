"""The ledger: what was used, written soon and never waited for."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from halext.accounts.store import UsageStore
from halext.accounts.types import Caller, UsageEntry, UsageTotal
from halext.errors import DatabaseUnavailable
from halext.types import Clock

GATHER_S = 0.2
"""How long entries gather for one transaction: a crash loses the entries of at most this time."""
BATCH_MAX = 500
BUFFER_MAX = 50_000
"""Entries kept while the database is away: about 30 MB, or hours of a busy house."""
RETRY_S = 1.0

_log = logging.getLogger(__name__)


class UsageLedger:
    """Takes entries at once and writes them in batches; `run` must be running."""

    def __init__(
        self, store: UsageStore, clock: Clock, *, gather_s: float = GATHER_S, buffer_max: int = BUFFER_MAX
    ) -> None:
        self._store = store
        self._clock = clock
        self._gather_s = gather_s
        self._buffer_max = buffer_max
        self._waiting: deque[UsageEntry] = deque()
        self._is_something = asyncio.Event()
        self._is_batch = asyncio.Event()
        self._one_writer = asyncio.Lock()
        self._dropped = 0

    def record(self, entry: UsageEntry) -> None:
        """Remember one entry; never waits and never fails. When the buffer is full the oldest one is lost."""
        if len(self._waiting) >= self._buffer_max:
            self._waiting.popleft()
            if self._dropped == 0:
                _log.error("The database has been away for too long: the oldest usage entries are being dropped")
            self._dropped += 1
        self._waiting.append(entry)
        self._is_something.set()
        if len(self._waiting) >= BATCH_MAX:
            self._is_batch.set()

    async def run(self) -> None:
        """Write what was recorded, in batches, until cancelled; call `flush` afterwards."""
        while True:
            await self._is_something.wait()
            try:
                async with asyncio.timeout(self._gather_s):
                    await self._is_batch.wait()
            except TimeoutError:
                pass
            try:
                await self.flush()
            except DatabaseUnavailable:
                await self._clock.sleep(RETRY_S)

    async def flush(self) -> None:
        """Write everything that waits, now. Raises `DatabaseUnavailable`; what could not be written still waits."""
        async with self._one_writer:
            while self._waiting:
                batch = [self._waiting[i] for i in range(min(BATCH_MAX, len(self._waiting)))]
                await self._store.add(batch)
                self._forget(batch)
            self._is_something.clear()
            self._is_batch.clear()
            if self._dropped:
                _log.error("%d usage entries were dropped while the database was away", self._dropped)
                self._dropped = 0

    def _forget(self, batch: list[UsageEntry]) -> None:
        # While the batch was written a full buffer may have dropped some of it, from the same end.
        written = set(map(id, batch))
        while self._waiting and id(self._waiting[0]) in written:
            self._waiting.popleft()

    async def totals(self, caller: Caller, since: float, *, everyone: bool = False) -> list[UsageTotal]:
        """Sums by caller and model since a moment: one's own, or everyone's for who may see the house.

        Counts what is written; the last moment's requests may still be on their way. Raises `Forbidden`.
        """
        return await self._store.totals(caller, since, everyone=everyone)
