"""Jobs: work of halext's own that goes on when whoever ordered it has left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NewType, Protocol

from halext.accounts.types import Caller
from halext.types import Json, UserId, WorkspaceId

JobId = NewType("JobId", int)

INTERACTIVE = 0
"""Somebody waits for it. Lower numbers go first."""
BATCH = 10


class JobState(StrEnum):
    """Where a job stands. The last five are ends: nothing leaves them unless a person asks for it again."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    """Its worker died in the middle, and nobody knows what had been done by then: it can't simply be done again."""
    EXPIRED = "expired"
    """Its time was over before it could begin."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A job that is not in line yet."""

    kind: str
    payload: Mapping[str, Json]
    name: str = ""
    """What its owner calls it, alone or together with others."""
    key: str | None = None
    """The same order with the same key is one job, however often it is sent."""
    priority: int = BATCH
    workspace: WorkspaceId | None = None
    expires_in_s: float | None = None
    """So long it may wait until it begins."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job did not work."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Job:
    """One job. Times are seconds since the epoch, by the database's clock."""

    id: JobId
    kind: str
    owner_id: UserId
    workspace: WorkspaceId | None
    name: str
    key: str | None
    state: JobState
    priority: int
    payload: Mapping[str, Json] = field(repr=False)
    run_at: float
    attempts: int
    """How often a worker took it. With the worker's name it lets that worker, and no other, end it."""
    max_attempts: int
    result: Json = field(repr=False)
    failure: Failure | None
    """Of the last attempt, also while it waits for the next one."""
    progress: float
    """From 0 to 1."""
    note: str
    """What it does now, in a few words."""
    is_cancelling: bool
    created_at: float
    started_at: float | None
    finished_at: float | None


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that this worker has, as long as it renews its lease."""

    job: Job
    worker: str


class Commit(Protocol):
    """Writes what belongs to a result. It runs in the transaction that ends the job: both are kept, or neither is."""

    async def __call__(self, session: Any, /) -> None:
        """Write by this `AsyncSession` (which files of nouns don't know); only stores do. Must not wait for others."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a handler hands back."""

    value: Json = None
    commit: Commit | None = None


class Progress(Protocol):
    """Tells how far the work is; costs nothing, and is written down now and then."""

    def __call__(self, part: float, note: str = "", /) -> None:
        """`part` from 0 to 1."""


class Handler(Protocol):
    """Does the work of one kind of job."""

    async def __call__(self, job: Job, caller: Caller, progress: Progress, /) -> Result:
        """Do it in the name of its owner, and touch the database only by the `commit` of the result.

        It is cancelled when the job was cancelled or lost, or when halext stops; it may then be called again for the
        same job, by another worker too, unless its kind is not repeatable. A `HalextError` says what to do next: one
        that is retryable has it tried again later, any other one ends the job.
        """


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of job, as wiring hands it to the workers."""

    handler: Handler
    is_repeatable: bool = True
    """Whether it may be done again when nobody knows how far it had come."""
