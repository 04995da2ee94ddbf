from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import select, update

from halext.accounts.store import UserRow
from halext.accounts.types import User
from halext.errors import Conflict, NotFound, TooManyRequests
from halext.jobs import policy
from halext.jobs.store import JobRow, JobStore, WorkStore
from halext.jobs.types import INTERACTIVE, Claim, Draft, Failure, Job, JobId, JobState, Result
from halext.storage.scope import Scope
from tests.halext.jobs.conftest import Pass

LEASE_S = 60.0
OOPS = Failure("oops", "It did not work.")


async def add(jobs: JobStore, *keys: str, is_repeatable: bool = True, **known: Any) -> list[JobId]:
    drafts = [Draft("echo", {"say": key}, key=key, **known) for key in keys]
    return await jobs.add([(draft, 10) for draft in drafts], is_repeatable=is_repeatable)


async def claimed(work: WorkStore, worker: str = "w1") -> Claim:
    claim = await work.claim(worker, ["echo"], LEASE_S)
    assert claim is not None
    return claim


async def state(jobs: JobStore, job: JobId) -> JobState:
    return (await jobs.one(job)).state


async def test_a_job_from_its_beginning_to_its_end(jobs: JobStore, work: WorkStore, ann: User) -> None:
    (number,) = await add(jobs, "a", name="greetings")
    assert await work.claim("w1", ["another kind"], LEASE_S) is None
    claim = await claimed(work)
    job = claim.job
    assert (job.id, job.owner_id, job.payload, job.attempts) == (number, ann.id, {"say": "a"}, 1)
    assert await work.claim("w2", ["echo"], LEASE_S) is None
    assert await work.renew(claim, LEASE_S, 0.5, "half\0way") is False
    seen = await jobs.one(number)
    assert (seen.state, seen.progress, seen.note) == (JobState.RUNNING, 0.5, "halfway")
    assert await work.finish(claim, Result({"said": "a"}))
    done = await jobs.one(number)
    assert (done.state, done.result, done.progress, done.failure) == (JobState.DONE, {"said": "a"}, 1.0, None)
    assert done.created_at <= (done.started_at or 0) <= (done.finished_at or 0)
    assert not await work.finish(claim, Result("twice"))


async def test_what_is_waited_for_goes_first_and_then_the_oldest(jobs: JobStore, work: WorkStore) -> None:
    first, second = await add(jobs, "a", "b")
    (urgent,) = await add(jobs, "c", priority=INTERACTIVE)
    assert [(await claimed(work)).job.id for _ in range(3)] == [urgent, first, second]


async def test_many_workers_never_take_the_same_job(jobs: JobStore, work: WorkStore) -> None:
    numbers = await add(jobs, *[str(number) for number in range(40)])

    async def take(worker: str) -> list[JobId]:
        taken = []
        while (claim := await work.claim(worker, ["echo"], LEASE_S)) is not None:
            taken.append(claim.job.id)
        return taken

    taken = await asyncio.gather(*[take(f"w{number}") for number in range(4)])
    assert sorted(number for each in taken for number in each) == sorted(numbers)


async def test_what_is_handed_back_is_kept_with_the_result_or_not_at_all(
    scope: Scope, jobs: JobStore, work: WorkStore, ann: User
) -> None:
    async def rename(session: Any) -> None:
        await session.execute(update(UserRow).where(UserRow.id == ann.id).values(name="Anna"))

    async def fail(session: Any) -> None:
        await rename(session)
        raise Conflict("no")

    async def name() -> str:
        async with scope.read() as session:
            found: str = (await session.execute(select(UserRow.name).where(UserRow.id == ann.id))).scalar_one()
            return found

    (number,) = await add(jobs, "a")
    claim = await claimed(work)
    with pytest.raises(Conflict):
        await work.finish(claim, Result(1, fail))
    assert (await name(), await state(jobs, number)) == ("Ann", JobState.RUNNING)
    assert await work.leave(claim.worker) == 1
    again = await claimed(work, "w2")
    assert not await work.finish(claim, Result(1, rename))
    assert await name() == "Ann", "a late worker writes nothing"
    assert await work.finish(again, Result(1, rename))
    assert await name() == "Anna"


async def test_a_lease_that_ran_out_is_anothers(jobs: JobStore, work: WorkStore, let_pass: Pass) -> None:
    (number,) = await add(jobs, "a")
    late = await claimed(work)
    await let_pass(LEASE_S - 5)
    assert await work.sweep() == 0
    assert await work.renew(late, LEASE_S, 0.0, "") is False
    await let_pass(LEASE_S - 5)
    assert await work.sweep() == 0, "it was renewed"
    await let_pass(10)
    assert await work.sweep() == 1
    assert (await jobs.one(number)).failure == policy.DIED
    fresh = await claimed(work, "w1")  # the same worker: only the number of the attempt tells the two apart
    assert fresh.job.attempts == 2
    assert await work.renew(late, LEASE_S, 0.9, "") is None
    for change in (
        work.finish(late, Result("late")),
        work.fail(late, OOPS),
        work.cancelled(late),
        work.retry(late, OOPS, 1, counts=True),
    ):
        assert not await change
    assert await work.finish(fresh, Result("fresh"))
    assert (await jobs.one(number)).result == "fresh"


