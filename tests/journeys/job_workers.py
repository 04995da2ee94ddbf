"""Real worker processes to be killed: `python job_workers.py URL LOG`, then one line `NAME SEED` per worker.

They are forked from a process that has imported everything, since starting a Python takes longer than they live. Each
answers with its number; all of them end when standard input does.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from random import Random
from typing import Any

from sqlalchemy import text

from halext.accounts.types import Caller, Role
from halext.errors import BadAnswer
from halext.jobs import policy
from halext.jobs.store import WorkStore
from halext.jobs.types import Claim, Job, Kind, Progress, Result
from halext.jobs.worker import Pace, Worker
from halext.runtime.clock import SystemClock
from halext.storage.engine import open_database
from halext.storage.scope import Scope
from halext.types import UserId, WorkspaceId

PACE = Pace(lease_s=0.5, poll_s=0.02, drain_s=0.0)
SLOTS = 2


class WatchedStore(WorkStore):
    """Notes when a worker is told that a job is no longer its own."""

    def __init__(self, scope: Scope, note: Any) -> None:
        super().__init__(scope)
        self._note = note

    async def finish(self, claim: Claim, result: Result, size: int = 0) -> bool:
        is_kept = await super().finish(claim, result, size)
        if not is_kept:
            self._note("late", claim.job)
        return is_kept

    async def renew(self, claim: Claim, lease_s: float, progress: float, note: str) -> bool | None:
        is_wanted = await super().renew(claim, lease_s, progress, note)
        if is_wanted is None:
            self._note("lost", claim.job)
        return is_wanted


async def work(url: str, log: str, name: str, seed: int) -> None:
    """Work until killed."""
    rng = Random(seed)
    lines = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def note(what: str, job: Job) -> None:
        os.write(lines, f"{what} {job.id} {job.attempts}\n".encode())  # one write: nobody comes in between

    async def do(job: Job, caller: Caller, progress: Progress, /) -> Result:
        note("began", job)
        progress(0.5, "half")
        await asyncio.sleep(rng.uniform(0.0, 0.04))
        if rng.random() < 0.03:
            raise BadAnswer("bad luck")

        async def write(session: Any, /) -> None:
            statement = text("INSERT INTO effects (job, attempt) VALUES (:job, :attempt)")
            await session.execute(statement, {"job": job.id, "attempt": job.attempts})

        return Result(job.attempts, write)

    async def caller_of(user: UserId) -> Caller | None:
        return Caller("Ann", Role.MEMBER, "house", user)

    async def on_account(caller: Caller, workspace: WorkspaceId) -> Caller:
        raise AssertionError(f"no job is for workspace {workspace} of {caller.name}")

    database = open_database(url)
    store = WatchedStore(Scope(database), note)
    kinds = {"often": Kind(do), "once": Kind(do, is_repeatable=False)}
    clock = SystemClock()
    await Worker(
        store, kinds, caller_of=caller_of, on_account=on_account, clock=clock, name=name, slots=SLOTS, pace=PACE
    ).run()


def serve(url: str, log: str) -> None:
    """Fork a worker per line."""
    policy.RETRY_BASE_S = 0.01
    children: set[int] = set()
    for line in sys.stdin:
        children = {pid for pid in children if os.waitpid(pid, os.WNOHANG) == (0, 0)}
        name, seed = line.split()
        pid = os.fork()
        if not pid:
            os.close(0)
            try:
                asyncio.run(work(url, log, name, int(seed)))
            finally:
                os._exit(1)
        children.add(pid)
        print(pid, flush=True)  # noqa: T201
    for pid in children:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    serve(*sys.argv[1:])
