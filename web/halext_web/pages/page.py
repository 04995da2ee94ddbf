"""One page: its template, with what every page shows."""

from __future__ import annotations

from typing import Any

from starlette.responses import HTMLResponse

from halext_web.visit import Visit


def page(visit: Visit, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """The rendered page."""
    everywhere = {"nonce": visit.nonce, "caller": visit.known, "path": visit.request.scope["path"]}
    return HTMLResponse(visit.templates.render(template, everywhere | context), status_code=status)
