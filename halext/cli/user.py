"""`halext user`: people."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from halext.cli import house, output
from halext.cli.entry import read_secret
from halext.cli.units import show_time

app = typer.Typer(help="People with an account.", no_args_is_help=True)

Role = Literal["admin", "member", "guest"]
Name = Annotated[str, typer.Argument(help="The person's name.")]


@app.command(epilog="Examples: `halext user add ada --role admin`; `halext user add robot --no-password`.")
def add(
    ctx: typer.Context,
    name: Name,
    role: Annotated[Role, typer.Option(help="What they may do.")] = "member",
    password: Annotated[
        bool, typer.Option("--password/--no-password", help="Without one they can use API tokens only.")
    ] = True,
) -> None:
    """Add a person; asks twice for a password, or reads one line that is piped in."""
    from halext.runtime.shapes import AddUser
    from halext.runtime.verbs.people import add_user

    secret = read_secret(f"Password for {name}", twice=True) if password else None
    added = house.call(ctx, add_user, AddUser(name=name, role=role, password=secret))
    output.out(f"{added.name} is here, as {added.role}.")


@app.command("list")
def list_(ctx: typer.Context, as_json: house.AsJson = False) -> None:
    """List all people."""
    from halext.runtime.shapes import Nothing
    from halext.runtime.verbs.people import list_users

    rows = house.call(ctx, list_users, Nothing())
    if as_json:
        output.json(rows)
    elif rows:
        lines = [(row.name, row.role, "no" if row.disabled else "yes", show_time(row.created_at)) for row in rows]
        output.table(["name", "role", "may come in", "since"], lines)
    else:
        output.err("There is nobody yet; `halext user add NAME --role admin` adds the first one.")


@app.command()
def role(ctx: typer.Context, name: Name, role: Annotated[Role, typer.Argument(help="What they may do.")]) -> None:
    """Give a person another role."""
    from halext.runtime.shapes import SetRole
    from halext.runtime.verbs.people import set_role

    changed = house.call(ctx, set_role, SetRole(name=name, role=role))
    output.out(f"{changed.name} is {changed.role} now.")


@app.command()
def passwd(ctx: typer.Context, name: Name) -> None:
    """Give a person another password; their sign-ins end."""
    from halext.runtime.shapes import SetPassword
    from halext.runtime.verbs.people import set_password

    secret = read_secret(f"New password for {name}", twice=True)
    changed = house.call(ctx, set_password, SetPassword(name=name, password=secret))
    output.out(f"{changed.name} has another password now.")


@app.command()
def disable(ctx: typer.Context, name: Name) -> None:
    """Shut a person out at once, with their sign-ins and tokens."""
    _set_disabled(ctx, name, disabled=True)


@app.command()
def enable(ctx: typer.Context, name: Name) -> None:
    """Let a person in again."""
    _set_disabled(ctx, name, disabled=False)


def _set_disabled(ctx: typer.Context, name: str, *, disabled: bool) -> None:
    from halext.runtime.shapes import SetDisabled
    from halext.runtime.verbs.people import set_disabled

    changed = house.call(ctx, set_disabled, SetDisabled(name=name, disabled=disabled))
    output.out(f"{changed.name} {'is shut out' if changed.disabled else 'may come in'} now.")
