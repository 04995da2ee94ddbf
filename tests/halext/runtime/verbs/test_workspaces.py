from __future__ import annotations

import pytest

from halext.accounts.types import Caller, Role
from halext.errors import Forbidden, UnknownWorkspace
from halext.runtime.app import App
from halext.runtime.control import LocalControl
from halext.runtime.shapes import Nothing, Since
from halext.runtime.shapes_tasks import AddTask, ListTasks, ShareTask
from halext.runtime.shapes_workspaces import (
    OwnerRef,
    PlacePerson,
    RemovePerson,
    RenameWorkspace,
    WorkspaceRef,
    WorkspacesOf,
)
from halext.runtime.verbs import house, tasks, workspaces


async def test_a_workspaces_life(app: App, control: LocalControl) -> None:
    users = [await app.people.add_user(name, Role.MEMBER) for name in ("Ann", "Ben")]
    ann, ben = [LocalControl(app, Caller(user.name, user.role, "token", user.id)) for user in users]
    made = await ann.call(workspaces.create_workspace, WorkspaceRef(name="family"))
    assert (made.name, made.role) == ("family", "owner")
    await ann.call(workspaces.add_to_workspace, PlacePerson(name="family", person="Ben", role="viewer"))
    task = await ann.call(tasks.add_task, AddTask(title="call"))
    shared = await ann.call(tasks.share_task, ShareTask(id=task.id, workspace="family"))
    assert (shared.workspace, shared.owner, shared.may) == ("family", "Ann", "own")
    (seen,) = await ben.call(tasks.list_tasks, ListTasks())
    assert (seen.id, seen.workspace, seen.owner, seen.may) == (task.id, "family", "Ann", "read")
    await ann.call(workspaces.set_workspace_role, PlacePerson(name="family", person="Ben", role="member"))
    await ann.call(workspaces.rename_workspace, RenameWorkspace(name="family", to="home"))
    found = await ben.call(workspaces.show_workspace, WorkspaceRef(name="home"))
    assert (found.role, [(each.name, each.role) for each in found.people]) == (
        "member",
        [("Ann", "owner"), ("Ben", "member")],
    )
    assert [each.name for each in await ben.call(workspaces.list_workspaces, WorkspacesOf())] == ["home"]
    assert await ann.call(house.show_usage, Since(workspace="home")) == []
    with pytest.raises(Forbidden):
        await ben.call(house.show_usage, Since(workspace="home"))
    await ben.call(workspaces.remove_from_workspace, RemovePerson(name="home", person="Ben"))
    with pytest.raises(UnknownWorkspace):
        await ben.call(workspaces.show_workspace, WorkspaceRef(name="home"))
    await control.call(workspaces.appoint_owner, OwnerRef(name="home", person="Ben"))
    await control.call(workspaces.dismiss_owner, OwnerRef(name="home", person="Ann"))
    (everyones,) = await control.call(workspaces.list_all_workspaces, Nothing())
    assert [(each.name, each.role) for each in everyones.people] == [("Ben", "owner")]
    with pytest.raises(Forbidden):
        await ben.call(workspaces.list_all_workspaces, Nothing())
    await control.call(workspaces.delete_workspace, WorkspaceRef(name="home", user="ben"))
    assert await control.call(workspaces.list_all_workspaces, Nothing()) == []
