"""A worker on real databases, with faults at every step."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert, select

from halext.accounts.store import CodeRow
from halext.accounts.types import Caller, Role, User
from halext.errors import BadAnswer, DatabaseUnavailable, Forbidden, InvalidInput, NoNodeOnline
from halext.jobs import policy
from halext.jobs.store import JobStore, WorkStore
from halext.jobs.types import Claim, Draft, Job, JobId, JobState, Kind, Progress, Result
from halext.jobs.worker import Pace, Worker
from halext.runtime.clock import SystemClock
from halext.storage.scope import Scope
from halext.types import UserId, WorkspaceId
from tests.halext.jobs.conftest import Pass, shift

PATIENCE_S = 20.0
QUICK = Pace(lease_s=3.0, poll_s=0.02, drain_s=0.05)
"""A busy machine may need a second for nothing; where leases are to end, tests say so."""
SHORT = Pace(lease_s=1.2, poll_s=0.02)
Do = Callable[[Job, Caller, Progress], Awaitable[Result]]


class Scene:
    """A worker whose handler is what the test says."""

    def __init__(self, scope: Scope, jobs: JobStore) -> None:
        self.scope = scope
        self.jobs = jobs
        self.store = WorkStore(scope)
        self.known: dict[UserId, Caller] = {}
        self.began = asyncio.Event()
        self.was_cancelled = asyncio.Event()
        self.calls: list[Job] = []
        self.groups: set[int] = set()

    async def caller_of(self, user: UserId) -> Caller | None:
        return self.known.get(user)

    async def on_account(self, caller: Caller, workspace: WorkspaceId) -> Caller:
        if workspace not in self.groups:
            raise Forbidden("not there any more")
        return replace(caller, workspace=workspace)

    def worker(self, do: Do, *, slots: int = 2, pace: Pace = QUICK, is_alone: bool = False) -> Worker:
        async def handle(job: Job, caller: Caller, progress: Progress, /) -> Result:
            self.calls.append(job)
            self.began.set()
            try:
                return await do(job, caller, progress)
            except asyncio.CancelledError:
                self.was_cancelled.set()
                raise

        kinds = {"echo": Kind(handle), "once": Kind(handle, is_repeatable=False)}
        return Worker(
            self.store,
            kinds,
            caller_of=self.caller_of,
            on_account=self.on_account,
            clock=SystemClock(),
            name="w1",
            slots=slots,
            pace=pace,
            is_alone=is_alone,
        )

    @asynccontextmanager
    async def working(self, worker: Worker) -> AsyncIterator[None]:
        task = asyncio.get_running_loop().create_task(worker.run())
        try:
            async with asyncio.timeout(PATIENCE_S):
                yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def add(self, kind: str = "echo", **known: Any) -> JobId:
        draft = Draft(kind, {"say": "a"}, **known)
        (number,) = await self.jobs.add([(draft, 10)], is_repeatable=kind == "echo")
        return number

    async def until(self, number: JobId, *states: JobState) -> Job:
        return await self.when(number, lambda job: job.state in states)

    async def when(self, number: JobId, condition: Callable[[Job], bool]) -> Job:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                if condition(job := await self.jobs.one(number)):
                    return job
                await asyncio.sleep(0.005)


@pytest.fixture
def scene(scope: Scope, jobs: JobStore, ann: User) -> Scene:
    made = Scene(scope, jobs)
    made.known[ann.id] = Caller("Ann", Role.MEMBER, "house", ann.id)
    return made


async def true(condition: Callable[[], bool]) -> None:
    """Wait until it is."""
    while True:
        if condition():
            return
        await asyncio.sleep(0.005)


async def echo(job: Job, caller: Caller, progress: Progress) -> Result:
    return Result({"said": job.payload["say"], "by": caller.name})


async def for_ever(job: Job, caller: Caller, progress: Progress) -> Result:
    await asyncio.Event().wait()
    raise AssertionError


async def test_it_does_what_is_in_line_and_what_comes(scene: Scene) -> None:
    worker = scene.worker(echo, pace=Pace(poll_s=60))
    scene.groups.add(3)
    first = await scene.add(workspace=WorkspaceId(3))
    async with scene.working(worker):
        assert (await scene.until(first, JobState.DONE)).result == {"said": "a", "by": "Ann"}
        second = await scene.add()
        worker.hear()
        await scene.until(second, JobState.DONE)
    assert [job.workspace for job in scene.calls] == [3, None]


async def test_no_more_at_once_than_it_has_slots(scene: Scene) -> None:
    gate, running, most = asyncio.Event(), 0, 0

    async def count(job: Job, caller: Caller, progress: Progress) -> Result:
        nonlocal running, most
        running, most = running + 1, max(most, running + 1)
        await gate.wait()
        running -= 1
        return Result()

    numbers = [await scene.add() for _ in range(5)]
    async with scene.working(scene.worker(count, slots=2)):
        await true(lambda: running == 2)
        states = [(await scene.jobs.one(number)).state for number in numbers]
        assert states == [JobState.RUNNING] * 2 + [JobState.QUEUED] * 3
        gate.set()
        for number in numbers:
            await scene.until(number, JobState.DONE)
    assert most == 2


async def test_what_it_hands_back_is_written_with_the_result(scene: Scene) -> None:
    async def write(session: Any, /) -> None:
        await session.execute(insert(CodeRow).values(purpose="test", hash="h", created_at=1, expires_at=2))

    async def both(job: Job, caller: Caller, progress: Progress) -> Result:
        return Result("kept", write)

    number = await scene.add()
    async with scene.working(scene.worker(both)):
        await scene.until(number, JobState.DONE)
    async with scene.scope.read() as session:
        assert len((await session.scalars(select(CodeRow))).all()) == 1


@pytest.mark.parametrize(
    ("error", "state", "code", "attempts"),
    [
        (InvalidInput("no"), JobState.FAILED, "invalid_input", 1),
        (RuntimeError("secret"), JobState.FAILED, "internal", 1),
        (TimeoutError(), JobState.FAILED, "internal", 1),
        (BadAnswer("not JSON"), JobState.FAILED, "bad_answer", policy.MAX_ATTEMPTS),
    ],
)
async def test_a_handler_that_fails(
    scene: Scene,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    state: JobState,
    code: str,
    attempts: int,
) -> None:
    monkeypatch.setattr(policy, "RETRY_BASE_S", 0.0)

    async def fail(job: Job, caller: Caller, progress: Progress) -> Result:
        raise error

    number = await scene.add()
    async with scene.working(scene.worker(fail)):
        job = await scene.until(number, JobState.FAILED)
    assert job.state is state
    assert job.failure is not None
    assert job.failure.code == code
    assert "secret" not in job.failure.message
    assert (job.attempts, len(scene.calls)) == (attempts, attempts)


async def test_waiting_for_a_node_is_no_attempt(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "RETRY_BASE_S", 0.0)
    monkeypatch.setattr("halext.jobs.worker.LULL_MAX_S", 0.0)

    async def wait(job: Job, caller: Caller, progress: Progress) -> Result:
        if job.attempts < policy.MAX_ATTEMPTS + 3:
            raise NoNodeOnline
        return Result("at last")

    number = await scene.add()
    async with scene.working(scene.worker(wait)):
        job = await scene.until(number, JobState.DONE)
    assert (job.result, job.failure) == ("at last", None)


async def test_when_nobody_takes_work_the_line_rests(scene: Scene) -> None:
    async def wait(job: Job, caller: Caller, progress: Progress) -> Result:
        raise NoNodeOnline

    numbers = [await scene.add() for _ in range(4)]
    async with scene.working(scene.worker(wait, slots=1)):
        await true(lambda: bool(scene.calls))
        await scene.until(numbers[0], JobState.QUEUED)
        await asyncio.sleep(0.1)  # in which a worker that does not rest would have tried them all
    assert len(scene.calls) == 1


async def test_an_owner_who_is_shut_out(scene: Scene, ann: User) -> None:
    number = await scene.add()
    del scene.known[ann.id]
    async with scene.working(scene.worker(echo)):
        job = await scene.until(number, JobState.FAILED)
    assert job.failure is not None
    assert job.failure.message == "Its owner is shut out, so it was not done."
    assert scene.calls == []


async def test_an_owner_who_has_left_the_workspace_that_it_was_ordered_for(scene: Scene) -> None:
    number = await scene.add(workspace=WorkspaceId(3))
    async with scene.working(scene.worker(echo)):
        job = await scene.until(number, JobState.FAILED)
    assert job.failure is not None
    assert job.failure.message == "not there any more"
    assert scene.calls == []


async def test_cancelled_here_it_ends_at_once(scene: Scene) -> None:
    worker = scene.worker(for_ever, pace=Pace(lease_s=60, poll_s=60))
    number = await scene.add()
    async with scene.working(worker):
        await scene.began.wait()
        await scene.jobs.cancel(number)
        worker.hear(number)
        await scene.until(number, JobState.CANCELLED)
        assert scene.was_cancelled.is_set()


async def test_cancelled_by_another_process_it_ends_soon(scene: Scene) -> None:
    number = await scene.add()
    async with scene.working(scene.worker(for_ever, pace=Pace(lease_s=60, poll_s=0.02))):
        await scene.began.wait()
        await scene.jobs.cancel(number)
        await scene.until(number, JobState.CANCELLED)


async def test_cancelled_while_it_ends_it_is_done(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = scene.worker(echo)
    number = await scene.add()
    finish = scene.store.finish

    async def cancel_first(claim: Claim, result: Result, size: int) -> bool:
        await scene.jobs.cancel(number)
        worker.hear(number)
        return await finish(claim, result, size)

    monkeypatch.setattr(scene.store, "finish", cancel_first)
    async with scene.working(worker):
        job = await scene.until(number, JobState.DONE)
    assert job.result == {"said": "a", "by": "Ann"}


async def test_a_lease_that_is_lost_ends_the_work_and_its_result_is_nowhere(scene: Scene) -> None:
    number = await scene.add()
    async with scene.working(scene.worker(for_ever, slots=1, pace=Pace(lease_s=0.3, poll_s=60))):
        await scene.began.wait()
        await shift(scene.scope, 60)  # as if this process had been asleep for a minute
        await scene.store.sweep()
        other = await scene.store.claim("w2", ["echo"], 60)
        assert other is not None
        await scene.was_cancelled.wait()
        assert await scene.store.finish(other, Result("the other's"))
    job = await scene.jobs.one(number)
    assert (job.state, job.result, job.attempts) == (JobState.DONE, "the other's", 2)


async def test_long_work_keeps_its_lease_and_tells_how_far_it_is(scene: Scene) -> None:
    async def slow(job: Job, caller: Caller, progress: Progress) -> Result:
        progress(0.25, "a quarter")
        noted = await scene.when(job.id, lambda job: bool(job.note))
        assert (noted.progress, noted.note) == (0.25, "a quarter")
        await asyncio.sleep(SHORT.lease_s)  # more than what is left of the first lease
        return Result()

    number = await scene.add()
    async with scene.working(scene.worker(slow, pace=SHORT)):
        job = await scene.until(number, JobState.DONE)
    assert (job.attempts, len(scene.calls)) == (1, 1)


@pytest.mark.parametrize("step", ["sweep", "claim", "renew", "finish", "fail", "retry", "cancelled", "to_cancel"])
async def test_a_database_that_is_away_for_a_moment(scene: Scene, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """At every step, twice each: the job still ends as it should, and is done once."""
    monkeypatch.setattr(policy, "RETRY_BASE_S", 0.0)
    real, away = getattr(scene.store, step), 2

    async def sometimes(*args: Any, **known: Any) -> Any:
        nonlocal away
        if away:
            away -= 1
            raise DatabaseUnavailable
        return await real(*args, **known)

    async def work(job: Job, caller: Caller, progress: Progress) -> Result:
        if step == "cancelled":
            await scene.jobs.cancel(job.id)
            return await for_ever(job, caller, progress)
        if step in {"renew", "to_cancel"}:
            await true(lambda: not away)
        failures = {("fail", 1): InvalidInput("no"), ("retry", 1): BadAnswer("no")}
        if error := failures.get((step, job.attempts)):
            raise error
        return Result("done")

    monkeypatch.setattr(scene.store, step, sometimes)
    number = await scene.add()
    async with scene.working(scene.worker(work, pace=SHORT if step == "renew" else QUICK)):
        job = await scene.until(number, *policy.ENDED)
    expected = {"fail": JobState.FAILED, "cancelled": JobState.CANCELLED}
    assert job.state is expected.get(step, JobState.DONE)
    assert away == 0
    assert len(scene.calls) == (2 if step == "retry" else 1)


async def test_an_orderly_stop_lets_it_end_or_gives_it_back(scene: Scene) -> None:
    gate = asyncio.Event()

    async def some(job: Job, caller: Caller, progress: Progress) -> Result:
        if job.payload["say"] == "a" and job.kind == "echo" and len(scene.calls) == 1:
            await asyncio.sleep(0.02)
            return Result("just in time")
        gate.set()
        await asyncio.Event().wait()
        raise AssertionError

    quick, slow = await scene.add(), await scene.add()
    only_once = await scene.add("once")
    async with scene.working(scene.worker(some, slots=3)):
        await gate.wait()
        await true(lambda: len(scene.calls) == 3)
    jobs = [await scene.jobs.one(number) for number in (quick, slow, only_once)]
    assert [job.state for job in jobs] == [JobState.DONE, JobState.QUEUED, JobState.INTERRUPTED]
    assert jobs[1].max_attempts == policy.MAX_ATTEMPTS + 1, "stopping halext is no failure of the job"
    assert await scene.store.claim("w2", ["echo"], 60) is not None, "at once, not when the lease ends"


async def test_what_a_dead_worker_had_is_done_by_another(scene: Scene, let_pass: Pass) -> None:
    number = await scene.add()
    assert await scene.store.claim("the dead one", ["echo"], 60) is not None
    await let_pass(61)
    async with scene.working(scene.worker(echo)):
        job = await scene.until(number, JobState.DONE)
    assert job.attempts == 2


async def test_who_is_alone_knows_that_the_others_are_dead(scene: Scene) -> None:
    number = await scene.add()
    assert await scene.store.claim("the dead one", ["echo"], 60) is not None
    async with scene.working(scene.worker(echo, pace=Pace(poll_s=0.02), is_alone=True)):
        await scene.until(number, JobState.DONE)
        mine = await scene.add()
        job = await scene.until(mine, JobState.DONE)
    assert job.attempts == 1


async def test_a_result_that_can_not_be_kept(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "RESULT_MAX", 100)

    async def broken(session: Any, /) -> None:
        raise RuntimeError("secret")

    async def large(job: Job, caller: Caller, progress: Progress) -> Result:
        return Result("x" * 200) if len(scene.calls) == 1 else Result("x", broken)

    numbers = [await scene.add() for _ in range(2)]
    async with scene.working(scene.worker(large, slots=1)):
        jobs = [await scene.until(number, JobState.FAILED) for number in numbers]
    assert [job.failure.code for job in jobs if job.failure] == ["too_large", "internal"]
    assert jobs[0].result is None
