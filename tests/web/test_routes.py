"""The table: every route declares its right, and each place belongs to one."""

from __future__ import annotations

from typing import Any, cast

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp

from halext.accounts.types import Permission
from halext.errors import MethodNotAllowed, NotFound
from halext_web.routes import Route, Table, route
from halext_web.visit import Visit


async def answer(_visit: Visit) -> ASGIApp:
    return PlainTextResponse("ok")


NOBODY = cast("Any", None)


def find(table: Table, path: str, method: str = "GET", raw: str | None = None) -> tuple[str, dict[str, str]]:
    scope = {"path": path, "method": method, "raw_path": (raw or path).encode()}
    entry, values = table._find(scope)
    return entry.path, dict(values)


@pytest.mark.parametrize("permission", [None, "public", True])
def test_a_route_without_a_permission_stops_the_start(permission: object) -> None:
    with pytest.raises(TypeError, match="/x declares no permission"):
        Table([Route("/x", ("GET",), cast("Any", permission), answer)], NOBODY)


def test_two_routes_for_one_place_stop_the_start() -> None:
    with pytest.raises(ValueError, match="two routes answer POST /x"):
        Table([route("/x", answer, Permission.USE, "GET POST"), route("/x", answer, Permission.USE, "POST")], NOBODY)


TABLE = Table(
    [
        route("/v1/models/{id:path}", answer, Permission.USE),
        route("/v1/models/{id}/parts", answer, Permission.USE),
        route("/v1/models", answer, Permission.USE, "GET POST"),
        route("/keys/{name}", answer, Permission.USE, "DELETE"),
    ],
    NOBODY,
)


@pytest.mark.parametrize(
    ("path", "raw", "expected"),
    [
        ("/v1/models", None, ("/v1/models", {})),
        ("/v1/models/a/b:1", None, ("/v1/models/{id:path}", {"id": "a/b:1"})),
        ("/v1/models/a/parts", None, ("/v1/models/{id}/parts", {"id": "a"})),
        ("/v1/models/a b", "/v1/models/a%20b", ("/v1/models/{id:path}", {"id": "a b"})),
    ],
)
def test_finding(path: str, raw: str | None, expected: tuple[str, dict[str, str]]) -> None:
    assert find(TABLE, path, raw=raw) == expected
    assert find(TABLE, path, "HEAD", raw=raw) == expected


def test_a_name_may_hold_a_quoted_slash() -> None:
    assert find(TABLE, "/keys/node/mac", "DELETE", raw="/keys/node%2Fmac") == ("/keys/{name}", {"name": "node/mac"})


@pytest.mark.parametrize("path", ["/", "/v1", "//v1/models", "/v1//models", "/V1/models", "/keys/a/b"])
def test_nothing_else_is_found(path: str) -> None:
    with pytest.raises(NotFound):
        find(TABLE, path, "DELETE")


@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get"])
def test_a_wrong_method_is_told_the_right_ones(method: str) -> None:
    with pytest.raises(MethodNotAllowed, match="it takes GET, POST"):
        find(TABLE, "/v1/models", method)
