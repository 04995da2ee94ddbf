from __future__ import annotations

from typing import Any

import pytest

from halext.accounts.types import Caller, Permission, Role
from halext.chat import later
from halext.errors import Forbidden, InvalidInput, NotFound
from halext.jobs.store import WorkStore
from halext.jobs.types import BATCH, INTERACTIVE, Result
from halext.runtime.app import App
from halext.runtime.control import LocalControl
from halext.runtime.operations import Operation
from halext.runtime.shapes_jobs import AddJob, AddJobs, CancelJobs, JobAnswer, JobMessage, JobRef, ListJobs
from halext.runtime.verbs import jobs
from halext.storage.scope import Scope
from halext.types import UserId


async def person(app: App, name: str) -> LocalControl:
    user = await app.people.add_user(name, Role.MEMBER)
    return LocalControl(app, Caller(user.name, user.role, "token", user.id))


async def test_everyone_has_their_own(app: App) -> None:
    ann, bob = await person(app, "Ann"), await person(app, "Bob")
    added = await ann.call(jobs.add_job, AddJob(prompt="Hello?", system="Be brief.", model="m", name="n"))
    assert (added.kind, added.state, added.prompt, added.priority) == ("ask", "queued", "Hello?", BATCH)
    assert [row.id for row in await ann.call(jobs.list_jobs, ListJobs(state="queued"))] == [added.id]
    assert await bob.call(jobs.list_jobs, ListJobs()) == []
    verbs: list[Operation[Any, Any]] = [jobs.show_job, jobs.cancel_job, jobs.retry_job, jobs.delete_job]
    for verb in verbs:
        with pytest.raises(NotFound, match="no such job"):
            await bob.call(verb, JobRef(id=added.id))
    with pytest.raises(NotFound, match="their own"):
        await bob.call(jobs.show_job, JobRef(id=added.id, user="Ann"))
    assert (await ann.call(jobs.cancel_job, JobRef(id=added.id))).state == "cancelled"
    assert (await ann.call(jobs.retry_job, JobRef(id=added.id))).state == "queued"
    assert (await ann.call(jobs.delete_job, JobRef(id=added.id))).message == f"Job {added.id} is deleted."


async def test_whole_messages_and_answers(app: App) -> None:
    ann = await person(app, "Ann")
    messages = [JobMessage("user", "1+1?"), JobMessage("assistant", "2"), JobMessage("user", "And 2+2?")]
    added = await ann.call(jobs.add_job, AddJob(messages=messages, priority="interactive"))
    assert (added.prompt, added.priority) == ("And 2+2?", INTERACTIVE)
    work = WorkStore(Scope(app.database))
    claim = await work.claim("w", [later.KIND], 60)
    assert claim is not None
    await work.finish(claim, Result({"text": "4", "finish": "stop", "model": "m", "node": "mac"}))
    done = await ann.call(jobs.show_job, JobRef(id=added.id))
    assert done.answer == JobAnswer("4", model="m", node="mac")


async def test_a_batch(app: App) -> None:
    ann = await person(app, "Ann")
    batch = AddJobs(name="labels", prompts=["a", "b"], schema={"type": "object"}, options={"seed": 1})
    assert (await ann.call(jobs.add_jobs, batch)).new == 2
    again = await ann.call(jobs.add_jobs, batch)
    assert (again.new, again.known) == (0, 2)
    assert (await ann.call(jobs.cancel_jobs, CancelJobs(name="labels"))).cancelled == 2


@pytest.mark.parametrize("params", [AddJob(), AddJob(prompt="x", messages=[JobMessage("user", "x")])])
async def test_a_prompt_or_messages(app: App, params: AddJob) -> None:
    with pytest.raises(InvalidInput, match="either"):
        await (await person(app, "Ann")).call(jobs.add_job, params)


async def test_who_may_not_ask_may_not_have_it_asked_later(app: App) -> None:
    user = await app.people.add_user("Ann", Role.MEMBER)
    caller = Caller("Ann", Role.MEMBER, "token", UserId(user.id), scopes=frozenset({Permission.OWN}))
    control = LocalControl(app, caller)
    with pytest.raises(Forbidden, match="use"):
        await control.call(jobs.add_job, AddJob(prompt="x"))
    with pytest.raises(Forbidden, match="use"):
        await control.call(jobs.add_jobs, AddJobs(name="n", prompts=["x"]))
    with pytest.raises(Forbidden, match="use"):
        await control.call(jobs.retry_job, JobRef(id=1))
    assert await control.call(jobs.list_jobs, ListJobs()) == []
