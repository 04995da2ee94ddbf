"""`halext key`: the vault. Secrets come from a prompt or a pipe, never from the argument list, and are never shown."""

from __future__ import annotations

from typing import Annotated

import typer

from halext.cli import house, output
from halext.cli.entry import read_secret
from halext.runtime.units import show_time

app = typer.Typer(help="Stored secrets, such as a bot's token.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="What the secret is called, such as `discord`.")]
Mine = Annotated[bool, typer.Option("--mine", help="Your own, and not the house's.")]
OfUser = Annotated[str | None, typer.Option("--user", help="With --mine, whose, on the server's own machine.")]


@app.command("set", epilog="Examples: `halext key set discord`; `halext key set discord < token.txt`.")
def set_(ctx: typer.Context, name: Name, mine: Mine = False, user: OfUser = None) -> None:
    """Store a secret, encrypted; asks for its value, or reads one line that is piped in."""
    from halext.runtime.shapes import SetKey
    from halext.runtime.shapes_keys import SetOwnKey
    from halext.runtime.verbs.keys import set_key, set_own_key

    value = read_secret(f"Value of {name}")
    if _is_own(mine, user):
        done = house.call(ctx, set_own_key, SetOwnKey(name=name, value=value, user=user))
    else:
        done = house.call(ctx, set_key, SetKey(name=name, value=value))
    output.out(done.message)


@app.command("list")
def list_(ctx: typer.Context, mine: Mine = False, user: OfUser = None, as_json: house.AsJson = False) -> None:
    """List the names of the house's secrets, or of your own."""
    from halext.runtime.shapes import Nothing
    from halext.runtime.shapes_keys import KeysOf
    from halext.runtime.verbs.keys import list_keys, list_own_keys

    if _is_own(mine, user):
        rows = house.call(ctx, list_own_keys, KeysOf(user=user))
    else:
        rows = house.call(ctx, list_keys, Nothing())
    if as_json:
        output.json(rows)
    elif rows:
        lines = [
            (
                row.name,
                row.owner or "the house",
                row.purpose,
                show_time(row.updated_at),
                "never" if row.used_at is None else show_time(row.used_at),
                row.key_id,
            )
            for row in rows
        ]
        output.table(["name", "owner", "purpose", "changed", "last used", "sealed by"], lines)
    else:
        output.err(f"No secret is stored yet; `halext key set NAME{' --mine' if mine else ''}` stores one.")


@app.command()
def remove(ctx: typer.Context, name: Name, mine: Mine = False, user: OfUser = None) -> None:
    """Forget a secret."""
    from halext.runtime.shapes import Named
    from halext.runtime.shapes_keys import OwnKey
    from halext.runtime.verbs.keys import remove_key, remove_own_key

    if _is_own(mine, user):
        done = house.call(ctx, remove_own_key, OwnKey(name=name, user=user))
    else:
        done = house.call(ctx, remove_key, Named(name=name))
    output.out(done.message)


@app.command()
def rotate(ctx: typer.Context) -> None:
    """Make a new master key and seal every secret with it; halext may run meanwhile.

    With HALEXT_MASTER_KEY, put the new key in front of the old one there first, and start halext anew; then this
    command seals with it.
    """
    from halext.runtime.shapes import Nothing
    from halext.runtime.verbs.keys import rotate_keys

    done = house.call(ctx, rotate_keys, Nothing())
    what = "Went on with a rotation that had not been finished, and sealed" if done.is_resumed else "Sealed"
    output.out(f"{what} with the new master key: {done.sealed} secret{'' if done.sealed == 1 else 's'}.")
    if done.older_keys:
        output.out("The older keys stay behind it: backups from before today still need them.")


def _is_own(mine: bool, user: str | None) -> bool:
    if user is not None and not mine:
        raise typer.BadParameter("--user goes with --mine; the house's secrets are nobody's own.")
    return mine
