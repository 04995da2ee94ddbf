"""`halext alerts`: what was told, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from halext.cli import house, output
from halext.runtime.units import show_duration, show_time

if TYPE_CHECKING:
    from halext.runtime.shapes_alerts import IncidentInfo, NoticeInfo


def alerts(
    ctx: typer.Context,
    only_open: Annotated[bool, typer.Option("--open", help="Only what is not over.")] = False,
    as_json: house.AsJson = False,
) -> None:
    """List nodes that were offline for too long, the newest first, and who was told."""
    from halext.runtime.shapes_alerts import ListAlerts
    from halext.runtime.verbs.alerts import list_alerts

    rows = house.call(ctx, list_alerts, ListAlerts(open=only_open))
    if as_json:
        output.json(rows)
    elif rows:
        output.table(["id", "node", "since", "lasted", "told", "reason"], [_line(row) for row in rows])
    else:
        output.err("No node is missing." if only_open else "No node has been offline for long.")


def _line(row: IncidentInfo) -> list[str]:
    lasted = "open" if row.ended_at is None else show_duration(max(0.0, row.ended_at - row.started_at))
    if row.ending == "removed":
        lasted += ", then removed"
    told = ", ".join(map(_told, row.told)) or "nobody yet"
    return [str(row.id), row.node, show_time(row.started_at), lasted, told, row.reason]


def _told(notice: NoticeInfo) -> str:
    match notice.state:
        case "waiting":
            return f"{notice.place} (not yet: {notice.error})" if notice.error else f"{notice.place} (not yet)"
        case "given-up":
            return f"{notice.place} (given up)"
        case _:
            return notice.place
