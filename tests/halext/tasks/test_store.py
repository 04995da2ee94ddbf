from __future__ import annotations

import pytest

from halext.accounts.store import PeopleStore
from halext.accounts.types import Role
from halext.errors import Conflict, NotFound
from halext.storage.scope import Scope
from halext.tasks.store import TaskStore
from halext.tasks.types import Draft, Priority, TaskId, TaskState

OPEN = (TaskState.OPEN,)


async def desks(scope: Scope) -> tuple[TaskStore, TaskStore]:
    people = PeopleStore(scope)
    ann, bob = [await people.add(name, Role.MEMBER, None, 0.0) for name in ("Ann", "Bob")]
    return TaskStore(scope, ann.id), TaskStore(scope, bob.id)


async def test_a_task_comes_back_as_it_was(scope: Scope) -> None:
    ann, _ = await desks(scope)
    (task,) = await ann.add([Draft("call", "soon", Priority.HIGH, 12.5)], TaskState.OPEN, 3.25)
    assert (task.title, task.notes, task.priority, task.due_at, task.created_at) == ("call", "soon", "high", 12.5, 3.25)
    assert await ann.all(OPEN) == [task]
    done = await ann.move(task.id, TaskState.DONE, 9.0)
    assert (done.state, done.done_at) == (TaskState.DONE, 9.0)
    assert (await ann.move(task.id, TaskState.DONE, 99.0)).done_at == 9.0
    again = await ann.move(task.id, TaskState.OPEN, 10.0)
    assert (again.state, again.done_at) == (TaskState.OPEN, None)
    assert (await ann.edit(task.id, Draft("write"))).title == "write"
    assert [known.title for known in await ann.all(OPEN)] == ["write"]


async def test_others_tasks_are_not_there(scope: Scope) -> None:
    ann, bob = await desks(scope)
    (task,) = await ann.add([Draft("secret")], TaskState.OPEN, 0.0)
    assert await bob.all(tuple(TaskState)) == []
    for attempt in (bob.move(task.id, TaskState.DONE, 1.0), bob.edit(task.id, Draft("mine"))):
        with pytest.raises(NotFound) as foreign:
            await attempt
        assert foreign.value.message == "There is no such task; `halext task list` shows yours."
    with pytest.raises(NotFound) as missing:
        await bob.move(TaskId(999), TaskState.DONE, 1.0)
    assert missing.value.message == "There is no such task; `halext task list` shows yours."
    assert await ann.all(OPEN) == [task]


async def test_what_can_not_be_leaves_everything_as_it_was(scope: Scope) -> None:
    ann, _ = await desks(scope)
    (task,) = await ann.add([Draft("maybe")], TaskState.SUGGESTED, 0.0)
    with pytest.raises(Conflict):
        await ann.move(task.id, TaskState.DONE, 1.0)
    assert await ann.all([TaskState.SUGGESTED]) == [task]
