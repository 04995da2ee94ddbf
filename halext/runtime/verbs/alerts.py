"""What someone must know: incidents, and who was told of them."""

from __future__ import annotations

from halext.accounts.types import Caller, Permission
from halext.errors import InvalidInput
from halext.runtime.app import App
from halext.runtime.operations import operation
from halext.runtime.present import incident_info
from halext.runtime.shapes_alerts import IncidentInfo, ListAlerts

MOST = 500
"""Incidents in one answer."""


@operation("GET", "/hx/admin/alerts", Permission.SEE_HOUSE)
async def list_alerts(app: App, caller: Caller, params: ListAlerts) -> list[IncidentInfo]:
    """Nodes that were offline for too long, the newest first, and who was told."""
    del caller
    if not 1 <= params.limit <= MOST:
        raise InvalidInput(f"`limit` is a number from 1 to {MOST}.")
    return [incident_info(incident) for incident in await app.watch.latest(params.limit, only_open=params.open)]
