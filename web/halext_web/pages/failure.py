"""The page for what went wrong, in plain words."""

from __future__ import annotations

from starlette.responses import Response

from halext.errors import HalextError, Unauthenticated
from halext_web.pages.account import sign_in_page
from halext_web.pages.page import page
from halext_web.visit import Visit

TITLES = {
    400: "That request can’t be read",
    403: "That isn’t open to you",
    404: "There is nothing here",
    405: "That address works differently",
    413: "That is too much at once",
    422: "Something is missing",
    429: "A little slower, please",
    503: "Not just now",
    504: "Nobody answered in time",
}


async def failure_page(visit: Visit, error: HalextError) -> Response:
    """The page for an error; for a stranger the way in."""
    if isinstance(error, Unauthenticated):
        return await sign_in_page(visit, status=error.status)
    title = TITLES.get(error.status, "That did not work")
    return page(visit, "failure.html", status=error.status, title=title, error=error, request_id=visit.id)
