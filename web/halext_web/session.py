"""Signing in and out, and the first admin: for scripts by JSON, for pages without JavaScript by forms."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp

from halext.accounts.types import Permission, User
from halext.dialects import reading
from halext.errors import HalextError
from halext.runtime.shapes import Done, Me
from halext_web import failures, forms
from halext_web.credentials import COOKIE, find
from halext_web.pages.account import forget_code, sign_in_page, welcome_page
from halext_web.routes import Route, route
from halext_web.shapes import FirstAdmin, SignIn
from halext_web.visit import FORM_LIMIT, Visit

SESSION_S = 30 * 24 * 3600
"""How long a browser keeps the cookie; halext itself ends the session no later."""


T = TypeVar("T", SignIn, FirstAdmin)


def routes() -> list[Route]:
    """Sessions and the first admin."""
    return [
        route("/hx/session", sign_in, Permission.PUBLIC, "POST"),
        route("/hx/session", sign_out, Permission.USE, "DELETE"),
        route("/hx/first-admin", claim, Permission.PUBLIC, "POST"),
        route("/sign-out", leave, Permission.USE, "POST"),
    ]


async def sign_in(visit: Visit) -> ASGIApp:
    """POST /hx/session: name and password for a session, in a cookie."""
    try:
        asked = await _read(visit, SignIn)
        return await _open(visit, asked.name, asked.password)
    except HalextError as error:
        if failures.is_form(visit):
            return await sign_in_page(visit, error)
        raise


async def claim(visit: Visit) -> ASGIApp:
    """POST /hx/first-admin: the one-time code for an account that may do everything, signed in at once."""
    code = ""
    try:
        asked = await _read(visit, FirstAdmin)
        code = asked.code
        user = await visit.app.people.claim_first_admin(code, asked.name, asked.password)
        response = await _open(visit, user.name, asked.password)
    except HalextError as error:
        if failures.is_form(visit):
            return welcome_page(visit, code, error)
        raise
    forget_code(response)
    return response


async def sign_out(visit: Visit) -> ASGIApp:
    """DELETE /hx/session."""
    response = Response(msgspec.json.encode(Done("You are signed out.")), media_type=failures.JSON)
    await _close(visit, response)
    return response


async def leave(visit: Visit) -> ASGIApp:
    """POST /sign-out, from a page."""
    response = RedirectResponse("/", status_code=303)
    await _close(visit, response)
    return response


async def _read(visit: Visit, shape: type[T]) -> T:
    if not failures.is_form(visit):
        return reading.from_client(msgspec.json.Decoder(shape), await visit.body(FORM_LIMIT))
    fields = await forms.read(visit)
    return msgspec.convert({name: forms.need(fields, name) for name in shape.__struct_fields__}, shape)


async def _open(visit: Visit, name: str, password: str) -> Response:
    session, user = await visit.app.people.sign_in(name, password, address=visit.peer.address or None)
    response = RedirectResponse("/", status_code=303) if failures.is_form(visit) else _me(user)
    response.set_cookie(
        COOKIE, session, max_age=SESSION_S, path="/", secure=visit.peer.is_secure, httponly=True, samesite="lax"
    )
    return response


async def _close(visit: Visit, response: Response) -> None:
    if (credential := find(visit.request.headers, visit.request.query_params)) is not None:
        await visit.app.people.sign_out(credential.value)
        await visit.app.audit.write("people.sign-out", visit.caller)
    response.delete_cookie(COOKIE, path="/", secure=visit.peer.is_secure, httponly=True, samesite="lax")


def _me(user: User) -> Response:
    body = Me(name=user.name, role=user.role, credential="session")
    return Response(msgspec.json.encode(body), media_type=failures.JSON)
