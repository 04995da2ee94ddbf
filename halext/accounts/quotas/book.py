"""The limits that are set, read once and kept: whoever has none costs no query."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from halext.accounts.quotas.store import LimitStore
from halext.accounts.quotas.types import Limits, Subject
from halext.errors import DatabaseUnavailable
from halext.storage.scope import Scope
from halext.types import Clock

CACHE_S = 1.0
"""So long another process may go on with limits that were changed here; in this process they change at once."""


class LimitBook:
    """What is set, for whom. On SQLite, which has one process, it is read again only when it was changed."""

    def __init__(self, scope: Scope, clock: Clock) -> None:
        self._store = LimitStore(scope)
        self._clock = clock
        self._is_shared = scope.dialect == "postgresql"
        self._known: Mapping[Subject, Limits] | None = None
        self._until = 0.0
        """On the monotonic clock."""
        self._reading = asyncio.Lock()

    async def read(self) -> Mapping[Subject, Limits]:
        """What is set. While the database is away, what was last known. Raises `DatabaseUnavailable` before that."""
        known = self._fresh()
        if known is None:
            async with self._reading:  # one reads for all who wait
                known = self._fresh()
                if known is None:
                    known = await self._read()
        return known

    async def set(self, subject: Subject, limits: Limits) -> None:
        """Set these limits of a subject."""
        async with self._reading:  # a look that began before the change must not outlive it
            await self._store.set(subject, limits)
            self._known = None

    async def clear(self, subject: Subject) -> None:
        """Forget what was set for a subject."""
        async with self._reading:
            await self._store.clear(subject)
            self._known = None

    def _fresh(self) -> Mapping[Subject, Limits] | None:
        return None if self._is_shared and self._until <= self._clock.monotonic() else self._known

    async def _read(self) -> Mapping[Subject, Limits]:
        until = self._clock.monotonic() + CACHE_S
        try:
            known: Mapping[Subject, Limits] = await self._store.all()
        except DatabaseUnavailable:
            if self._known is None:
                raise
            known = self._known
        self._known, self._until = known, until
        return known
