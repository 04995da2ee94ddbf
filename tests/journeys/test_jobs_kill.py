"""Workers that are killed at any moment, or frozen for longer than their leases: no job is lost, none done twice."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random, SystemRandom

import pytest
from sqlalchemy import text

from halext.accounts.store import PeopleStore
from halext.accounts.types import Role
from halext.jobs import policy
from halext.jobs.store import JobStore
from halext.jobs.types import Draft, Job, JobId, JobState
from halext.storage.engine import Database
from halext.storage.scope import Scope
from tests.conftest import SOAK
from tests.journeys.job_workers import PACE

KILLS = 1_000 if SOAK else 110
WORKERS = 4
JOBS_PER_KILL = 3
FREEZE_S = PACE.lease_s * 1.6
END_S = 60.0
"""Far more than the last jobs need."""


@dataclass
class Crew:
    """Worker processes."""

    process: asyncio.subprocess.Process
    rng: Random
    pids: list[int] = field(default_factory=list)
    started: int = 0

    async def start(self) -> int:
        """One more."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.started += 1
        self.process.stdin.write(f"w{self.started} {self.rng.randrange(2**31)}\n".encode())
        pid = int(await self.process.stdout.readline())
        self.pids.append(pid)
        return pid

    async def kill(self) -> None:
        """End one of them without a word, and start another."""
        pid = self.pids.pop(self.rng.randrange(len(self.pids)))
        os.kill(pid, signal.SIGKILL)
        await self.start()

    async def freeze(self) -> None:
        """Have one stand still until its jobs are given to others, and go on as if nothing had been."""
        pid = self.pids.pop(self.rng.randrange(len(self.pids)))
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(FREEZE_S)
        os.kill(pid, signal.SIGCONT)
        self.pids.append(pid)


@asynccontextmanager
async def crew(url: str, log: Path, rng: Random) -> AsyncIterator[Crew]:
    script = Path(__file__).with_name("job_workers.py")
    process = await asyncio.create_subprocess_exec(
        sys.executable, script, url, log, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    made = Crew(process, rng)
    try:
        yield made
    finally:
        for pid in made.pids:
            os.kill(pid, signal.SIGCONT)
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(10):
            await process.wait()


@pytest.fixture
async def effects(scope: Scope) -> AsyncIterator[None]:
    """What jobs do: a row each."""
    async with scope.write() as session:
        await session.execute(text("CREATE TABLE effects (job INTEGER, attempt INTEGER)"))
    yield
    async with scope.write() as session:
        await session.execute(text("DROP TABLE effects"))


async def add(jobs: JobStore, rng: Random) -> set[JobId]:
    """Some more work."""
    added: set[JobId] = set()
    for kind, many in (("often", JOBS_PER_KILL), ("once", rng.randrange(2))):
        drafts = [(Draft(kind, {"n": number}), 10) for number in range(many)]
        if drafts:
            added.update(await jobs.add(drafts, is_repeatable=kind == "often"))
    if rng.random() < 0.3:
        await jobs.cancel(rng.choice(sorted(added)))
    return added


async def all_jobs(jobs: JobStore) -> list[Job]:
    found: list[Job] = []
    while page := await jobs.page((), None, found[-1].id if found else None, 5_000):
        found += page
    return found


async def all_ended(jobs: JobStore) -> list[Job]:
    async with asyncio.timeout(END_S):
        while True:
            if not await jobs.page((JobState.QUEUED, JobState.RUNNING), None, None, 1):
                return await all_jobs(jobs)
            await asyncio.sleep(0.05)


@pytest.mark.timeout(1_800 if SOAK else 240)
@pytest.mark.usefixtures("effects")
async def test_killed_at_any_moment(
    database: Database, scope: Scope, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = int(os.environ.get("TEST_SEED") or SystemRandom().randrange(2**31))
    print(f"TEST_SEED={seed} repeats the order of kills")  # noqa: T201
    rng = Random(seed)
    monkeypatch.setattr(policy, "MAX_ATTEMPTS", 1_000_000)  # here no number of deaths makes a dead letter
    ann = await PeopleStore(scope).add("Ann", Role.MEMBER, None, 0.0)
    jobs, log, added = JobStore(scope, ann.id), tmp_path / "log", set[JobId]()
    url = database._url.render_as_string(hide_password=False)
    async with crew(url, log, rng) as workers, asyncio.TaskGroup() as frosts:
        for _ in range(WORKERS):
            await workers.start()
        for number in range(KILLS):
            added |= await add(jobs, rng)
            await asyncio.sleep(rng.uniform(0.01, 0.1))
            if number % 10 == 5:
                frosts.create_task(workers.freeze())
            await workers.kill()
        ended = await all_ended(jobs)
    async with scope.read() as session:
        done = Counter(
            (job, attempt) for job, attempt in await session.execute(text("SELECT job, attempt FROM effects"))
        )
    judge(ended, added, done, [line.split() for line in log.read_text().splitlines()])
    if database.path is not None:
        async with scope.read() as session:
            assert (await session.execute(text("PRAGMA integrity_check"))).scalar_one() == "ok"


def judge(ended: list[Job], added: set[JobId], done: Counter[tuple[int, int]], log: list[list[str]]) -> None:
    """Every job is there, in one end state; what is done left its mark once, and nothing else left any."""
    assert len(ended) == len(added)
    assert {job.id for job in ended} == added, "none is lost"
    allowed = {JobState.DONE, JobState.CANCELLED, JobState.INTERRUPTED}
    assert {job.state for job in ended} <= allowed
    assert done == Counter((job.id, job.attempts) for job in ended if job.state is JobState.DONE), "once each"
    assert {job.id: job.result for job in ended if job.state is JobState.DONE} == dict(done.keys())
    assert all(job.state is not JobState.INTERRUPTED or job.kind == "once" for job in ended)
    began = Counter((int(job), int(attempt)) for what, job, attempt in log if what == "began")
    assert set(done) <= set(began)
    assert set(began.values()) == {1}, "no two workers ever had the same attempt"
    marks = Counter(what for what, *_ in log)
    once = {job.id for job in ended if job.kind == "once" and job.state is JobState.INTERRUPTED}
    assert once.isdisjoint(job for job, _ in done)
    print(f"{len(ended)} jobs, {Counter(str(job.state) for job in ended)}, log {marks}")  # noqa: T201
    assert marks["began"] > len(done), "the kills hit work"
