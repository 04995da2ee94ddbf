"""What was done here, and by whom."""

from __future__ import annotations

from halext.accounts.audit.types import Query
from halext.accounts.types import Caller, Permission
from halext.runtime.app import App
from halext.runtime.operations import operation
from halext.runtime.present import audit_entry
from halext.runtime.shapes_audit import AuditEntry, ListAudit


@operation("GET", "/hx/admin/audit", Permission.SEE_HOUSE)
async def list_audit(app: App, caller: Caller, params: ListAudit) -> list[AuditEntry]:
    """What was done and what was refused, the newest first."""
    query = Query(
        since=params.since,
        until=params.until,
        who=params.who,
        action=params.action,
        after=params.after,
        limit=params.limit,
    )
    return [audit_entry(entry) for entry in await app.audit.page(caller, query)]
