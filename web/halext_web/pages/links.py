"""The page of one's account: which chat accounts are linked, and a code for one more."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp

from halext.accounts.types import Permission
from halext.errors import HalextError, InvalidInput
from halext.runtime.shapes import Nothing
from halext.runtime.shapes_links import LinkCodeInfo, LinksOf, UnlinkAccount
from halext.runtime.verbs.links import list_links, make_link_code, unlink_account
from halext.runtime.verbs.quotas import my_quota
from halext_web import forms
from halext_web.pages.page import page
from halext_web.routes import Route, route
from halext_web.visit import Visit


def routes() -> list[Route]:
    """The page and its form."""
    return [route("/account", account, Permission.ACCOUNT), route("/account", act, Permission.ACCOUNT, "POST")]


async def account(visit: Visit) -> ASGIApp:
    """GET /account."""
    return await _page(visit)


async def act(visit: Visit) -> ASGIApp:
    """POST /account: one button. A new code is on the answer itself and nowhere else; a reload makes another one."""
    fields = await forms.read(visit)
    try:
        match forms.need(fields, "do"):
            case "code":
                return await _page(visit, code=await make_link_code(visit.app, visit.caller, LinksOf()))
            case "unlink":
                whom = UnlinkAccount(platform=forms.need(fields, "platform"), account=forms.need(fields, "account"))
                await unlink_account(visit.app, visit.caller, whom)
            case _:
                raise InvalidInput("The page does not know this button; reload it.")
    except HalextError as error:
        return await _page(visit, error=error)
    return RedirectResponse("/account", status_code=303)


async def _page(visit: Visit, *, code: LinkCodeInfo | None = None, error: HalextError | None = None) -> Response:
    links = await list_links(visit.app, visit.caller, LinksOf())
    limits = [line for line in await my_quota(visit.app, visit.caller, Nothing()) if line.limit is not None]
    status = error.status if error else 200
    return page(visit, "account.html", status=status, links=links, code=code, error=error, limits=limits)
