"""`halext db`: the database's schema."""

from __future__ import annotations

import typer

from halext.cli import house, output

app = typer.Typer(help="The database's schema.", no_args_is_help=True)


@app.command()
def upgrade(ctx: typer.Context) -> None:
    """Bring the database to this version's schema. A SQLite file is copied first; halext must not be running."""
    from halext.runtime import upkeep

    found = house.settings(ctx)
    house.log_quietly(found)
    done = house.finish(upkeep.upgrade_database(found))
    if done.before == done.after:
        output.out(f"The schema is at {done.after} already.")
    else:
        output.out(f"The schema went from {done.before or 'nothing'} to {done.after}.")
    if done.backup:
        output.out(f"The file as it was before is {done.backup}.")


@app.command()
def check(ctx: typer.Context, as_json: house.AsJson = False) -> int:
    """Say whether the database has the schema that this version needs. Exit 1 when it has not."""
    from halext.runtime import upkeep

    found = house.settings(ctx)
    house.log_quietly(found)
    report = house.finish(upkeep.check_database(found))
    if as_json:
        output.json({"state": report.state, "differences": report.differences})
    else:
        output.out(_sentence(report.state))
        for line in report.differences:
            output.out(f"  differs: {line}")
    return 0 if report.is_current else 1


def _sentence(state: str) -> str:
    return {
        "empty": "The database has no tables yet; run `halext db upgrade`.",
        "older": "The schema is older than this halext; run `halext db upgrade`.",
        "current": "The schema is this halext's.",
        "newer": "The schema was made by a newer halext; install that version.",
        "foreign": "The database holds tables that are not halext's; give it one of its own (HALEXT_DATABASE_URL).",
    }[state]
