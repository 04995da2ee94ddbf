"""The table of jobs: opened for their owner, and for workers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    ColumnElement,
    CursorResult,
    Double,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    Update,
    case,
    cast,
    delete,
    func,
    null,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from halext.errors import Conflict, NotFound
from halext.jobs import policy
from halext.jobs.types import Claim, Draft, Failure, Job, JobId, JobState, Result
from halext.storage.base import Base
from halext.storage.scope import Scope
from halext.types import Json, UserId, WorkspaceId

WORKER_MAX = 64
_CHUNK = 200
"""Rows in one statement: making it keeps the loop from others for some milliseconds."""
QUEUED, RUNNING = str(JobState.QUEUED), str(JobState.RUNNING)


class JobRow(Base):
    """A job."""

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint(
            "state IN ('queued', 'running', 'done', 'failed', 'cancelled', 'interrupted', 'expired')", name="state"
        ),
        UniqueConstraint("owner_id", "kind", "key"),
        Index(None, "state", "priority", "id"),  # in the order in which they are taken
        Index(None, "owner_id", "id"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    workspace_id: Mapped[int | None] = mapped_column(Integer)  # no reference: it may be gone before the job is
    name: Mapped[str] = mapped_column(String(policy.NAME_MAX))
    key: Mapped[str | None] = mapped_column(String(policy.KEY_MAX))
    state: Mapped[str] = mapped_column(String(16))
    priority: Mapped[int] = mapped_column(Integer)
    payload: Mapped[dict[str, Json]] = mapped_column(JSON)
    size: Mapped[int] = mapped_column(Integer)  # bytes of the payload, and of the result once there is one
    run_at: Mapped[float] = mapped_column(Double)
    expires_at: Mapped[float | None] = mapped_column(Double)
    is_repeatable: Mapped[bool] = mapped_column(Boolean)
    worker: Mapped[str | None] = mapped_column(String(WORKER_MAX))
    lease_until: Mapped[float | None] = mapped_column(Double)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    """Never goes back: with `worker` it is the number by which a late worker is known."""
    max_attempts: Mapped[int] = mapped_column(Integer)
    result: Mapped[Any] = mapped_column(JSON(none_as_null=True), nullable=True)
    error_code: Mapped[str | None] = mapped_column(String(32))
    error: Mapped[str | None] = mapped_column(Text)
    progress: Mapped[float] = mapped_column(Double, default=0.0)
    note: Mapped[str] = mapped_column(String(policy.NOTE_MAX), default="")
    cancel_requested: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[float] = mapped_column(Double)
    started_at: Mapped[float | None] = mapped_column(Double)
    finished_at: Mapped[float | None] = mapped_column(Double)


def database_now(scope: Scope) -> ColumnElement[float]:
    """Seconds since the epoch by the database's clock: one clock for all workers, and not frozen in a transaction."""
    if scope.dialect == "postgresql":
        return cast(func.extract("epoch", func.clock_timestamp()), Double)
    return (func.julianday("now", type_=Double) - 2440587.5) * 86400.0  # `unixepoch('subsec')` needs SQLite 3.42


