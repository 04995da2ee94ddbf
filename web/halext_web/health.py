"""For machines that ask whether halext runs, and how."""

from __future__ import annotations

import asyncio

from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp

from halext.accounts.types import Permission
from halext.errors import DatabaseUnavailable
from halext.runtime.metrics.text import CONTENT_TYPE
from halext.runtime.scrape import scrape
from halext_web.routes import Route, route
from halext_web.visit import Visit

PING_S = 2.0
"""A database that takes longer for nothing does not serve anyone."""


def routes() -> list[Route]:
    """Liveness, readiness and metrics."""
    return [
        route("/healthz", alive, Permission.PUBLIC),
        route("/readyz", ready, Permission.PUBLIC),
        route("/metrics", metrics, Permission.SEE_HOUSE),
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


async def metrics(visit: Visit) -> ASGIApp:
    """GET /metrics: the house in figures, for Prometheus."""
    return Response(await scrape(visit.app), headers={"content-type": CONTENT_TYPE})
