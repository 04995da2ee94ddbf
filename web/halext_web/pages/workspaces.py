"""The page of one's workspaces: who is in them, with plain forms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import ValidationError, convert
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp

from halext.accounts.types import Permission
from halext.errors import HalextError, InvalidInput
from halext.runtime.operations import Operation
from halext.runtime.shapes import Params
from halext.runtime.shapes_workspaces import PlacePerson, RemovePerson, RenameWorkspace, WorkspaceRef, WorkspacesOf
from halext.runtime.verbs import workspaces as verbs
from halext_web import forms
from halext_web.pages.page import page
from halext_web.routes import Route, route
from halext_web.visit import Visit

BUTTONS: Mapping[str, tuple[Operation[Any, Any], type[Params]]] = {
    "create": (verbs.create_workspace, WorkspaceRef),
    "rename": (verbs.rename_workspace, RenameWorkspace),
    "delete": (verbs.delete_workspace, WorkspaceRef),
    "add": (verbs.add_to_workspace, PlacePerson),
    "role": (verbs.set_workspace_role, PlacePerson),
    "remove": (verbs.remove_from_workspace, RemovePerson),
}
"""What each button does, and the fields that it takes."""


def routes() -> list[Route]:
    """The page and its forms."""
    return [route("/workspaces", workspaces, Permission.OWN), route("/workspaces", act, Permission.OWN, "POST")]


async def workspaces(visit: Visit) -> ASGIApp:
    """GET /workspaces."""
    return await _page(visit)


async def act(visit: Visit) -> ASGIApp:
    """POST /workspaces: one button; afterwards the page as it is now."""
    fields = await forms.read(visit)
    try:
        await _carry_out(visit, forms.need(fields, "do"), fields)
    except HalextError as error:
        return await _page(visit, error)
    return RedirectResponse("/workspaces", status_code=303)


async def _carry_out(visit: Visit, button: str, fields: Mapping[str, str]) -> None:
    if button not in BUTTONS:
        raise InvalidInput("The page does not know this button; reload it.")
    verb, shape = BUTTONS[button]
    try:
        params = convert({name: value.strip() for name, value in fields.items() if name != "do"}, shape)
    except ValidationError:
        raise InvalidInput("A field is missing or can't be used; reload the page.") from None
    await verb(visit.app, visit.caller, params)


async def _page(visit: Visit, error: HalextError | None = None) -> Response:
    mine = await verbs.list_workspaces(visit.app, visit.caller, WorkspacesOf())
    shown = [await verbs.show_workspace(visit.app, visit.caller, WorkspaceRef(name=each.name)) for each in mine]
    status = error.status if error else 200
    return page(
        visit, "workspaces.html", status=status, workspaces=shown, roles=("owner", "member", "viewer"), error=error
    )
