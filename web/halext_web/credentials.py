"""The one place that finds out who is asking: every route, page and stream passes here."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlsplit

from starlette.datastructures import Headers, QueryParams
from starlette.requests import cookie_parser

from halext.accounts.types import LOCAL, Caller, Permission
from halext.errors import BadRequest, Forbidden, Unauthenticated
from halext.runtime.app import App
from halext_web.peers import Peer, Peers, split_host

COOKIE = "hx_session"
WORKSPACE = "x-halext-workspace"
"""The header that names the workspace on whose account a request is."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""They change nothing, so where they come from does not matter."""

_QUERY_NAMES = frozenset({"token", "access_token", "jwt", "api_key", "apikey", "api-key", "authorization"})
_SECRET = re.compile(r"hxs?_.*|eyJ[\w-]*\.[\w-]*\.[\w-]*", re.DOTALL)
"""Tokens, sessions and JWTs. Codes of links that are used once may stand in an address."""
MANAGING = frozenset({Permission.MANAGE_NODES, Permission.MANAGE_PEOPLE, Permission.MANAGE_KEYS, Permission.SEE_HOUSE})
"""The rights for which it matters where a request comes from: HALEXT_ADMIN_CIDRS."""
WRITTEN = frozenset({"application/json", "application/x-www-form-urlencoded", ""})
"""What a page sends. A form of another site can send text and files too, without the browser asking us first."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request shows to prove who sends it. `cookie` and `basic` are sent by browsers without being asked."""

    kind: Literal["bearer", "basic", "cookie"]
    value: str

    def __repr__(self) -> str:
        return f"Credential(kind={self.kind!r})"


def find(headers: Headers, query: QueryParams) -> Credential | None:
    """The one credential of a request, or None.

    Raises `BadRequest` for a token in the address (addresses end up in logs and histories), and for two credentials
    that differ: nobody could tell whose rights count.
    """
    if any(name.lower() in _QUERY_NAMES or _SECRET.fullmatch(value) for name, value in query.multi_items()):
        raise BadRequest(
            "A token does not belong into the address: send it as the header `Authorization: Bearer hx_…`."
        )
    found = [credential for text in headers.getlist("authorization") if (credential := _parse(text))]
    cookies = [cookie_parser(text).get(COOKIE) for text in headers.getlist("cookie")]
    found += [Credential("cookie", value) for value in cookies if value]
    if len({credential.value for credential in found}) > 1:
        raise BadRequest("This request has more than one credential; send one only.")
    return found[0] if found else None


def _parse(text: str) -> Credential | None:
    scheme, _, value = text.strip().partition(" ")
    value = value.strip()
    match scheme.lower():
        case "bearer" if value:
            return Credential("bearer", value)
        case "basic":
            try:
                decoded = base64.b64decode(value, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                raise Unauthenticated("The header `Authorization: Basic` can't be read.") from None
            return Credential("basic", decoded.partition(":")[2])
        case _:
            raise Unauthenticated("The header `Authorization` must be `Bearer hx_…`, or Basic with it as the password.")


def _text(header: str) -> str:
    """Headers come as Latin-1; names that are written in UTF-8 are meant."""
    try:
        return header.encode("latin-1").decode()
    except UnicodeDecodeError:
        return header


def check_origin(headers: Headers, public_url: str | None, *, required: bool) -> None:
    """Raise `Forbidden` for a request that a browser sends on behalf of another site.

    With `required`, one that does not say where it comes from is refused too: every browser says it.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    is_ours = not required
    if site is not None:
        is_ours = site in {"same-origin", "none"}
    if origin is not None and (site is None or is_ours):
        is_ours = _is_own(origin, headers.get("host", ""), public_url)
    if not is_ours:
        raise Forbidden("This request comes from another site, so it was not carried out.")


def check_use(headers: Headers) -> None:
    """Raise `Forbidden` when another site's page loads something of ours as a part of itself, or reads a stream.

    Following a link to us is fine.
    """
    is_foreign = headers.get("sec-fetch-site") in {"cross-site", "same-site"}
    if is_foreign and headers.get("sec-fetch-mode") != "navigate":
        raise Forbidden("Another site's page asks for this with your sign-in, so it is not told.")


def check_type(headers: Headers) -> None:
    """Raise `Forbidden` for a body of a kind that browsers send to other sites and that no page of ours sends."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() not in WRITTEN:
        raise Forbidden("Send JSON, with `Content-Type: application/json`.")


def _is_own(origin: str, host: str, public_url: str | None) -> bool:
    parts = urlsplit(origin)
    if parts.netloc and split_host(parts.netloc) == split_host(host):
        return True
    public = urlsplit(public_url or "")
    return bool(public.netloc) and (parts.scheme, parts.netloc.lower()) == (public.scheme, public.netloc.lower())


class Doorkeeper:
    """Turns credentials into callers."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._peers = Peers(app.settings)

    async def caller(self, method: str, headers: Headers, query: QueryParams, peer: Peer) -> Caller | None:
        """Who sends this request; None for a stranger.

        Raises `Unauthenticated` for a credential that is wrong or over, `Forbidden` for a browser that is being used by
        another site, `BadRequest` as `find` does, and for a workspace that they name and can't ask for
        `UnknownWorkspace` or `Forbidden`.
        """
        credential = find(headers, query)
        is_ambient = credential is None or credential.kind != "bearer"
        is_cookie = credential is not None and credential.kind == "cookie"
        if is_cookie:
            check_use(headers)
        if method not in SAFE_METHODS and is_ambient:
            check_origin(headers, self._app.settings.public_url, required=is_cookie)
            check_type(headers)
        if credential is None:
            return None
        is_owner = self._is_owner(credential, peer)
        known = LOCAL if is_owner else await self._app.people.caller_for(credential.value)
        known = await self._on_behalf(replace(known, address=peer.address), headers)
        if self._peers.may_manage(peer):
            return known
        carried = frozenset(Permission) if known.scopes is None else known.scopes
        return replace(known, scopes=carried - MANAGING)

    async def _on_behalf(self, known: Caller, headers: Headers) -> Caller:
        """The caller with the workspace that the request names. Raises `UnknownWorkspace` and `BadRequest`."""
        named = [name for text in headers.getlist(WORKSPACE) if (name := text.strip())]
        if len(named) > 1:
            raise BadRequest("This request names more than one workspace; name one only.")
        return await self._app.workspaces.on_behalf(known, _text(named[0])) if named else known

    def check_place(self, permission: Permission, peer: Peer) -> None:
        """Raise `Forbidden` for what is done from HALEXT_ADMIN_CIDRS only, anywhere else.

        Callers from elsewhere have no managing right either, so that nothing inside an operation gives more.
        """
        if permission in MANAGING and not self._peers.may_manage(peer):
            raise Forbidden("From here halext can't be administered; see HALEXT_ADMIN_CIDRS.")

    async def failed(self, peer: Peer) -> None:
        """Count a wrong credential. Raises `TooManyRequests` when too many came from there."""
        await self._app.people.count_failure(peer.address)

    def _is_owner(self, credential: Credential, peer: Peer) -> bool:
        """The command line of this machine: it knows what stands in a file that only the owner can read."""
        token = self._app.local_token
        if not token or credential.kind != "bearer" or not peer.is_this_machine:
            return False
        return hmac.compare_digest(credential.value.encode(), token.encode())
