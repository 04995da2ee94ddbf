"""Signing in and out, the first admin and invites: for scripts by JSON, for pages without JavaScript by forms."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypedDict, TypeVar

import msgspec
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp

from halext.accounts.types import Permission, User
from halext.dialects import reading
from halext.errors import HalextError, InvalidInput, Unauthenticated
from halext.runtime.shapes import Done, Me
from halext_web import failures, forms
from halext_web.credentials import COOKIE, find
from halext_web.pages.account import forget_code, sign_in_page, welcome_page
from halext_web.routes import Route, route
from halext_web.shapes import AccessToken, FirstAdmin, OpenSession, SignIn
from halext_web.visit import FORM_LIMIT, Visit

SESSION_S = 30 * 24 * 3600
"""How long a browser keeps the cookie; halext itself ends the session no later."""


T = TypeVar("T", SignIn, OpenSession, FirstAdmin)


def routes() -> list[Route]:
    """Sessions, the first admin and invites."""
    return [
        route("/hx/session", sign_in, Permission.PUBLIC, "POST"),
        route("/hx/session", sign_out, Permission.USE, "DELETE"),
        route("/hx/first-admin", claim, Permission.PUBLIC, "POST"),
        route("/hx/invites/claim", accept, Permission.PUBLIC, "POST"),
        route("/sign-out", leave, Permission.USE, "POST"),
    ]


async def sign_in(visit: Visit) -> ASGIApp:
    """POST /hx/session: name and password for a session, in a cookie; or for a JWT, as any credential is."""
    try:
        if failures.is_form(visit):
            form = await _read(visit, SignIn)
            return await _open(visit, form.name, form.password)
        asked = await _read(visit, OpenSession)
        if asked.token:
            return await _jwt(visit, asked)
        return await _open(visit, *_both(asked))
    except HalextError as error:
        if failures.is_form(visit):
            return await sign_in_page(visit, error)
        raise


async def claim(visit: Visit) -> ASGIApp:
    """POST /hx/first-admin: the one-time code for an account that may do everything, signed in at once."""
    return await _welcomed(visit, visit.app.people.claim_first_admin)


async def accept(visit: Visit) -> ASGIApp:
    """POST /hx/invites/claim: an invite's code for the account that it is for, signed in at once."""
    return await _welcomed(visit, partial(visit.app.invites.claim, address=visit.peer.address or None))


async def _welcomed(visit: Visit, made: Callable[[str, str, str], Awaitable[User]]) -> ASGIApp:
    code = ""
    try:
        asked = await _read(visit, FirstAdmin)
        code = asked.code
        user = await made(code, asked.name, asked.password)
        response = await _open(visit, user.name, asked.password)
    except HalextError as error:
        if failures.is_form(visit):
            return welcome_page(visit, code, error)
        raise
    forget_code(response)
    return response


async def _jwt(visit: Visit, asked: OpenSession) -> Response:
    people = visit.app.people
    if asked.name is not None or asked.password is not None:
        name, password = _both(asked)
        credential, _ = await people.sign_in(name, password, **_place(visit), for_jwt=True)
    else:
        shown = find(visit.request.headers, visit.request.query_params)
        if shown is None or visit.known is None:
            raise Unauthenticated
        credential = shown.value
    token, expires_at = await people.access_token(credential, asked.scopes)
    body = AccessToken(access_token=token, expires_at=expires_at)
    return Response(msgspec.json.encode(body), media_type=failures.JSON)


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
    session, user = await visit.app.people.sign_in(name, password, **_place(visit))
    await _end_before(visit)
    response = RedirectResponse("/", status_code=303) if failures.is_form(visit) else _me(user)
    response.set_cookie(
        COOKIE, session, max_age=SESSION_S, path="/", secure=visit.peer.is_secure, httponly=True, samesite="lax"
    )
    return response


async def _end_before(visit: Visit) -> None:
    """A browser that signs in again has one session, and not an older one beside it that nobody would end."""
    before = find(visit.request.headers, visit.request.query_params)
    if visit.known is not None and before is not None and before.kind == "cookie":
        await visit.app.people.sign_out(before.value)


def _both(asked: OpenSession) -> tuple[str, str]:
    if asked.name is None or asked.password is None:
        raise InvalidInput("Signing in takes a `name` and a `password`.")
    return asked.name, asked.password


class _Place(TypedDict):
    address: str | None
    user_agent: str


def _place(visit: Visit) -> _Place:
    return {"address": visit.peer.address or None, "user_agent": visit.request.headers.get("user-agent", "")}


async def _close(visit: Visit, response: Response) -> None:
    if (credential := find(visit.request.headers, visit.request.query_params)) is not None:
        await visit.app.people.sign_out(credential.value)
        await visit.app.audit.write("people.sign-out", visit.caller)
    response.delete_cookie(COOKIE, path="/", secure=visit.peer.is_secure, httponly=True, samesite="lax")


def _me(user: User) -> Response:
    body = Me(name=user.name, role=user.role, credential="session")
    return Response(msgspec.json.encode(body), media_type=failures.JSON)
