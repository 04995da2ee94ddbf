"""Takes jobs from the line, a few at once, and sees each to its end: done, failed, cancelled, or given back."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from halext.accounts import policy as rights
from halext.accounts.types import Caller, Permission
from halext.errors import DatabaseUnavailable, Forbidden, HalextError
from halext.jobs import policy
from halext.jobs.store import WorkStore
from halext.jobs.types import Claim, Job, JobId, Kind, Result
from halext.types import Clock, UserId, WorkspaceId

CallerOf = Callable[[UserId], Awaitable[Caller | None]]
OnAccount = Callable[[Caller, WorkspaceId], Awaitable[Caller]]
"""Has a caller ask for a workspace, if they may do so now. Raises `Forbidden`."""
LEAVE_S = 3.0
"""How long an ending worker waits for the database; without it the jobs are free when their leases end."""
LULL_MAX_S = 30.0
"""The longest pause after work that nobody could take: a line of thousands is not tried through again and again."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How quick a worker is."""

    lease_s: float = policy.LEASE_S
    poll_s: float = 1.0
    """How often it looks for what other processes put in line."""
    drain_s: float = 10.0
    """What has begun may take so long when the worker stops."""


@dataclass(slots=True)
class _Run:
    """A job that this worker has."""

    claim: Claim
    part: float = 0.0
    note: str = ""
    is_lost: bool = False
    is_cancelled: bool = False
    scope: asyncio.Timeout | None = None
    """Around the handler; ended by `stop`, it has no deadline of its own."""

    def tell(self, part: float, note: str = "", /) -> None:
        """Fulfils `Progress`."""
        self.part, self.note = min(1.0, max(0.0, part)), note

    def stop(self, *, is_lost: bool = False) -> None:
        """End the handler: the job is another worker's now, or was cancelled."""
        self.is_lost = self.is_lost or is_lost
        self.is_cancelled = self.is_cancelled or not is_lost
        if self.scope is not None and not self.scope.expired():
            with suppress(RuntimeError):  # the handler has ended in this very moment
                self.scope.reschedule(asyncio.get_running_loop().time())