class JobStore:
    """One person's jobs. Those of others are not there: not in lists, and by their id a `NotFound` like any other."""

    def __init__(self, scope: Scope, owner: UserId) -> None:
        self._scope = scope
        self._owner = owner
        self._now = database_now(scope)

    async def add(self, drafts: Sequence[tuple[Draft, int]], *, is_repeatable: bool) -> list[JobId]:
        """Put these in line, each with the bytes of its payload, all or none; those that are new.

        Raises `TooManyRequests`, and `Conflict` where a key stands for another order already.
        """
        insert = (postgresql if self._scope.dialect == "postgresql" else sqlite).insert
        async with self._scope.write() as session:
            now = (await session.execute(select(self._now))).scalar_one()
            policy.check_room(*await self._waiting(session), len(drafts), sum(size for _, size in drafts))
            added, new = insert(JobRow).on_conflict_do_nothing().returning(JobRow.id), list[JobId]()
            for start in range(0, len(drafts), _CHUNK):
                part = drafts[start : start + _CHUNK]
                rows = [self._row(draft, size, now, is_repeatable=is_repeatable) for draft, size in part]
                new += [JobId(number) for number in await session.scalars(added, rows)]
            if len(new) < len(drafts):
                await self._compare(session, [draft for draft, _ in drafts if draft.key is not None])
            return new

    def _row(self, draft: Draft, size: int, now: float, *, is_repeatable: bool) -> dict[str, object]:
        return {
            "kind": draft.kind,
            "owner_id": self._owner,
            "workspace_id": draft.workspace,
            "name": draft.name,
            "key": draft.key,
            "state": QUEUED,
            "priority": draft.priority,
            "payload": draft.payload,
            "size": size,
            "run_at": now,
            "expires_at": None if draft.expires_in_s is None else now + draft.expires_in_s,
            "is_repeatable": is_repeatable,
            "max_attempts": policy.MAX_ATTEMPTS,
            "created_at": now,
        }

    async def _waiting(self, session: AsyncSession) -> tuple[int, int]:
        """How many are in line, and the bytes of their payloads."""
        mine = (JobRow.owner_id == self._owner, JobRow.state == QUEUED)
        count, size = (await session.execute(select(func.count(), func.sum(JobRow.size)).where(*mine))).one()
        return count, int(size or 0)

    async def _compare(self, session: AsyncSession, drafts: Sequence[Draft]) -> None:
        for start in range(0, len(drafts), _CHUNK):
            part = {draft.key: draft for draft in drafts[start : start + _CHUNK]}
            mine = (JobRow.owner_id == self._owner, JobRow.key.in_(part))
            for kind, key, payload in await session.execute(
                select(JobRow.kind, JobRow.key, JobRow.payload).where(*mine)
            ):
                if part[key].kind == kind and part[key].payload != payload:
                    raise Conflict(f"There is another job with the key {key!r} already; choose another name or key.")

    async def by_key(self, kind: str, key: str) -> Job:
        """The job with this key. Raises `NotFound`."""
        return await self._one(JobRow.kind == kind, JobRow.key == key)

    async def one(self, job: JobId) -> Job:
        """One job. Raises `NotFound`."""
        return await self._one(JobRow.id == job)

    async def _one(self, *which: ColumnElement[bool]) -> Job:
        async with self._scope.read() as session:
            row = await session.scalar(select(JobRow).where(JobRow.owner_id == self._owner, *which))
            if row is None:
                raise NotFound("There is no such job; `halext job list` shows yours.")
            return _job(row)

    async def page(self, states: Collection[JobState], name: str | None, after: JobId | None, limit: int) -> list[Job]:
        """Jobs in these states (none: all) and of this name, the newest first, from behind `after` on.

        They are fewer than `limit` where they are large; an empty page is the end.
        """
        found = select(JobRow.id, JobRow.size).where(JobRow.owner_id == self._owner)
        if states:
            found = found.where(JobRow.state.in_([str(state) for state in states]))
        if name is not None:
            found = found.where(JobRow.name == name)
        if after is not None:
            found = found.where(JobRow.id < after)
        async with self._scope.read() as session:
            sizes = (await session.execute(found.order_by(JobRow.id.desc()).limit(limit))).all()
            ids = policy.fitting([(JobId(number), size) for number, size in sizes])
            rows = await session.scalars(select(JobRow).where(JobRow.id.in_(ids)).order_by(JobRow.id.desc()))
            return [_job(row) for row in rows]

    async def cancel(self, job: JobId | None = None, name: str | None = None) -> list[JobId]:
        """End what waits, and ask workers to end what runs: one job or all of a name; which ones that were."""
        which = JobRow.name == name if job is None else JobRow.id == job
        waits = JobRow.state == QUEUED
        values = {
            "cancel_requested": True,
            "state": case((waits, str(JobState.CANCELLED)), else_=JobRow.state),
            "finished_at": case((waits, self._now), else_=null()),
        }
        asked = update(JobRow).where(JobRow.owner_id == self._owner, which, JobRow.state.in_([QUEUED, RUNNING]))
        async with self._scope.write() as session:
            return [JobId(found) for found in await session.scalars(asked.values(values).returning(JobRow.id))]

    async def again(self, job: JobId) -> Job:
        """Put a job that did not work in line once more. Raises `NotFound` and `Conflict`."""
        values = {
            "state": QUEUED,
            "run_at": self._now,
            "expires_at": None,
            "max_attempts": JobRow.attempts + policy.MAX_ATTEMPTS,
            "cancel_requested": False,
            "finished_at": None,
            "error_code": None,
            "error": None,
        }
        mine = (JobRow.owner_id == self._owner, JobRow.id == job)
        reset = update(JobRow).where(*mine, JobRow.state.in_([str(state) for state in policy.AGAIN]))
        async with self._scope.write() as session:
            row = await session.scalar(reset.values(values).returning(JobRow))
            if row is not None:
                return _job(row)
        known = await self.one(job)
        policy.check_again(known)
        return known

    async def remove(self, job: JobId) -> None:
        """Delete a job that does not run. Raises `NotFound` and `Conflict`."""
        mine = (JobRow.owner_id == self._owner, JobRow.id == job)
        async with self._scope.write() as session:
            gone = await session.scalar(delete(JobRow).where(*mine, JobRow.state != RUNNING).returning(JobRow.id))
        if gone is None:
            await self.one(job)
            raise Conflict(f"Job {job} is running; cancel it first.")


