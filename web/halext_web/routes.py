"""One table of routes; each entry says which right it needs, and there is no way to leave that out."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import unquote

from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from halext.accounts.audit.types import STRANGER
from halext.accounts.types import Permission
from halext.errors import Forbidden, MethodNotAllowed, NotFound, Unauthenticated
from halext.runtime.acting import require
from halext_web.credentials import Doorkeeper
from halext_web.visit import Visit

Endpoint = Callable[[Visit], Awaitable[ASGIApp]]
"""Takes a visit and returns the answer, which is an ASGI app such as Starlette's responses."""


@dataclass(frozen=True, slots=True)
class Route:
    """An address, the methods it takes, the right it needs and the code that answers."""

    path: str
    methods: tuple[str, ...]
    permission: Permission
    endpoint: Endpoint


def route(path: str, endpoint: Endpoint, permission: Permission, methods: str = "GET") -> Route:
    """An entry for the table; `methods` are separated by blanks."""
    return Route(path, tuple(methods.split()), permission, endpoint)


class Table:
    """Finds the route of a request, asks who sends it, and lets the endpoint answer."""

    def __init__(self, routes: Iterable[Route], doorkeeper: Doorkeeper) -> None:
        """Raises `ValueError` when two routes claim the same place, or one has no permission."""
        self._doorkeeper = doorkeeper
        self._exact: dict[str, dict[str, Route]] = {}
        patterns: dict[str, dict[str, Route]] = {}
        for entry in routes:
            _check(entry)
            places = patterns if "{" in entry.path else self._exact
            methods = places.setdefault(entry.path, {})
            for method in entry.methods:
                if method in methods:
                    raise ValueError(f"two routes answer {method} {entry.path}")
                methods[method] = entry
        # Paths that end in a part with slashes take anything, so they come last.
        in_order = sorted(patterns.items(), key=lambda item: ":path}" in item[0])
        self._patterns = [(_regex(path), methods) for path, methods in in_order]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Raises `HalextError`s for whoever is around this to render."""
        entry, values = self._find(scope)
        visit: Visit = scope["visit"]
        try:
            await self._admit(visit, entry)
        except Forbidden as error:
            _refused(visit, entry, error)
            raise
        scope["path_params"] = values
        response = await entry.endpoint(visit)
        await response(scope, receive, send)

    async def _admit(self, visit: Visit, entry: Route) -> None:
        """Find out who it is, and whether they may. Raises `Unauthenticated` and `Forbidden`."""
        request = visit.request
        try:
            visit.known = await self._doorkeeper.caller(
                request.method, request.headers, request.query_params, visit.peer
            )
        except Unauthenticated:
            # A session that is over must not keep anyone from the page where a new one begins.
            if entry.permission is not Permission.PUBLIC:
                await self._doorkeeper.failed(visit.peer)
                raise
        if entry.permission is not Permission.PUBLIC:
            if visit.known is None:
                raise Unauthenticated
            self._doorkeeper.check_place(entry.permission, visit.peer)
            require(visit.known, entry.permission)

    def _find(self, scope: Scope) -> tuple[Route, Mapping[str, str]]:
        path, method = scope["path"], scope["method"]
        methods, values = self._exact.get(path), dict[str, str]()
        if methods is None:
            methods, values = self._match(scope["raw_path"].decode("ascii", "replace"))
        if entry := methods.get("GET" if method == "HEAD" else method):
            return entry, values
        allow = tuple(sorted(methods))
        raise MethodNotAllowed(f"{path} does not take {method}; it takes {', '.join(allow)}.", allow=allow)

    def _match(self, raw_path: str) -> tuple[dict[str, Route], dict[str, str]]:
        # Matched before unquoting, so that a name may hold a quoted slash.
        for regex, methods in self._patterns:
            if found := regex.fullmatch(raw_path):
                return methods, {name: unquote(value) for name, value in found.groupdict().items()}
        raise NotFound("There is nothing at this address.")


def _refused(visit: Visit, entry: Route, error: Forbidden) -> None:
    """Put on record that someone asked for what they may not have."""
    by = visit.known or replace(STRANGER, address=visit.peer.address)
    visit.app.audit.record("request.refuse", by, f"{visit.request.method} {entry.path}", "denied", why=error.code)


def _check(entry: Route) -> None:
    if not isinstance(entry.permission, Permission):
        raise TypeError(f"{entry.path} declares no permission")


def _regex(path: str) -> re.Pattern[str]:
    pattern, _, _ = compile_path(path)
    return pattern