class Worker:
    """One process's hands. Whatever happens to it, a job is done by one worker, and its result is kept once."""

    def __init__(
        self,
        store: WorkStore,
        kinds: Mapping[str, Kind],
        *,
        caller_of: CallerOf,
        on_account: OnAccount,
        clock: Clock,
        name: str,
        slots: int,
        pace: Pace | None = None,
        is_alone: bool = False,
    ) -> None:
        """`name` must be this run's own: two workers of one name could not be told apart.

        Who `is_alone` need not wait for the leases of workers before it to end.
        """
        self._store = store
        self._kinds = kinds
        self._caller_of = caller_of
        self._on_account = on_account
        self._clock = clock
        self._name = name
        self._slots = slots
        self._pace = pace or Pace()
        self._is_alone = is_alone
        self._runs: dict[asyncio.Task[None], _Run] = {}
        self._wake = asyncio.Event()
        self._sweep_at = 0.0
        self._lull_until = 0.0
        self._misses = 0

    def hear(self, cancelled: JobId | None = None) -> None:
        """Something changed in this process: there is new work, or this job is to be cancelled."""
        if cancelled is None:
            self._wake.set()
        for run in self._runs.values():
            if run.claim.job.id == cancelled:
                run.stop()

    async def run(self) -> None:
        """Work until cancelled; then let what runs end soon, and give the rest back."""
        self._sweep_at = self._lull_until = self._clock.monotonic()
        async with asyncio.TaskGroup() as group:
            try:
                while True:
                    try:
                        await self._look(group)
                    except DatabaseUnavailable:
                        _log.warning("no jobs are taken: the database is away")
                    await self._wait()
            finally:
                await self._drain()

    async def _look(self, group: asyncio.TaskGroup) -> None:
        """Take as much as there is room for."""
        now = self._clock.monotonic()
        if now >= self._sweep_at:
            await self._store.sweep(everyone=self._is_alone)
            self._is_alone = False  # from now on there is this one
            self._sweep_at = now + self._pace.lease_s / 4
        if self._runs:
            for job in await self._store.to_cancel(self._name):
                self.hear(job)
        while len(self._runs) < self._slots and self._clock.monotonic() >= self._lull_until:
            claim = await self._store.claim(self._name, self._kinds, self._pace.lease_s)
            if claim is None:
                return
            self._begin(claim, group)

    def _begin(self, claim: Claim, group: asyncio.TaskGroup) -> None:
        # One job may be here twice for a moment: taken again before the run that lost it has noticed.
        run = _Run(claim)
        task = group.create_task(self._work(run), name=f"job {claim.job.id}")
        self._runs[task] = run
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._runs[task]
        self._wake.set()

    async def _wait(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pace.poll_s):
                await self._wake.wait()
        self._wake.clear()

    async def _drain(self) -> None:
        if self._runs:
            await asyncio.wait(self._runs, timeout=self._pace.drain_s)
        left = list(self._runs)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        with suppress(TimeoutError, DatabaseUnavailable):
            async with asyncio.timeout(LEAVE_S):
                await self._store.leave(self._name)

    # --- one job ---

    async def _work(self, run: _Run) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                keeper = group.create_task(self._keep(run))
                outcome = await self._attempt(run)
                keeper.cancel()
            await self._settle(run, outcome)
        except Exception:  # noqa: BLE001 - a fault here must not end the worker; the job is free when its lease ends
            _log.exception("job %d could not be brought to its end", run.claim.job.id)

    async def _attempt(self, run: _Run) -> Result | Exception:
        """What the handler hands back, or why it does not."""
        job = run.claim.job
        try:
            async with asyncio.timeout(None) as run.scope:
                caller = await self._caller(job)
                return await self._kinds[job.kind].handler(job, caller, run.tell)
        except HalextError as error:
            return error
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends this job and no other
            if not (run.is_lost or run.is_cancelled):
                _log.exception("job %d (%s) stopped by a fault", job.id, job.kind)
            return error
        finally:
            run.scope = None

    async def _caller(self, job: Job) -> Caller:
        """Its owner as they are now: rights may have ended since the job was made."""
        caller = await self._caller_of(job.owner_id)
        if caller is None:
            raise Forbidden("Its owner is shut out, so it was not done.")
        rights.require(caller, Permission.USE)
        return caller if job.workspace is None else await self._on_account(caller, job.workspace)

    async def _keep(self, run: _Run) -> None:
        """Renew the lease until it is lost or the job is to be cancelled; both end the handler."""
        pause = self._pace.lease_s / 3
        renewed = self._clock.monotonic()
        while True:
            await self._clock.sleep(pause)
            try:
                is_wanted = await self._store.renew(run.claim, self._pace.lease_s, run.part, run.note)
            except DatabaseUnavailable:
                if self._clock.monotonic() - renewed < self._pace.lease_s:
                    pause = min(pause, self._pace.poll_s)
                    continue
                is_wanted = None  # by now another worker may have it
            pause, renewed = self._pace.lease_s / 3, self._clock.monotonic()
            if is_wanted is not False:
                run.stop(is_lost=is_wanted is None)
                return

    async def _settle(self, run: _Run, outcome: Result | Exception) -> None:
        """Write down how it ended."""
        if isinstance(outcome, Result) and not run.is_lost:
            outcome = await self._finish(run.claim, outcome)
        if run.is_lost:
            _log.warning("job %d is another worker's now; its result is thrown away", run.claim.job.id)
        elif isinstance(outcome, Result):
            self._misses = 0
        elif run.is_cancelled:
            await self._insist(lambda: self._store.cancelled(run.claim))
        else:
            await self._failed(run.claim, outcome)

    async def _finish(self, claim: Claim, result: Result) -> Result | Exception:
        size = len(json.dumps(result.value))
        if size > policy.RESULT_MAX:
            return policy.too_large(size)
        try:
            await self._insist(lambda: self._store.finish(claim, result, size))
        except Exception as error:  # noqa: BLE001 - what was handed back can't be kept: the job is not done either
            if not isinstance(error, HalextError):
                _log.exception("the result of job %d could not be kept", claim.job.id)
            return error
        return result

    async def _failed(self, claim: Claim, error: Exception) -> None:
        verdict = policy.after(error, claim.job)
        delay = verdict.retry_in_s
        if delay is None:
            await self._insist(lambda: self._store.fail(claim, verdict.failure))
            return
        if not verdict.counts:
            self._misses += 1
            self._lull_until = self._clock.monotonic() + min(LULL_MAX_S, 2.0 ** min(self._misses - 1, 10))
        await self._insist(lambda: self._store.retry(claim, verdict.failure, delay, counts=verdict.counts))

    async def _insist(self, change: Callable[[], Awaitable[bool]]) -> bool:
        """Make a change, over a database's bad moment; after a lease's time it is for others to do."""
        until = self._clock.monotonic() + self._pace.lease_s
        while True:
            try:
                return await change()
            except DatabaseUnavailable:
                if self._clock.monotonic() >= until:
                    raise
                await self._clock.sleep(self._pace.poll_s)
