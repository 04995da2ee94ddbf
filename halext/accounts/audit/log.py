"""The audit log: what matters is on record before anyone is answered, the rest a moment later."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from halext.accounts.audit import policy
from halext.accounts.audit.repeats import Repeats
from halext.accounts.audit.store import AuditStore
from halext.accounts.audit.types import HOUSE, Detail, Entry, Outcome, Query
from halext.accounts.types import Caller
from halext.errors import DatabaseUnavailable
from halext.types import Clock

GATHER_S = 0.2
"""How long entries that nobody waits for gather for one transaction: a crash loses those of at most this time."""
BATCH_MAX = 500
BUFFER_MAX = 10_000
"""Entries kept while the database is away."""
RETRY_S = 1.0
DAY_S = 86_400.0

_log = logging.getLogger(__name__)


class AuditLog:
    """Fulfils `Audit`; `run` must be running for what nobody waits for.

    An entry is written at least once: a connection that breaks in the moment of writing may double it.
    """

    def __init__(
        self, store: AuditStore, clock: Clock, *, scrub: policy.Scrub = str, request_id: Callable[[], str] = str
    ) -> None:
        """`request_id` tells which request is being answered now; `scrub` hides what looks like a secret."""
        self._store = store
        self._clock = clock
        self._scrub = scrub
        self._request_id = request_id
        self._repeats = Repeats()
        self._waiting: deque[Entry] = deque()
        self._is_something = asyncio.Event()
        self._one_writer = asyncio.Lock()
        self._lost = 0

    def record(self, action: str, by: Caller, subject: str = "", outcome: Outcome = "ok", /, **details: Detail) -> None:
        """Remember it; never waits and never fails. The same within a minute becomes one more entry with a count."""
        entry = self._entry(action, by, subject, outcome, details)
        if self._repeats.is_first(entry):
            self._put(entry)
        self._is_something.set()

    async def write(
        self, action: str, by: Caller, subject: str = "", outcome: Outcome = "ok", /, **details: Detail
    ) -> None:
        """Put it on record; it is there when this returns. Raises `DatabaseUnavailable`; then it is written later."""
        self._put(self._entry(action, by, subject, outcome, details))
        self._is_something.set()
        await self.flush()

    async def run(self) -> None:
        """Write what was recorded, in batches, until cancelled; call `close` afterwards."""
        while True:
            await self._is_something.wait()
            await asyncio.sleep(GATHER_S)
            try:
                await self.flush()
            except DatabaseUnavailable:
                await self._clock.sleep(RETRY_S)

    async def tick(self) -> None:
        """Put on record how often things came again; to be called every now and then."""
        self._count(everything=False)
        await self.flush()

    async def close(self) -> None:
        """Write everything there is, counts too. Raises `DatabaseUnavailable`."""
        self._count(everything=True)
        await self.flush()

    async def flush(self) -> None:
        """Write everything that waits, now. Raises `DatabaseUnavailable`; what could not be written still waits."""
        async with self._one_writer:
            while self._waiting:
                batch = [self._waiting[i] for i in range(min(BATCH_MAX, len(self._waiting)))]
                await self._store.add(batch)
                for _ in batch:
                    self._waiting.popleft()
                if self._lost and not self._waiting:
                    self._waiting.append(self._entry("audit.lost", HOUSE, "", "failed", {"entries": self._lost}))
                    self._lost = 0
            self._is_something.clear()

    async def page(self, caller: Caller, query: Query) -> list[Entry]:
        """Entries, the newest first. Raises `Forbidden` and `InvalidInput`."""
        policy.check_limit(query.limit)
        await self.flush()
        return await self._store.page(caller, query)

    async def clear(self, days: int) -> None:
        """Forget what is older than so many days, and put on record that this was done."""
        gone = await self._store.clear(self._clock.now() - days * DAY_S)
        if gone:
            await self.write("audit.clear", HOUSE, "", "ok", entries=gone, days=days)

    def _count(self, *, everything: bool) -> None:
        for entry in self._repeats.due(self._clock.now(), everything=everything):
            self._put(entry)

    def _put(self, entry: Entry) -> None:
        if len(self._waiting) < BUFFER_MAX:
            self._waiting.append(entry)
            return
        if self._lost == 0:
            _log.error("The database has been away for too long: entries of the audit log are being lost")
        self._lost += 1

    def _entry(self, action: str, by: Caller, subject: str, outcome: Outcome, details: dict[str, Detail]) -> Entry:
        return Entry(
            at=self._clock.now(),
            user_id=by.user_id,
            name=policy.plain(by.name, 64),
            credential=by.credential,
            action=action,
            subject=policy.plain(self._scrub(subject), policy.SUBJECT_MAX),
            outcome=outcome,
            address=policy.plain(by.address, 64),
            request_id=self._request_id(),
            details=policy.bounded(details, self._scrub),
        )
