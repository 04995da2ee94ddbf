"""The page of one's account: chat accounts, sign-ins, password and API tokens; for administrators also invites."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Literal

from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp

from halext.accounts.types import Permission
from halext.errors import HalextError, InvalidInput
from halext.runtime.acting import may, require
from halext.runtime.shapes import Nothing, RevokeToken
from halext.runtime.shapes_identity import ChangePassword, InviteRef, MakeInvite, SessionRef
from halext.runtime.shapes_links import LinksOf, UnlinkAccount
from halext.runtime.units import show_time
from halext.runtime.verbs.invites import end_invite, list_invites, make_invite
from halext.runtime.verbs.links import list_links, make_link_code, unlink_account
from halext.runtime.verbs.people import list_tokens, revoke_token
from halext.runtime.verbs.quotas import my_quota
from halext.runtime.verbs.sessions import change_password, end_session, list_sessions, sign_out_everywhere
from halext_web import forms, ids
from halext_web.pages.page import page
from halext_web.routes import Route, route
from halext_web.visit import Visit

ROLES: tuple[Literal["member", "guest", "admin"], ...] = ("member", "guest", "admin")
Fields = dict[str, str]
Shown = dict[str, Any]


def routes() -> list[Route]:
    """The page and its form."""
    return [route("/account", account, Permission.ACCOUNT), route("/account", act, Permission.ACCOUNT, "POST")]


async def account(visit: Visit) -> ASGIApp:
    """GET /account."""
    return await _page(visit)


async def act(visit: Visit) -> ASGIApp:
    """POST /account: one button. What is new is on the answer itself and nowhere else; a reload makes another one."""
    fields = await forms.read(visit)
    try:
        if (press := BUTTONS.get(forms.need(fields, "do"))) is None:
            raise InvalidInput("The page does not know this button; reload it.")
        shown = await press(visit, fields)
    except HalextError as error:
        return await _page(visit, error=error)
    return await _page(visit, **shown) if shown else RedirectResponse("/account", status_code=303)


async def _code(visit: Visit, _fields: Fields) -> Shown:
    return {"code": await make_link_code(visit.app, visit.caller, LinksOf())}


async def _unlink(visit: Visit, fields: Fields) -> Shown:
    whom = UnlinkAccount(platform=forms.need(fields, "platform"), account=forms.need(fields, "account"))
    await unlink_account(visit.app, visit.caller, whom)
    return {}


async def _end_session(visit: Visit, fields: Fields) -> Shown:
    await end_session(visit.app, visit.caller, SessionRef(_number(fields)))
    return {}


async def _everywhere(visit: Visit, _fields: Fields) -> Shown:
    await sign_out_everywhere(visit.app, visit.caller, Nothing())
    return {}


async def _password(visit: Visit, fields: Fields) -> Shown:
    change = ChangePassword(forms.need(fields, "current"), forms.need(fields, "password"))
    return {"done": (await change_password(visit.app, visit.caller, change)).message}


async def _revoke(visit: Visit, fields: Fields) -> Shown:
    await revoke_token(visit.app, visit.caller, RevokeToken(_number(fields)))
    return {}


async def _invite(visit: Visit, fields: Fields) -> Shown:
    role = next((role for role in ROLES if role == fields.get("role")), ROLES[0])
    made = await make_invite(visit.app, visit.caller, MakeInvite(role=role, note=fields.get("note", "")))
    return {"invite": made}


async def _end_invite(visit: Visit, fields: Fields) -> Shown:
    require(visit.caller, end_invite.permission)  # before the fields are read: nobody else learns what is wrong there
    await end_invite(visit.app, visit.caller, InviteRef(_number(fields)))
    return {}


BUTTONS: dict[str, Callable[[Visit, Fields], Awaitable[Shown]]] = {
    "code": _code,
    "unlink": _unlink,
    "end-session": _end_session,
    "sign-out-everywhere": _everywhere,
    "password": _password,
    "revoke": _revoke,
    "invite": _invite,
    "end-invite": _end_invite,
}


def _number(fields: Fields) -> int:
    return ids.number(forms.need(fields, "id"))


async def _page(visit: Visit, *, error: HalextError | None = None, **shown: Any) -> Response:
    app, caller = visit.app, visit.caller
    context: Shown = {"code": None, "invite": None, "done": "", "roles": ROLES} | shown
    # What is one's own is another right, which a token that may change the account need not have.
    lines = await my_quota(app, caller, Nothing()) if may(caller, Permission.OWN) else []
    context["limits"] = [line for line in lines if line.limit is not None]
    context["links"] = await list_links(app, caller, LinksOf())
    context["sessions"] = await list_sessions(app, caller, Nothing())
    context["tokens"] = await list_tokens(app, caller, Nothing())
    may_invite = may(caller, Permission.MANAGE_PEOPLE)
    context["invites"] = await list_invites(app, caller, Nothing()) if may_invite else None
    context["when"] = partial(show_time, zone=dt.UTC)
    return page(visit, "account.html", status=error.status if error else 200, error=error, **context)