class WorkStore:
    """What workers do to jobs, whoever owns them. A worker that lost its lease changes nothing any more."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._now = database_now(scope)

    async def claim(self, worker: str, kinds: Collection[str], lease_s: float) -> Claim | None:
        """Take the next job of these kinds; None when there is none to do now."""
        is_due = (JobRow.run_at <= self._now, or_(JobRow.expires_at.is_(None), JobRow.expires_at > self._now))
        first = (
            select(JobRow.id)
            .where(JobRow.state == QUEUED, JobRow.kind.in_(list(kinds)), *is_due)
            .order_by(JobRow.priority, JobRow.id)
            .limit(1)
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
        values = {
            "state": RUNNING,
            "worker": worker,
            "lease_until": self._now + lease_s,
            "attempts": JobRow.attempts + 1,
            "started_at": func.coalesce(JobRow.started_at, self._now),
            "progress": 0.0,
            "note": "",
        }
        taken = update(JobRow).where(JobRow.id == first).values(values).returning(JobRow)
        async with self._scope.write() as session:
            row = await session.scalar(taken)
            return None if row is None else Claim(_job(row), worker)

    async def renew(self, claim: Claim, lease_s: float, progress: float, note: str) -> bool | None:
        """A sign of life: whether the job is to be cancelled, or None where it is no longer this worker's."""
        values = {
            "lease_until": self._now + lease_s,
            "progress": progress,
            "note": policy.plain(note)[: policy.NOTE_MAX],
        }
        kept = _held(claim).values(values).returning(JobRow.cancel_requested)
        async with self._scope.write() as session:
            found: bool | None = await session.scalar(kept)
            return found

    async def finish(self, claim: Claim, result: Result, size: int = 0) -> bool:
        """Keep the result, of so many bytes, and what belongs to it, both or neither; False: it is another's now."""
        kept = {"result": result.value, "size": JobRow.size + size, "progress": 1.0}
        values = {**self._end(JobState.DONE), **kept, "error_code": None, "error": None}
        async with self._scope.write() as session:
            if await session.scalar(_held(claim).values(values).returning(JobRow.id)) is None:
                return False
            if result.commit is not None:
                await result.commit(session)
            return True

    async def fail(self, claim: Claim, failure: Failure) -> bool:
        """It has failed for good. False where it is another's now."""
        return await self._change(claim, {**self._end(JobState.FAILED), **_told(failure)})

    async def cancelled(self, claim: Claim) -> bool:
        """It was ended because somebody wanted that. False where it is another's now."""
        return await self._change(claim, self._end(JobState.CANCELLED))

    async def retry(self, claim: Claim, failure: Failure, after_s: float, *, counts: bool) -> bool:
        """Back into line for later, unless it is to be cancelled. False where it is another's now."""
        values = {**self._back(else_=QUEUED), **_told(failure), "run_at": self._now + after_s}
        if not counts:
            values["max_attempts"] = JobRow.max_attempts + 1
        return await self._change(claim, values)

    async def leave(self, worker: str) -> int:
        """Put what this worker has back into line at once, since it stops; what can't be repeated is interrupted."""
        broken = case((~JobRow.is_repeatable, str(JobState.INTERRUPTED)), else_=QUEUED)
        values = {**self._back(else_=broken), "max_attempts": JobRow.max_attempts + 1}
        mine = update(JobRow).where(JobRow.worker == worker, JobRow.state == RUNNING)
        async with self._scope.write() as session:
            return len((await session.scalars(mine.values(values).returning(JobRow.id))).all())

    async def to_cancel(self, worker: str) -> list[JobId]:
        """What this worker has and somebody wants ended."""
        asked = (JobRow.worker == worker, JobRow.state == RUNNING, JobRow.cancel_requested.is_(True))
        async with self._scope.read() as session:
            return [JobId(found) for found in await session.scalars(select(JobRow.id).where(*asked))]

    async def sweep(self, *, everyone: bool = False) -> int:
        """Put jobs of dead workers (`everyone`: of all) back into line or end them, and those out of time; how many."""
        gone = case(
            (~JobRow.is_repeatable, str(JobState.INTERRUPTED)),
            (JobRow.attempts >= JobRow.max_attempts, str(JobState.FAILED)),
            else_=QUEUED,
        )
        is_lost = (JobRow.state == RUNNING, *(() if everyone else (JobRow.lease_until < self._now,)))
        is_late = (JobRow.state == QUEUED, JobRow.expires_at <= self._now)
        late = {**self._end(JobState.EXPIRED), **_told(policy.EXPIRED)}
        async with self._scope.write() as session:
            lost = await session.execute(_unlocked(*is_lost).values({**self._back(else_=gone), **_told(policy.DIED)}))
            over = await session.execute(_unlocked(*is_late).values(late))
            return sum(result.rowcount for result in (lost, over) if isinstance(result, CursorResult))

    async def forget(self, age_s: float) -> None:
        """Delete what ended so long ago."""
        async with self._scope.write() as session:
            await session.execute(delete(JobRow).where(JobRow.finished_at < self._now - age_s))

    async def counts(self) -> dict[JobState, int]:
        """How many jobs there are in each state."""
        async with self._scope.read() as session:
            found = await session.execute(select(JobRow.state, func.count()).group_by(JobRow.state))
            return {JobState(state): number for state, number in found}

    def _end(self, state: JobState) -> dict[str, Any]:
        return {"state": str(state), "finished_at": self._now, "lease_until": None}

    def _back(self, *, else_: str | ColumnElement[str]) -> dict[str, Any]:
        """Values for a job that its worker no longer has: cancelled if that is wanted, else as told."""
        state = case((JobRow.cancel_requested == true(), str(JobState.CANCELLED)), else_=else_)
        finished = case((state == QUEUED, null()), else_=self._now)
        return {"state": state, "finished_at": finished, "lease_until": None}

    async def _change(self, claim: Claim, values: Mapping[str, Any]) -> bool:
        async with self._scope.write() as session:
            return await session.scalar(_held(claim).values(values).returning(JobRow.id)) is not None


