"""For machines that ask whether halext runs."""

from __future__ import annotations

import asyncio

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp

from halext.accounts.types import Permission
from halext.errors import DatabaseUnavailable
from halext_web.routes import Route, route
from halext_web.visit import Visit

PING_S = 2.0
"""A database that takes longer for nothing does not serve anyone."""


def routes() -> list[Route]:
    """Liveness and readiness."""
    return [
        route("/healthz", alive, Permission.PUBLIC),
        route("/readyz", ready, Permission.PUBLIC),
    ]


async def alive(visit: Visit) -> ASGIApp:
    """GET /healthz: the process answers."""
    del visit
    return PlainTextResponse("ok\n")


async def ready(visit: Visit) -> ASGIApp:
    """GET /readyz: it can do its work, which takes the database."""
    try:
        async with asyncio.timeout(PING_S):
            await visit.app.database.ping()
    except TimeoutError:
        raise DatabaseUnavailable from None
    return PlainTextResponse("ready\n")