async def test_a_worker_that_is_late_but_not_replaced_may_finish(
    jobs: JobStore, work: WorkStore, let_pass: Pass
) -> None:
    (number,) = await add(jobs, "a")
    claim = await claimed(work)
    await let_pass(LEASE_S * 3)
    assert await work.finish(claim, Result(None))
    assert (await state(jobs, number), await work.sweep()) == (JobState.DONE, 0)


async def test_after_some_deaths_it_is_a_dead_letter_that_a_person_can_send_again(
    jobs: JobStore, work: WorkStore, let_pass: Pass
) -> None:
    (number,) = await add(jobs, "a")
    for _ in range(policy.MAX_ATTEMPTS):
        await claimed(work)
        await let_pass(LEASE_S + 1)
        await work.sweep()
    dead = await jobs.one(number)
    assert (dead.state, dead.failure) == (JobState.FAILED, policy.DIED)
    assert await work.claim("w1", ["echo"], LEASE_S) is None
    again = await jobs.again(number)
    assert (again.state, again.failure, again.finished_at) == (JobState.QUEUED, None, None)
    claim = await claimed(work)
    assert claim.job.attempts == policy.MAX_ATTEMPTS + 1, "the number never repeats"
    assert await work.retry(claim, OOPS, 0, counts=True)
    assert await work.finish(await claimed(work), Result(None))
    with pytest.raises(Conflict, match="is done"):
        await jobs.again(number)


async def test_what_can_not_be_repeated_is_interrupted(jobs: JobStore, work: WorkStore, let_pass: Pass) -> None:
    lost, left = await add(jobs, "a", "b", is_repeatable=False)
    await claimed(work)
    await let_pass(LEASE_S + 1)
    assert await work.leave((await claimed(work, "w2")).worker) == 1
    await work.sweep()
    assert [await state(jobs, number) for number in (lost, left)] == [JobState.INTERRUPTED] * 2
    assert (await jobs.again(lost)).state is JobState.QUEUED


async def test_later_is_later(jobs: JobStore, work: WorkStore, let_pass: Pass) -> None:
    (number,) = await add(jobs, "a")
    assert await work.retry(await claimed(work), OOPS, 30, counts=True)
    waiting = await jobs.one(number)
    assert (waiting.state, waiting.failure, waiting.max_attempts) == (JobState.QUEUED, OOPS, policy.MAX_ATTEMPTS)
    await let_pass(25)
    assert await work.claim("w1", ["echo"], LEASE_S) is None
    await let_pass(10)
    assert await work.retry(await claimed(work), OOPS, 0, counts=False)
    assert (await jobs.one(number)).max_attempts == policy.MAX_ATTEMPTS + 1
    assert await work.fail(await claimed(work), OOPS)
    assert await state(jobs, number) is JobState.FAILED


async def test_cancelling(jobs: JobStore, work: WorkStore, let_pass: Pass) -> None:
    runs, waits = await add(jobs, "a", "b", name="n")
    claim = await claimed(work)
    assert sorted(await jobs.cancel(name="n")) == [runs, waits]
    assert await state(jobs, waits) is JobState.CANCELLED
    asked = await jobs.one(runs)
    assert (asked.state, asked.is_cancelling, asked.finished_at) == (JobState.RUNNING, True, None)
    assert await work.to_cancel("w1") == [runs]
    assert await work.to_cancel("w2") == []
    assert await work.renew(claim, LEASE_S, 0.1, "") is True
    assert await work.cancelled(claim)
    assert await state(jobs, runs) is JobState.CANCELLED
    assert await jobs.cancel(runs) == []
    assert (await jobs.again(runs)).is_cancelling is False


@pytest.mark.parametrize("end", ["retry", "leave", "sweep", "finish"])
async def test_a_job_that_was_cancelled_does_not_come_back(
    jobs: JobStore, work: WorkStore, let_pass: Pass, end: str
) -> None:
    (number,) = await add(jobs, "a")
    claim = await claimed(work)
    await jobs.cancel(number)
    if end == "retry":
        await work.retry(claim, OOPS, 5, counts=True)
    elif end == "leave":
        await work.leave(claim.worker)
    elif end == "sweep":
        await let_pass(LEASE_S + 1)
        await work.sweep()
    else:
        await work.finish(claim, Result("done all the same"))
    expected = JobState.DONE if end == "finish" else JobState.CANCELLED
    job = await jobs.one(number)
    assert job.state is expected
    assert job.finished_at is not None


