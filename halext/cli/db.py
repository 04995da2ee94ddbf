"""`halext db`: the database's schema."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import typer

from halext.cli import house, output

if TYPE_CHECKING:
    from halext.storage.schema import SchemaState, Upgraded

app = typer.Typer(help="The database's schema.", no_args_is_help=True)


@app.command()
def upgrade(ctx: typer.Context) -> None:
    """Bring the database to this version's schema. A SQLite file is copied first; halext must not be running."""
    from halext.runtime.wiring import open_database_only
    from halext.storage import schema

    found = house.settings(ctx)
    house.log_quietly(found)

    async def work() -> Upgraded:
        async with open_database_only(found) as database:
            return await schema.upgrade(database)

    done = asyncio.run(work())
    if done.before == done.after:
        output.out(f"The schema is at {done.after} already.")
    else:
        output.out(f"The schema went from {done.before or 'nothing'} to {done.after}.")
    if done.backup:
        output.out(f"The file as it was before is {done.backup}.")


@app.command()
def check(ctx: typer.Context, as_json: house.AsJson = False) -> int:
    """Say whether the database has the schema that this version needs. Exit 1 when it has not."""
    from halext.runtime.wiring import open_database_only
    from halext.storage import schema
    from halext.storage.base import Base

    found = house.settings(ctx)
    house.log_quietly(found)

    async def work() -> tuple[SchemaState, list[str]]:
        async with open_database_only(found) as database:
            state = await schema.check(database)
            is_current = state is schema.SchemaState.CURRENT
            return state, await schema.differences(database, Base.metadata) if is_current else []

    state, differences = asyncio.run(work())
    if as_json:
        output.json({"state": str(state), "differences": differences})
    else:
        output.out(_sentence(state))
        for line in differences:
            output.out(f"  differs: {line}")
    return 0 if state is schema.SchemaState.CURRENT and not differences else 1


def _sentence(state: SchemaState) -> str:
    return {
        "empty": "The database has no tables yet; run `halext db upgrade`.",
        "older": "The schema is older than this halext; run `halext db upgrade`.",
        "current": "The schema is this halext's.",
        "newer": "The schema was made by a newer halext; install that version.",
        "foreign": "The database holds tables that are not halext's; give it one of its own (HALEXT_DATABASE_URL).",
    }[state]
