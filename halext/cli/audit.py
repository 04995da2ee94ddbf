"""`halext audit`: what was done here, by whom, and what was refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from halext.cli import house, output
from halext.runtime.units import parse_duration, show_time

if TYPE_CHECKING:
    from halext.runtime.control import Control
    from halext.runtime.shapes_audit import AuditEntry, ListAudit

EXAMPLES = "Examples: `halext audit --since 7d --action people`, `halext audit --csv audit.csv`."
SHOWN = 50
"""Entries on a terminal; exports have all."""
PAGE = 1000
COLUMNS = (
    "id",
    "at",
    "name",
    "user_id",
    "credential",
    "action",
    "subject",
    "outcome",
    "address",
    "request_id",
    "count",
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet calculate, or call, what a cell says."""


def audit(
    ctx: typer.Context,
    since: Annotated[
        float | None, typer.Option(parser=parse_duration, metavar="TIME", help="Only so long back, such as 7d.")
    ] = None,
    who: Annotated[str | None, typer.Option(help="Only what this person did.")] = None,
    action: Annotated[str | None, typer.Option(help="Such as people.set-role, or people for all of them.")] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write everything to a file for spreadsheets.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything, one JSON object per line.")] = False,
) -> None:
    """List what was done and what was refused, the newest first."""
    from halext.runtime.clock import SystemClock
    from halext.runtime.shapes_audit import ListAudit

    begin = 0.0 if since is None else SystemClock().now() - since
    is_export = as_json or csv is not None
    asked = ListAudit(since=begin, who=who, action=action, limit=PAGE if is_export else SHOWN)
    rows = house.run(ctx, lambda control: _pages(control, asked, everything=is_export))
    if csv is not None:
        write_csv(csv, rows)
        output.err(f"{len(rows)} entries are in {csv}.")
    if as_json:
        _print_lines(rows)
    elif csv is None and rows:
        output.table(["at", "who", "by", "action", "on", "outcome", "from"], map(_line, rows))
    elif csv is None:
        output.err("Nothing of this is on record.")


async def _pages(control: Control, asked: ListAudit, *, everything: bool) -> list[AuditEntry]:
    import msgspec

    from halext.runtime.verbs.audit import list_audit

    rows = await control.call(list_audit, asked)
    page = rows
    while everything and len(page) == asked.limit:
        page = await control.call(list_audit, msgspec.structs.replace(asked, after=page[-1].id))
        rows += page
    return rows


def write_csv(path: Path, rows: Sequence[AuditEntry]) -> None:
    """A file for spreadsheets, readable by its owner only; no cell of it is a formula. Raises `InvalidInput`."""
    import csv
    import io

    from halext.errors import InvalidInput

    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow((*COLUMNS, "details"))
    writer.writerows(_cells(row) for row in rows)
    try:
        path.touch(mode=0o600)
        path.write_text(text.getvalue(), encoding="utf-8", newline="")
    except OSError as error:
        raise InvalidInput(f"{path} can't be written: {error.strerror}.") from error


def _cells(row: AuditEntry) -> Iterator[str]:
    import msgspec

    values = [getattr(row, name) for name in COLUMNS]
    for value in (*values, msgspec.json.encode(row.details).decode()):
        text = "" if value is None else str(value)
        yield f"'{text}" if text.startswith(FORMULA) else text


def _print_lines(rows: Sequence[AuditEntry]) -> None:
    import msgspec

    for row in rows:
        output.out(msgspec.json.encode(row).decode())


def _line(row: AuditEntry) -> list[str]:
    times = f" ({row.count} times)" if row.count > 1 else ""
    why = row.details.get("why")
    outcome = f"{row.outcome}: {why}" if why else row.outcome
    return [show_time(row.at), row.name, row.credential, row.action, row.subject, outcome + times, row.address]
