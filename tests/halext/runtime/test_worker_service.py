from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from halext.accounts.types import Caller, Role
from halext.accounts.workspaces.types import WorkspaceRole
from halext.jobs.policy import ENDED
from halext.jobs.types import Draft, Job, JobId, JobState, Kind, Progress, Result
from halext.runtime.app import App
from halext.runtime.settings import Settings
from halext.runtime.wiring import open_app
from halext.runtime.worker_service import WorkerService, worker_name


@asynccontextmanager
async def running(app: App) -> AsyncIterator[list[str]]:
    """The service, once it has said something; what it said."""
    said, spoke = list[str](), asyncio.Event()

    def ready(line: str) -> None:
        said.append(line)
        spoke.set()

    task = asyncio.get_running_loop().create_task(WorkerService().run(app, ready))
    async with asyncio.timeout(20):
        await spoke.wait()
        yield said
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_it_does_what_people_order(app: App) -> None:
    done = asyncio.Event()

    async def handle(job: Job, caller: Caller, progress: Progress, /) -> Result:
        done.set()
        return Result(caller.name)

    app.jobs.kinds = {"echo": Kind(handle)}
    user = await app.people.add_user("Ann", Role.MEMBER)
    async with running(app) as said:
        assert said == ["2 jobs at a time"]
        caller = Caller("Ann", Role.MEMBER, "session", user.id)
        job = await app.jobs.add(caller, Draft("echo", {}))
        await done.wait()
    assert (await app.jobs.job(caller, job.id)).state is JobState.DONE
    assert (await app.jobs.job(caller, job.id)).result == "Ann"


async def ended(app: App, caller: Caller, number: JobId) -> Job:
    """The job when nothing becomes of it any more."""
    async with asyncio.timeout(20):
        while True:
            if (job := await app.jobs.job(caller, number)).state in ENDED:
                return job
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("how", ["left", "viewer", "deleted"])
async def test_a_workspace_is_asked_again_when_its_job_is_done(app: App, how: str) -> None:
    """What was ordered on its account is not done on it for someone who may not do that any more."""
    done: list[Caller] = []

    async def handle(job: Job, caller: Caller, progress: Progress, /) -> Result:
        done.append(caller)
        return Result(caller.workspace)

    app.jobs.kinds = {"echo": Kind(handle)}
    users = [await app.people.add_user(name, Role.MEMBER) for name in ("Ann", "Ben")]
    ann, ben = (Caller(user.name, user.role, "session", user.id) for user in users)
    await app.workspaces.create(ann, "family")
    await app.workspaces.add(ann, "family", "Ben", WorkspaceRole.MEMBER)
    here = await app.workspaces.on_behalf(ben, "family")
    first = await app.jobs.add(here, Draft("echo", {}, workspace=here.workspace))
    async with running(app):
        await ended(app, ben, first.id)
    second = await app.jobs.add(here, Draft("echo", {}, workspace=here.workspace))
    match how:
        case "left":
            await app.workspaces.remove(ben, "family", "Ben")
        case "viewer":
            await app.workspaces.set_role(ann, "family", "Ben", WorkspaceRole.VIEWER)
        case _:
            await app.workspaces.delete(ann, "family")
    async with running(app):
        job = await ended(app, ben, second.id)
    assert [caller.workspace for caller in done] == [here.workspace]
    assert job.failure is not None
    assert "any more" in job.failure.message


async def test_a_process_may_take_none(settings: Settings) -> None:
    async with open_app(settings.model_copy(update={"job_slots": 0})) as app, running(app) as said:
        assert said == ["takes no jobs, as HALEXT_JOB_SLOTS says"]


def test_no_two_runs_have_the_same_name() -> None:
    assert len({worker_name() for _ in range(50)}) == 50


@pytest.mark.parametrize("slots", [-1, 65])
def test_slots_have_bounds(slots: int) -> None:
    with pytest.raises(ValueError, match="job_slots"):
        Settings(job_slots=slots)
