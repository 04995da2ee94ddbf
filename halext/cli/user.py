"""`halext user`: people."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from halext.cli import house, output
from halext.cli.entry import read_secret
from halext.cli.quota import quota
from halext.runtime.units import show_time

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


@app.command("sign-out")
def sign_out(ctx: typer.Context, name: Name) -> None:
    """End all sign-ins of a person; their API tokens stay."""
    from halext.runtime.shapes import Named
    from halext.runtime.verbs.sessions import sign_out_user

    output.out(house.call(ctx, sign_out_user, Named(name=name)).message)


@app.command(epilog="Example: `halext user invite --role guest --days 3 --note Ann`.")
def invite(
    ctx: typer.Context,
    role: Annotated[Role, typer.Option(help="What they may do.")] = "member",
    days: Annotated[float, typer.Option(help="How long it is good for; at most 14.")] = 7.0,
    note: Annotated[str, typer.Option(help="Whom it is for, for the list.")] = "",
    as_json: house.AsJson = False,
) -> None:
    """Print a link by which one person gets an account, with a name and a password of their choice."""
    from halext.runtime.shapes_identity import MakeInvite
    from halext.runtime.verbs.invites import make_invite

    made = house.call(ctx, make_invite, MakeInvite(role=role, days=days, note=note))
    if as_json:
        output.json(made)
        return
    output.out(made.link)
    output.err(f"Send it to one person: it makes one {role}, until {show_time(made.info.expires_at)}.")


@app.command()
def invites(ctx: typer.Context, as_json: house.AsJson = False) -> None:
    """List the invites that nobody has used yet."""
    from halext.runtime.shapes import Nothing
    from halext.runtime.verbs.invites import list_invites

    rows = house.call(ctx, list_invites, Nothing())
    if as_json:
        output.json(rows)
    elif rows:
        lines = [(str(row.id), row.role, row.note, row.maker or "-", show_time(row.expires_at)) for row in rows]
        output.table(["id", "role", "for", "made by", "until"], lines)
    else:
        output.err("No invite is open; `halext user invite` makes one.")


@app.command()
def uninvite(
    ctx: typer.Context, id_: Annotated[int, typer.Argument(metavar="ID", help="As in `user invites`.")]
) -> None:
    """End an invite; its link opens nothing any more."""
    from halext.runtime.shapes_identity import InviteRef
    from halext.runtime.verbs.invites import end_invite

    output.out(house.call(ctx, end_invite, InviteRef(id=id_)).message)


@app.command()
def link(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="The person's name; may be left out when there is one.")] = None,
) -> None:
    """Print a code that links a person's Discord or Telegram account: they send it to the bot as `/link CODE`."""
    from halext.runtime.shapes_links import LinksOf
    from halext.runtime.verbs.links import make_link_code

    made = house.call(ctx, make_link_code, LinksOf(user=name))
    output.out(made.code)
    output.err(f"Send the bot `/link {made.code}`; it works once, until {show_time(made.expires_at)}.")


@app.command()
def links(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="The person's name; may be left out when there is one.")] = None,
    as_json: house.AsJson = False,
) -> None:
    """List the chat accounts of a person."""
    from halext.runtime.shapes_links import LinksOf
    from halext.runtime.verbs.links import list_links

    rows = house.call(ctx, list_links, LinksOf(user=name))
    if as_json:
        output.json(rows)
    elif rows:
        lines = [(row.platform, row.account, row.name, show_time(row.linked_at)) for row in rows]
        output.table(["platform", "account", "name", "since"], lines)
    else:
        output.err("No chat account is linked; `halext user link` prints a code for one.")


@app.command()
def unlink(
    ctx: typer.Context,
    platform: Annotated[str, typer.Argument(help="`discord` or `telegram`.")],
    account: Annotated[str, typer.Argument(help="Its number, as `halext user links` shows it.")],
    name: Annotated[str | None, typer.Option("--user", help="Whose it is; may be left out when there is one.")] = None,
) -> None:
    """Forget a chat account at once."""
    from halext.runtime.shapes_links import UnlinkAccount
    from halext.runtime.verbs.links import unlink_account

    output.out(house.call(ctx, unlink_account, UnlinkAccount(user=name, platform=platform, account=account)).message)


app.command(
    epilog="Examples: `halext user quota Ann --tokens-per-day 200000`; `halext user quota --role guest --none`."
)(quota)
