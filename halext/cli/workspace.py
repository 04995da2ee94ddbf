"""`halext workspace`: groups of people who share conversations and tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from halext.cli import house, output
from halext.runtime.units import show_time

if TYPE_CHECKING:
    from halext.runtime.shapes_workspaces import WorkspacePeople

app = typer.Typer(help="Groups of people who share conversations and tasks.", no_args_is_help=True)

Role = Literal["owner", "member", "viewer"]
Name = Annotated[str, typer.Argument(help="The workspace's name.")]
Person = Annotated[str, typer.Argument(help="The person's name.")]
OfUser = Annotated[str | None, typer.Option("--user", help="In whose name, on the server's own machine.")]
RoleOption = Annotated[Role, typer.Option(help="What they are there: a viewer only reads.")]
RoleArgument = Annotated[Role, typer.Argument(help="What they are there: a viewer only reads.")]


@app.command(epilog="Example: `halext workspace create family`, then `halext workspace add family Ben`.")
def create(ctx: typer.Context, name: Name, user: OfUser = None) -> None:
    """Make a workspace; you are its owner."""
    from halext.runtime.shapes_workspaces import WorkspaceRef
    from halext.runtime.verbs.workspaces import create_workspace

    made = house.call(ctx, create_workspace, WorkspaceRef(name=name, user=user))
    output.out(f"The workspace {made.name} is there.")


@app.command("list")
def list_(
    ctx: typer.Context,
    everyones: Annotated[
        bool, typer.Option("--all", help="Everyone's, with their people; for administrators.")
    ] = False,
    user: OfUser = None,
    as_json: house.AsJson = False,
) -> None:
    """List your workspaces."""
    from halext.runtime.shapes import Nothing
    from halext.runtime.shapes_workspaces import WorkspacesOf
    from halext.runtime.verbs.workspaces import list_all_workspaces, list_workspaces

    if everyones:
        all_rows = house.call(ctx, list_all_workspaces, Nothing())
        if as_json:
            output.json(all_rows)
        for each in [] if as_json else all_rows:
            _show(each)
        return
    rows = house.call(ctx, list_workspaces, WorkspacesOf(user=user))
    if as_json:
        output.json(rows)
    elif rows:
        output.table(
            ["workspace", "you are", "since"], [(row.name, row.role, show_time(row.created_at)) for row in rows]
        )
    else:
        output.err("You are in no workspace; `halext workspace create NAME` makes one.")


@app.command()
def show(ctx: typer.Context, name: Name, user: OfUser = None, as_json: house.AsJson = False) -> None:
    """Show who is in a workspace."""
    from halext.runtime.shapes_workspaces import WorkspaceRef
    from halext.runtime.verbs.workspaces import show_workspace

    found = house.call(ctx, show_workspace, WorkspaceRef(name=name, user=user))
    if as_json:
        output.json(found)
    else:
        _show(found)


@app.command()
def add(ctx: typer.Context, name: Name, person: Person, role: RoleOption = "member", user: OfUser = None) -> None:
    """Take someone in."""
    from halext.runtime.shapes_workspaces import PlacePerson
    from halext.runtime.verbs.workspaces import add_to_workspace

    asked = PlacePerson(name=name, person=person, role=role, user=user)
    output.out(house.call(ctx, add_to_workspace, asked).message)


@app.command()
def role(ctx: typer.Context, name: Name, person: Person, role: RoleArgument, user: OfUser = None) -> None:
    """Give someone in it another role."""
    from halext.runtime.shapes_workspaces import PlacePerson
    from halext.runtime.verbs.workspaces import set_workspace_role

    asked = PlacePerson(name=name, person=person, role=role, user=user)
    output.out(house.call(ctx, set_workspace_role, asked).message)


@app.command()
def remove(ctx: typer.Context, name: Name, person: Person, user: OfUser = None) -> None:
    """Take someone out at once, or leave; what they shared in it is theirs alone again."""
    from halext.runtime.shapes_workspaces import RemovePerson
    from halext.runtime.verbs.workspaces import remove_from_workspace

    asked = RemovePerson(name=name, person=person, user=user)
    output.out(house.call(ctx, remove_from_workspace, asked).message)


@app.command()
def rename(
    ctx: typer.Context, name: Name, to: Annotated[str, typer.Argument(help="Its new name.")], user: OfUser = None
) -> None:
    """Call a workspace something else."""
    from halext.runtime.shapes_workspaces import RenameWorkspace
    from halext.runtime.verbs.workspaces import rename_workspace

    output.out(house.call(ctx, rename_workspace, RenameWorkspace(name=name, to=to, user=user)).message)


@app.command()
def delete(ctx: typer.Context, name: Name, user: OfUser = None) -> None:
    """End a workspace; what was shared in it is its owners' alone again."""
    from halext.runtime.shapes_workspaces import WorkspaceRef
    from halext.runtime.verbs.workspaces import delete_workspace

    output.out(house.call(ctx, delete_workspace, WorkspaceRef(name=name, user=user)).message)


@app.command()
def appoint(ctx: typer.Context, name: Name, person: Person) -> None:
    """Make someone an owner, such as when the only one has left the house; for administrators."""
    from halext.runtime.shapes_workspaces import OwnerRef
    from halext.runtime.verbs.workspaces import appoint_owner

    output.out(house.call(ctx, appoint_owner, OwnerRef(name=name, person=person)).message)


@app.command()
def dismiss(ctx: typer.Context, name: Name, person: Person) -> None:
    """Take an owner out of a workspace that has another one; for administrators."""
    from halext.runtime.shapes_workspaces import OwnerRef
    from halext.runtime.verbs.workspaces import dismiss_owner

    output.out(house.call(ctx, dismiss_owner, OwnerRef(name=name, person=person)).message)


def _show(workspace: WorkspacePeople) -> None:
    output.out(workspace.name)
    output.table(
        ["name", "role", "since"], [(each.name, each.role, show_time(each.since)) for each in workspace.people]
    )