def _held(claim: Claim) -> Update:
    """A change of a job that only the worker who has it can make: the fence."""
    job = claim.job
    mine = (JobRow.worker == claim.worker, JobRow.attempts == job.attempts, JobRow.state == RUNNING)
    return update(JobRow).where(JobRow.id == job.id, *mine).execution_options(synchronize_session=False)


def _unlocked(*which: ColumnElement[bool]) -> Update:
    # Rows that another worker is changing now are left to it; so two sweeps never wait for each other in a circle.
    free = select(JobRow.id).where(*which).with_for_update(skip_locked=True)
    return update(JobRow).where(JobRow.id.in_(free), *which).execution_options(synchronize_session=False)


def _told(failure: Failure) -> dict[str, Any]:
    return {"error_code": failure.code, "error": failure.message}


def _job(row: JobRow) -> Job:
    return Job(
        id=JobId(row.id),
        kind=row.kind,
        owner_id=UserId(row.owner_id),
        workspace=None if row.workspace_id is None else WorkspaceId(row.workspace_id),
        name=row.name,
        key=row.key,
        state=JobState(row.state),
        priority=row.priority,
        payload=row.payload,
        run_at=row.run_at,
        attempts=row.attempts,
        max_attempts=row.max_attempts,
        result=row.result,
        failure=None if row.error_code is None else Failure(row.error_code, row.error or ""),
        progress=row.progress,
        note=row.note,
        is_cancelling=row.cancel_requested,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
