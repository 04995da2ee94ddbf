"""`halext key`: the vault. Secrets come from a prompt or a pipe, never from the argument list, and are never shown."""

from __future__ import annotations

from typing import Annotated

import typer

from halext.cli import house, output
from halext.cli.entry import read_secret
from halext.errors import AlreadyRunning, NotOffered
from halext.runtime.units import show_time

app = typer.Typer(help="Stored secrets, such as a bot's token.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="What the secret is called, such as `discord`.")]


@app.command("set", epilog="Examples: `halext key set discord`; `halext key set discord < token.txt`.")
def set_(ctx: typer.Context, name: Name) -> None:
    """Store a secret, encrypted; asks for its value, or reads one line that is piped in."""
    from halext.runtime.shapes import SetKey
    from halext.runtime.verbs.keys import set_key

    output.out(house.call(ctx, set_key, SetKey(name=name, value=read_secret(f"Value of {name}"))).message)


@app.command("list")
def list_(ctx: typer.Context, as_json: house.AsJson = False) -> None:
    """List the names of all stored secrets."""
    from halext.runtime.shapes import Nothing
    from halext.runtime.verbs.keys import list_keys

    rows = house.call(ctx, list_keys, Nothing())
    if as_json:
        output.json(rows)
    elif rows:
        lines = [(row.name, show_time(row.created_at), show_time(row.updated_at), row.key_id) for row in rows]
        output.table(["name", "created", "changed", "sealed by"], lines)
    else:
        output.err("No secret is stored yet; `halext key set NAME` stores one.")


@app.command()
def remove(ctx: typer.Context, name: Name) -> None:
    """Forget a secret."""
    from halext.runtime.shapes import Named
    from halext.runtime.verbs.keys import remove_key

    output.out(house.call(ctx, remove_key, Named(name=name)).message)


@app.command()
def rotate(ctx: typer.Context) -> None:
    """Make a new master key and seal every secret with it. halext must not be running.

    With HALEXT_MASTER_KEY, put the new key in front of the old one there first; then this command seals with it.
    """
    from halext.runtime import upkeep

    found = house.settings(ctx)
    house.log_quietly(found)
    if found.url is not None:
        raise NotOffered("Keys are rotated on the machine that has them; leave HALEXT_URL out there.")

    try:
        done = house.finish(upkeep.rotate_keys(found))
    except AlreadyRunning as error:
        raise AlreadyRunning("halext is running on this data directory; stop it, then rotate the key.") from error
    output.out(f"Sealed with the new master key: {done.sealed} secret{'' if done.sealed == 1 else 's'}.")
    if done.older_keys:
        output.out("The older keys stay behind it: backups from before today still need them.")
