"""Attack 9: look for the one address that somebody forgot to guard.

Every route of the table is asked without a credential. What answers is written down here, so that a new public route is
a decision that somebody reviews and never an accident.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest

from halext.accounts.types import Permission
from halext_web import app as web
from halext_web.api import hx
from halext_web.routes import Route
from halext_web.service import WebService

if TYPE_CHECKING:
    from tests.web.conftest import House

PUBLIC = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/sign-in"),
    ("GET", "/welcome"),
    ("GET", "/static/{name}"),
    ("POST", "/hx/session"),
    ("POST", "/hx/first-admin"),
    ("POST", "/hx/invites/claim"),
}
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE")


def address(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "1", path)


async def test_nothing_answers_a_stranger_but_what_is_written_here(stranger: httpx.AsyncClient) -> None:
    open_places, checked = set(), 0
    for path in sorted({entry.path for entry in web.all_routes()}):
        for method in METHODS:
            answer = await stranger.request(method, address(path))
            checked += 1
            if answer.status_code not in {401, 405}:
                open_places.add(("GET" if method == "HEAD" else method, path))
    assert open_places == PUBLIC
    assert checked > 300


async def test_a_stranger_learns_from_no_refusal_what_is_there(stranger: httpx.AsyncClient) -> None:
    bodies = set()
    for path in ("/hx/answers/1", "/hx/answers/999", "/c/1", "/c/x", "/hx/images/1"):
        answer = await stranger.get(path)
        assert answer.status_code == 401
        bodies.add((answer.json()["code"], answer.json()["message"]))
    assert len(bodies) == 1


@pytest.mark.parametrize("permission", [None, "", "public", "use", 0, True])
async def test_a_route_without_a_declared_right_stops_the_start(
    house: House, monkeypatch: pytest.MonkeyPatch, permission: object
) -> None:
    forgotten = Route("/forgotten", ("GET",), cast("Any", permission), cast("Any", None))
    known = web.all_routes()
    monkeypatch.setattr(web, "all_routes", lambda: [*known, forgotten])
    said: list[str] = []
    with pytest.raises(TypeError, match="/forgotten declares no permission"):
        await WebService().run(house.app, said.append)
    assert said == []


async def test_an_operation_without_a_declared_right_stops_the_start(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten = replace(hx.operations()[0], path="/hx/forgotten", permission=cast("Any", None))
    known = [*hx.operations(), forgotten]
    monkeypatch.setattr(hx, "operations", lambda: known)
    with pytest.raises(TypeError, match="/hx/forgotten declares no permission"):
        await WebService().run(house.app, lambda _line: None)


def test_every_declared_right_is_one_that_roles_can_have() -> None:
    assert {entry.permission for entry in web.all_routes()} <= set(Permission)
