"""What surrounds every request: its id, who may come in, headers on every answer, and an answer for every failure."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from halext.errors import HalextError, Internal
from halext.runtime.app import App
from halext.runtime.request import begin
from halext_web import failures, manners
from halext_web.bodies import Bodies
from halext_web.peers import Peers
from halext_web.templates import Templates
from halext_web.visit import Visit

log = logging.getLogger("halext.web")

SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # Not `no-referrer`: browsers would then send `Origin: null` with our own forms, and nobody could check it.
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
DATA_POLICY = b"default-src 'none'; frame-ancestors 'none'"
POLICY_VIOLATION = 1008
"""The WebSocket close code for a connection that is not wanted."""


def page_policy(nonce: str) -> bytes:
    """The content security policy of a page: everything from here, nothing inline, no HTML made by scripts."""
    return (
        f"default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    ).encode()


class Frame:
    """The outermost ASGI app."""

    def __init__(
        self, inner: ASGIApp, app: App, templates: Templates, page: Callable[[Visit, HalextError], Awaitable[Response]]
    ) -> None:
        self._inner = inner
        self._app = app
        self._templates = templates
        self._page = page
        self._peers = Peers(app.settings, app.proxy_signs)
        self._bodies = Bodies()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; nothing but cancellation and a client that has left gets out of here."""
        if scope["type"] != "http":
            await _refuse(scope, send)
            return
        request = Request(scope, receive, send)
        peer = self._peers.read(scope, request.headers)
        request_id = self._app.gateway.new_id()
        nonce = secrets.token_urlsafe(16)
        visit = Visit(self._app, self._templates, request, request_id, peer, nonce, self._bodies)
        scope["visit"] = visit
        begin(request_id)
        outlet = _Outlet(visit, send)
        try:
            self._admit(scope, visit)
            await self._inner(scope, receive, outlet)
        except ClientDisconnect:
            log.debug("request %s: the client has left", visit.id)
            return
        except HalextError as error:
            await self._fail(visit, error, receive, outlet)
        except Exception:
            log.exception("request %s failed", visit.id)
            await self._fail(visit, Internal(), receive, outlet)
        finally:
            visit.release()
        log.debug("request %s: %s %s %s", visit.id, scope["method"], outlet.route, outlet.status)

    def _admit(self, scope: Scope, visit: Visit) -> None:
        manners.check(scope)
        self._peers.admit(visit.peer, visit.request.headers)

    async def _fail(self, visit: Visit, error: HalextError, receive: Receive, outlet: _Outlet) -> None:
        if outlet.status is not None:
            log.warning("request %s: failed after its answer had begun: %s", visit.id, error.code)
            raise error  # the server then cuts the connection, so that nobody takes the answer as whole
        answer = await failures.response(visit, error, self._page)
        await answer(visit.request.scope, receive, outlet)


class _Outlet:
    """Adds the headers that every answer has."""

    def __init__(self, visit: Visit, send: Send) -> None:
        self._visit = visit
        self._send = send
        self.status: int | None = None
        """The answer's status, once it has begun."""

    @property
    def route(self) -> str:
        """The path, safe for a line of the log."""
        return repr(self._visit.request.scope["path"])

    async def __call__(self, message: Message) -> None:
        """Pass one message on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), *self._extra(message)]
        await self._send(message)

    def _extra(self, message: Message) -> list[tuple[bytes, bytes]]:
        content_type = _header(message, b"content-type")
        is_page = content_type.startswith(b"text/html")
        policy = page_policy(self._visit.nonce) if is_page else DATA_POLICY
        extra = [*SECURITY, (b"content-security-policy", policy), (b"x-halext-request", self._visit.id.encode())]
        if not _header(message, b"cache-control"):
            extra.append((b"cache-control", b"no-store"))
        return extra


def _header(message: Message, name: bytes) -> bytes:
    found: bytes = next((value for key, value in message.get("headers", ()) if key.lower() == name), b"")
    return found


async def _refuse(scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket":
        closing: dict[str, Any] = {"type": "websocket.close", "code": POLICY_VIOLATION}
        await send(closing)
