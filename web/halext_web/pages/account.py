"""The pages for who is not in yet: sign in, and the one-time links of the first admin and of invites."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp

from halext.accounts.types import Permission
from halext.errors import HalextError
from halext_web.pages.page import page
from halext_web.routes import Route, route
from halext_web.visit import Visit

CODE_COOKIE = "hx_code"
"""Carries the one-time code from the link to the form, and out of the address."""
CODE_COOKIE_S = 900
INVITE = "hxi_"
"""What the code of an invite begins with."""
CODE_MAX = 200
"""Characters of a code; ours are much shorter."""


def routes() -> list[Route]:
    """Pages that strangers may see."""
    return [
        route("/sign-in", sign_in, Permission.PUBLIC),
        route("/welcome", welcome, Permission.PUBLIC),
    ]


async def sign_in(visit: Visit) -> ASGIApp:
    """GET /sign-in; who is in already goes on to the chat, but with `?again=1` may show the password once more."""
    if visit.known is not None and "again" not in visit.request.query_params:
        return RedirectResponse("/", status_code=303)
    return await sign_in_page(visit)


async def sign_in_page(visit: Visit, error: HalextError | None = None, *, status: int = 200) -> Response:
    """The form, with what went wrong the last time."""
    has_admin = await visit.app.people.has_admin()
    return page(visit, "sign_in.html", status=error.status if error else status, error=error, has_admin=has_admin)


async def welcome(visit: Visit) -> ASGIApp:
    """GET /welcome?code=… or ?invite=…: it moves into a cookie for this page, so that no history or log keeps it."""
    query = visit.request.query_params
    if code := query.get("code") or query.get("invite"):
        response = RedirectResponse("/welcome", status_code=303)
        response.set_cookie(
            CODE_COOKIE,
            code[:CODE_MAX],
            max_age=CODE_COOKIE_S,
            path="/welcome",
            secure=visit.peer.is_secure,
            httponly=True,
            samesite="lax",  # `strict` would lose it when the link is opened from a mail or a chat
        )
        return response
    return welcome_page(visit, visit.request.cookies.get(CODE_COOKIE, ""))


def welcome_page(visit: Visit, code: str, error: HalextError | None = None) -> Response:
    """The form for a new person, with what went wrong the last time."""
    status = error.status if error else 200
    return page(visit, "welcome.html", status=status, code=code, invited=code.startswith(INVITE), error=error)


def forget_code(response: Response) -> None:
    """The code has been used."""
    response.delete_cookie(CODE_COOKIE, path="/welcome", httponly=True, samesite="lax")
