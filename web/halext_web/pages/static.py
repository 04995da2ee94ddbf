"""Files for browsers, from memory, under names that change with their content."""

from __future__ import annotations

from starlette.responses import Response
from starlette.types import ASGIApp

from halext.accounts.types import Permission
from halext.errors import NotFound
from halext_web.routes import Route, route
from halext_web.visit import Visit

FOR_EVER = "public, max-age=31536000, immutable"


def routes() -> list[Route]:
    """The static files."""
    return [route("/static/{name}", static, Permission.PUBLIC)]


async def static(visit: Visit) -> ASGIApp:
    """GET /static/NAME.HASH.EXT."""
    address = visit.request.scope["path"]
    for asset in visit.templates.assets.values():
        if asset.address == address:
            headers = {"cache-control": FOR_EVER, "vary": "accept-encoding", "content-type": asset.content_type}
            if "gzip" not in visit.request.headers.get("accept-encoding", ""):
                return Response(asset.data, headers=headers)
            return Response(asset.gzipped, headers=headers | {"content-encoding": "gzip"})
    raise NotFound("There is no such file in this version of halext.")
