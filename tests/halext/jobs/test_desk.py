from __future__ import annotations

import pytest

from halext.accounts.types import LOCAL, Caller, Role, User
from halext.errors import Conflict, InvalidInput, NotFound
from halext.jobs.desk import JobDesk
from halext.jobs.store import WorkStore
from halext.jobs.types import Draft, Job, JobId, JobState, Kind, Progress, Result
from halext.storage.scope import Scope


async def handle(job: Job, caller: Caller, progress: Progress, /) -> Result:
    return Result()


@pytest.fixture
def desk(scope: Scope) -> JobDesk:
    return JobDesk(scope, {"echo": Kind(handle), "once": Kind(handle, is_repeatable=False)})


def caller(user: User) -> Caller:
    return Caller(user.name, Role.MEMBER, "session", user.id)


async def test_an_order_and_those_who_hear_of_it(desk: JobDesk, ann: User, bob: User) -> None:
    heard: list[JobId | None] = []
    desk.listen(heard.append)
    me, other = caller(ann), caller(bob)
    job = await desk.add(me, Draft("echo", {"say": "a"}, key="k"))
    assert (job.state, job.owner_id) == (JobState.QUEUED, ann.id)
    assert (await desk.add(me, Draft("echo", {"say": "a"}, key="k"))).id == job.id
    with pytest.raises(Conflict):
        await desk.add(me, Draft("echo", {"say": "b"}, key="k"))
    assert (await desk.add(other, Draft("echo", {"say": "b"}, key="k"))).id != job.id
    assert heard == [None, None, None]
    assert (await desk.cancel(me, job.id)).state is JobState.CANCELLED
    assert heard[-1] == job.id
    assert (await desk.again(me, job.id)).state is JobState.QUEUED
    assert heard[-1] is None


async def test_a_batch_that_is_sent_again(desk: JobDesk, ann: User) -> None:
    me = caller(ann)
    drafts = [Draft("echo", {"n": number}) for number in range(3)]
    assert await desk.add_batch(me, "labels v1", drafts) == 3
    assert await desk.add_batch(me, " labels  v1", [*drafts, Draft("echo", {"n": 3})]) == 1
    assert [job.key for job in await desk.page(me, name="labels v1", limit=2)] == ["labels v1/3", "labels v1/2"]
    with pytest.raises(Conflict, match="labels v1/0"):
        await desk.add_batch(me, "labels v1", [Draft("echo", {"n": 99})])
    assert await desk.cancel_all(me, "labels v1") == 4
    assert {job.state for job in await desk.page(me)} == {JobState.CANCELLED}


async def test_nobody_has_those_of_others(desk: JobDesk, ann: User, bob: User) -> None:
    job, other = await desk.add(caller(ann), Draft("echo", {})), caller(bob)
    for refused in (
        desk.job(other, job.id),
        desk.cancel(other, job.id),
        desk.again(other, job.id),
        desk.remove(other, job.id),
        desk.job(other, JobId(4711)),
    ):
        with pytest.raises(NotFound) as failure:
            await refused
        assert failure.value.message == "There is no such job; `halext job list` shows yours."
    assert await desk.page(other) == []
    with pytest.raises(InvalidInput, match="belong to a person"):
        await desk.page(LOCAL)


async def test_what_is_not_known_here(desk: JobDesk, ann: User) -> None:
    with pytest.raises(InvalidInput, match="there are: echo, once"):
        await desk.add(caller(ann), Draft("dance", {}))
    for limit in (0, 501):
        with pytest.raises(InvalidInput, match="limit"):
            await desk.page(caller(ann), limit=limit)


async def test_whether_it_can_be_repeated_is_the_kinds(desk: JobDesk, ann: User, scope: Scope) -> None:
    job = await desk.add(caller(ann), Draft("once", {}))
    work = WorkStore(scope)
    await work.claim("w", ["once"], 60)
    await work.leave("w")
    assert (await desk.job(caller(ann), job.id)).state is JobState.INTERRUPTED
    await desk.remove(caller(ann), job.id)
    await desk.forget()
    assert await desk.page(caller(ann)) == []
