"""The page of the audit log, for administrators."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from starlette.types import ASGIApp

from halext.accounts.types import Permission
from halext.errors import InvalidInput
from halext.runtime.shapes_audit import AuditEntry, ListAudit
from halext.runtime.verbs.audit import list_audit
from halext_web.pages.page import page
from halext_web.routes import Route, route
from halext_web.visit import Visit

SHOWN = 100
DIGITS = 18
"""Of an entry's number: what a database can hold."""


@dataclass(frozen=True, slots=True)
class Line:
    """One entry as a line of the table."""

    at: str
    who: str
    action: str
    subject: str
    tone: str
    outcome: str
    place: str
    more: str


def routes() -> list[Route]:
    """The page."""
    return [route("/admin/audit", audit, Permission.SEE_HOUSE)]


async def audit(visit: Visit) -> ASGIApp:
    """GET /admin/audit?who=&action=&after=."""
    query = visit.request.query_params
    who, action = query.get("who", ""), query.get("action", "")
    asked = ListAudit(who=who or None, action=action or None, after=_number(query.get("after", "")), limit=SHOWN)
    entries = await list_audit(visit.app, visit.caller, asked)
    older = entries[-1].id if len(entries) == SHOWN else None
    return page(visit, "audit.html", lines=[_line(entry) for entry in entries], older=older, who=who, action=action)


def _number(text: str) -> int | None:
    if text and not (text.isascii() and text.isdigit() and len(text) <= DIGITS):
        raise InvalidInput("`after` is the number of an entry.")
    return int(text) if text else None


def _line(entry: AuditEntry) -> Line:
    at = dt.datetime.fromtimestamp(entry.at, dt.UTC)
    details = {name: value for name, value in entry.details.items() if name not in {"name", "id"}}
    return Line(
        at=f"{at:%Y-%m-%d %H:%M:%S}",
        who=f"{entry.name} ({entry.credential})",
        action=entry.action,
        subject=entry.subject,
        tone={"ok": "good", "denied": "fair", "failed": "bad"}[entry.outcome],
        outcome=entry.outcome + (f", {entry.count} times" if entry.count > 1 else ""),
        place=entry.address,
        more=", ".join(f"{name}: {value}" for name, value in details.items()),
    )