async def test_who_waits_too_long_expires(jobs: JobStore, work: WorkStore, let_pass: Pass) -> None:
    (number,) = await add(jobs, "a", expires_in_s=100)
    await let_pass(99)
    assert await work.sweep() == 0
    await let_pass(2)
    assert await work.claim("w1", ["echo"], LEASE_S) is None
    assert await work.sweep() == 1
    assert await state(jobs, number) is JobState.EXPIRED
    await jobs.again(number)
    assert (await claimed(work)).job.id == number


async def test_the_same_key_is_the_same_job(jobs: JobStore, bob: User, scope: Scope) -> None:
    (number,) = await add(jobs, "a")
    assert await add(jobs, "a") == []
    assert (await jobs.by_key("echo", "a")).id == number
    assert len(await add(jobs, "a", "b")) == 1
    assert len(await add(JobStore(scope, bob.id), "a")) == 1, "keys are everyone's own"
    with pytest.raises(Conflict, match="'a'"):
        await jobs.add([(Draft("echo", {"say": "something else"}, key="a"), 1)], is_repeatable=True)
    assert len(await jobs.add([(Draft("other", {"say": "x"}, key="a"), 1)], is_repeatable=True)) == 1


async def test_the_same_order_twice_at_the_same_time(jobs: JobStore) -> None:
    made = await asyncio.gather(*[add(jobs, "a", "b") for _ in range(4)])
    assert len([number for each in made for number in each]) == 2


async def test_a_whole_batch_or_nothing(jobs: JobStore) -> None:
    drafts = [(Draft("echo", {"n": number}, key=str(number)), 10) for number in range(policy.BATCH_MAX)]
    assert len(await jobs.add(drafts, is_repeatable=True)) == policy.BATCH_MAX
    assert await jobs.add(drafts, is_repeatable=True) == []
    with pytest.raises(TooManyRequests, match="20,000"):
        await jobs.add([(Draft("echo", {}), 1)] * policy.BATCH_MAX + [(Draft("echo", {}), 1)], is_repeatable=True)
    with pytest.raises(TooManyRequests, match="256 MB"):
        await jobs.add([(Draft("echo", {}), policy.QUEUED_BYTES_MAX)], is_repeatable=True)


async def test_pages_and_strangers(jobs: JobStore, work: WorkStore, scope: Scope, bob: User) -> None:
    numbers = await add(jobs, *"abcde", name="n")
    others = await add(jobs, "z", name="other")
    theirs = JobStore(scope, bob.id)

    async def ids(*states: JobState, name: str | None = None, after: JobId | None = None) -> Sequence[JobId]:
        return [job.id for job in await jobs.page(states, name, after, 3)]

    newest = [*reversed(numbers)]
    assert await ids() == [*others, *newest[:2]]
    assert await ids(name="n") == newest[:3]
    assert await ids(name="n", after=newest[2]) == newest[3:]
    claim = await claimed(work)
    assert await ids(JobState.RUNNING, JobState.DONE) == [claim.job.id]
    assert await theirs.page((), None, None, 10) == []
    assert await theirs.cancel(name="n") == []
    assert await theirs.cancel(numbers[1]) == []
    for refused in (
        theirs.one(numbers[1]),
        theirs.again(numbers[1]),
        theirs.remove(numbers[1]),
        jobs.one(JobId(99_999)),
    ):
        with pytest.raises(NotFound, match="no such job"):
            await refused
    with pytest.raises(Conflict, match="cancel it first"):
        await jobs.remove(claim.job.id)
    await jobs.remove(numbers[1])
    with pytest.raises(NotFound):
        await jobs.one(numbers[1])


async def test_old_ones_are_forgotten(jobs: JobStore, work: WorkStore, let_pass: Pass) -> None:
    ended, waits = await add(jobs, "a", "b")
    await work.finish(await claimed(work), Result(None))
    await work.forget(10)
    await let_pass(11)
    await work.forget(10)
    left: list[Job] = await jobs.page((), None, None, 10)
    assert [job.id for job in left] == [waits]
    assert ended != waits


async def test_time_is_the_databases(scope: Scope, jobs: JobStore) -> None:
    await add(jobs, "a")
    (job,) = await jobs.page((), None, None, 1)
    async with scope.read() as session:
        query = "SELECT created_at FROM jobs"
        assert (await session.execute(select(JobRow.created_at))).scalar_one() == job.created_at, query
    assert job.run_at == job.created_at > 1_700_000_000


async def test_they_are_counted_by_state(jobs: JobStore, work: WorkStore) -> None:
    assert await work.counts() == {}
    await add(jobs, "a", "b", "c")
    await work.finish(await claimed(work), Result(None))
    assert await work.counts() == {JobState.DONE: 1, JobState.QUEUED: 2}
