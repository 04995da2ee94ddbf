from __future__ import annotations

import pytest

from halext.accounts.types import Caller, Role
from halext.errors import InvalidInput, NotFound
from halext.runtime.app import App
from halext.runtime.control import LocalControl
from halext.runtime.shapes_tasks import AddTask, EditTask, ListTasks, MoveTask
from halext.runtime.verbs import tasks


async def test_everyone_has_their_own(app: App) -> None:
    users = [await app.people.add_user(name, Role.MEMBER) for name in ("Ann", "Bob")]
    ann, bob = [LocalControl(app, Caller(user.name, user.role, "token", user.id)) for user in users]
    row = await ann.call(tasks.add_task, AddTask(title="call", priority="high"))
    assert [known.id for known in await ann.call(tasks.list_tasks, ListTasks())] == [row.id]
    assert await bob.call(tasks.list_tasks, ListTasks()) == []
    with pytest.raises(NotFound):
        await bob.call(tasks.move_task, MoveTask(id=row.id, state="done"))
    with pytest.raises(NotFound, match="their own"):
        await bob.call(tasks.list_tasks, ListTasks(user="Ann"))
    assert (await ann.call(tasks.edit_task, EditTask(id=row.id, title="write"))).priority == "normal"
    assert (await ann.call(tasks.move_task, MoveTask(id=row.id, state="done"))).state == "done"
    assert await ann.call(tasks.list_tasks, ListTasks()) == []
    assert [known.id for known in await ann.call(tasks.list_tasks, ListTasks(states=["done"]))] == [row.id]


async def test_the_owner_of_the_machine_says_whose(app: App, control: LocalControl) -> None:
    with pytest.raises(InvalidInput, match="--user"):
        await control.call(tasks.add_task, AddTask(title="x"))
    await app.people.add_user("Ann", Role.ADMIN)
    assert (await control.call(tasks.add_task, AddTask(title="for the only one"))).id
    await app.people.add_user("Bob", Role.MEMBER)
    with pytest.raises(InvalidInput, match="--user"):
        await control.call(tasks.list_tasks, ListTasks())
    assert [known.title for known in await control.call(tasks.list_tasks, ListTasks(user="ann"))]
    with pytest.raises(NotFound, match="nobody called"):
        await control.call(tasks.list_tasks, ListTasks(user="Eve"))
