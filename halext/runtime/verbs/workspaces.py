"""Workspaces: groups of people who share conversations and tasks."""

from __future__ import annotations

from collections.abc import Sequence

from halext.accounts.types import Caller, Permission
from halext.accounts.workspaces.types import Membership, Standing, Workspace, WorkspaceRole
from halext.runtime.acting import acting_for
from halext.runtime.app import App
from halext.runtime.operations import operation
from halext.runtime.shapes import Done, Nothing
from halext.runtime.shapes_workspaces import (
    OwnerRef,
    PersonInWorkspace,
    PlacePerson,
    RemovePerson,
    RenameWorkspace,
    WorkspaceInfo,
    WorkspacePeople,
    WorkspaceRef,
    WorkspacesOf,
)


@operation("POST", "/hx/workspaces", Permission.OWN)
async def create_workspace(app: App, caller: Caller, params: WorkspaceRef) -> WorkspaceInfo:
    """Make a workspace; the caller is its owner."""
    return _info(await app.workspaces.create(await acting_for(app, caller, params.user), params.name))


@operation("GET", "/hx/workspaces", Permission.OWN)
async def list_workspaces(app: App, caller: Caller, params: WorkspacesOf) -> list[WorkspaceInfo]:
    """The caller's workspaces."""
    return [_info(each) for each in await app.workspaces.mine(await acting_for(app, caller, params.user))]


@operation("GET", "/hx/workspaces/{name}", Permission.OWN)
async def show_workspace(app: App, caller: Caller, params: WorkspaceRef) -> WorkspacePeople:
    """A workspace of the caller's, with its people."""
    person = await acting_for(app, caller, params.user)
    standing, people = await app.workspaces.people(person, params.name)
    return _with_people(standing.workspace, people, str(standing.role))


@operation("PUT", "/hx/workspaces/{name}", Permission.OWN)
async def rename_workspace(app: App, caller: Caller, params: RenameWorkspace) -> Done:
    """Call a workspace something else; for its owners."""
    person = await acting_for(app, caller, params.user)
    renamed = await app.workspaces.rename(person, params.name, params.to)
    return Done(f"The workspace is called {renamed.name} now.")


@operation("DELETE", "/hx/workspaces/{name}", Permission.OWN)
async def delete_workspace(app: App, caller: Caller, params: WorkspaceRef) -> Done:
    """End a workspace; for its owners. What was shared in it is its owners' alone again."""
    await app.workspaces.delete(await acting_for(app, caller, params.user), params.name)
    return Done("The workspace is deleted.")


@operation("POST", "/hx/workspaces/{name}/people", Permission.OWN)
async def add_to_workspace(app: App, caller: Caller, params: PlacePerson) -> Done:
    """Take someone into a workspace; for its owners."""
    person = await acting_for(app, caller, params.user)
    await app.workspaces.add(person, params.name, params.person, WorkspaceRole(params.role))
    return Done(f"{params.person} is in the workspace, as {params.role}.")


@operation("PUT", "/hx/workspaces/{name}/people/{person}", Permission.OWN)
async def set_workspace_role(app: App, caller: Caller, params: PlacePerson) -> Done:
    """Give someone in a workspace another role; for its owners."""
    person = await acting_for(app, caller, params.user)
    await app.workspaces.set_role(person, params.name, params.person, WorkspaceRole(params.role))
    return Done(f"{params.person} is {params.role} in the workspace now.")


@operation("DELETE", "/hx/workspaces/{name}/people/{person}", Permission.OWN)
async def remove_from_workspace(app: App, caller: Caller, params: RemovePerson) -> Done:
    """Take someone out of a workspace, or leave it; what they shared in it is theirs alone again."""
    await app.workspaces.remove(await acting_for(app, caller, params.user), params.name, params.person)
    return Done(f"{params.person} is not in the workspace any more.")


@operation("GET", "/hx/admin/workspaces", Permission.MANAGE_PEOPLE)
async def list_all_workspaces(app: App, caller: Caller, params: Nothing) -> list[WorkspacePeople]:
    """All workspaces and who is in them; nothing of what is shared there."""
    del params
    return [_with_people(workspace, people) for workspace, people in await app.workspaces.everyones(caller)]


@operation("PUT", "/hx/admin/workspaces/{name}/owners/{person}", Permission.MANAGE_PEOPLE)
async def appoint_owner(app: App, caller: Caller, params: OwnerRef) -> Done:
    """Make someone an owner of a workspace, such as when its only one has left the house."""
    await app.workspaces.appoint(caller, params.name, params.person)
    return Done(f"{params.person} is an owner of the workspace now.")


@operation("DELETE", "/hx/admin/workspaces/{name}/owners/{person}", Permission.MANAGE_PEOPLE)
async def dismiss_owner(app: App, caller: Caller, params: OwnerRef) -> Done:
    """Take an owner out of a workspace that has another one."""
    await app.workspaces.dismiss(caller, params.name, params.person)
    return Done(f"{params.person} is not in the workspace any more.")


def _info(standing: Standing) -> WorkspaceInfo:
    workspace = standing.workspace
    return WorkspaceInfo(name=workspace.name, role=str(standing.role), created_at=workspace.created_at)


def _with_people(workspace: Workspace, people: Sequence[Membership], role: str = "") -> WorkspacePeople:
    return WorkspacePeople(
        name=workspace.name,
        role=role,
        created_at=workspace.created_at,
        people=[PersonInWorkspace(name=each.name, role=str(each.role), since=each.since) for each in people],
    )
