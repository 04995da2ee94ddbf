"""The jobs that are remembered: those under way, and for a while those that have ended, with their pictures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace

from halext.accounts.quotas.types import Reservation
from halext.accounts.types import Caller
from halext.errors import NotFound
from halext.gateway.types import Record
from halext.images.types import Job
from halext.nodes.policy import lookup_name
from halext.types import Clock, EndpointId, ModelName, NodeName, RequestId
from halext.upstream import Endpoint, Painter

KEPT_S = 600.0
"""How long the pictures of a job can be fetched after its end."""
KEPT_BYTES = 32 * 1024 * 1024
"""What the pictures of ended jobs may take of our memory, all together; the oldest go first. The newest job is kept in
any case: it may be as large as this alone."""
KEPT_JOBS = 500
"""Ended jobs, with pictures or without."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where a job is made."""

    endpoint: Endpoint
    model: ModelName
    painter: Painter


@dataclass(eq=False, slots=True)
class Entry:
    """The mutable side of a job."""

    job: Job
    record: Record
    began: float
    """By the monotonic clock, as `ended`."""
    only: NodeName | None = None
    """The node that its caller insists on."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    site: Site | None = None
    """Where it is; None while it stands in our own line."""
    started: bool = False
    """Its server has begun with it."""
    stopping: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while its server is asked to stop it."""
    is_cancelled: bool = False
    is_insisted_on: bool = False
    """Somebody asks its server again and again to stop it."""
    tried: dict[EndpointId, str] = field(default_factory=dict)
    ended: float | None = None
    reservation: Reservation | None = None
    """What the job holds of its caller's quotas."""
    busy_s: float = 0.0
    """For how long nodes have worked on it."""

    @property
    def wants(self) -> tuple[str, NodeName | None]:
        """Its model and its node, either of which may be open."""
        return lookup_name(self.job.wish.model), self.only

    @property
    def lane(self) -> str:
        """Those who want the same wait behind each other."""
        return f"{lookup_name(self.job.wish.model)}@{self.only or ''}"

    @property
    def size(self) -> int:
        """Bytes of its pictures."""
        return sum(len(picture.png) for picture in self.job.pictures)

    def change(self, **values: object) -> None:
        """Tell everyone who follows the job; what is as it was is no news."""
        fresh = replace(self.job, **values)  # type: ignore[arg-type]  # fields of Job, by their names
        if fresh == self.job:
            return
        self.job = replace(fresh, revision=self.job.revision + 1)
        self.changed.set()
        self.changed = asyncio.Event()

    async def newer(self, seen: int) -> Job:
        """The job as soon as its revision is above `seen`, or it has ended."""
        while self.job.revision <= seen and not self.job.state.is_end:
            await self.changed.wait()
        return self.job

    async def follow(self) -> AsyncGenerator[Job, None]:
        """The job as it is now, then whenever it has changed, up to its end. Whoever is slow sees fewer steps."""
        seen = -1
        while True:
            found = await self.newer(seen)
            yield found
            if found.state.is_end:
                return
            seen = found.revision


class Shelf:
    """Jobs by their ids, each for its own caller; bounded in number, bytes and time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: dict[RequestId, Entry] = {}

    def add(self, entry: Entry) -> None:
        """Remember one that is under way."""
        self.sweep()
        self._entries[entry.job.id] = entry

    def find(self, caller: Caller, job: RequestId) -> Entry:
        """The caller's job. Raises `NotFound` also for what belongs to others."""
        self.sweep()
        entry = self._entries.get(job)
        if entry is None or (entry.job.caller.user_id, entry.job.caller.name) != (caller.user_id, caller.name):
            raise NotFound("There is no such job for pictures; they are kept for ten minutes after their end.")
        return entry

    def in_line(self) -> list[Entry]:
        """Those that stand in our own line, in the order in which they came."""
        return [entry for entry in self._entries.values() if entry.site is None and not entry.job.state.is_end]

    def ended(self, entry: Entry) -> None:
        """This one has ended just now."""
        entry.ended = self._clock.monotonic()
        self.sweep()

    def sweep(self) -> None:
        """Forget ended jobs that are old, and the oldest ones when all of them take too much room."""
        ended = [entry for entry in self._entries.values() if entry.ended is not None]
        ended.sort(key=lambda entry: entry.ended or 0.0, reverse=True)
        oldest, size = self._clock.monotonic() - KEPT_S, 0
        for at, entry in enumerate(ended):
            size += entry.size
            is_old, is_too_much = (entry.ended or 0.0) <= oldest, size > KEPT_BYTES and entry.size > 0
            if is_old or at >= KEPT_JOBS or (at > 0 and is_too_much):
                del self._entries[entry.job.id]
