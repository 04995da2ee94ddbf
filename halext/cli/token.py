"""`halext token`: API tokens."""

from __future__ import annotations

from typing import Annotated

import typer

from halext.cli import house, output
from halext.runtime.units import parse_duration, show_time

app = typer.Typer(help="API tokens, for programs and other doors.", no_args_is_help=True)


@app.command(epilog="Example: `halext token create notebook --user ada --expires 30d`.")
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="What it is for, such as `notebook`.")],
    user: Annotated[str | None, typer.Option(help="Whose token it is; without it, the caller's own.")] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="A right that it carries, such as `manage-nodes`; `all` for all of its owner's."),
    ] = None,
    expires: Annotated[float | None, typer.Option(parser=parse_duration, metavar="TIME", help="Such as 30d.")] = None,
    as_json: house.AsJson = False,
) -> None:
    """Create an API token and print it, this once; without `--scope` it carries the rights `use` and `own`."""
    from halext.runtime.shapes import CreateToken
    from halext.runtime.verbs.people import create_token

    created = house.call(
        ctx, create_token, CreateToken(name=name, user=user, expires_in_s=expires, scopes=scope or None)
    )
    if as_json:
        output.json(created)
        return
    output.out(created.token)
    until = f" It ends at {show_time(created.info.expires_at)}." if created.info.expires_at else ""
    output.err(f"Copy it now: it is {created.info.owner}'s key to halext, and is not shown again.{until}")


@app.command("list")
def list_(ctx: typer.Context, as_json: house.AsJson = False) -> None:
    """List the tokens, without the tokens; on the server's own machine, everyone's."""
    from halext.runtime.shapes import Nothing
    from halext.runtime.verbs.people import list_tokens

    rows = house.call(ctx, list_tokens, Nothing())
    if as_json:
        output.json(rows)
    elif rows:
        lines = [
            (
                *(str(row.id), row.owner, row.name, row.hint, ", ".join(row.scopes or ["all"])),
                *(show_time(at) for at in (row.created_at, row.expires_at, row.last_used_at)),
            )
            for row in rows
        ]
        output.table(["id", "owner", "name", "begins", "may", "created", "expires", "last used"], lines)
    else:
        output.err("There is no token yet; `halext token create NAME --user WHO` makes one.")


@app.command()
def revoke(ctx: typer.Context, id_: Annotated[int, typer.Argument(metavar="ID", help="As in `token list`.")]) -> None:
    """End a token at once."""
    from halext.runtime.shapes import RevokeToken
    from halext.runtime.verbs.people import revoke_token

    output.out(house.call(ctx, revoke_token, RevokeToken(id=id_)).message)
