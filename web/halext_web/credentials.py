"""The one place that finds out who is asking: every route, page and stream passes here."""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlsplit

from starlette.datastructures import Headers, QueryParams
from starlette.requests import cookie_parser

from halext.accounts.types import LOCAL, Caller
from halext.errors import BadRequest, Forbidden, Unauthenticated
from halext.runtime.app import App
from halext_web.peers import Peer, split_host

COOKIE = "hx_session"
WORKSPACE = "x-halext-workspace"
"""The header that names the workspace on whose account a request is."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""They change nothing, so where they come from does not matter."""

_QUERY_NAMES = frozenset({"token", "access_token", "api_key", "apikey", "api-key", "authorization"})
_SECRET_PREFIXES = ("hx_", "hxs_")


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
    if any(name.lower() in _QUERY_NAMES or value.startswith(_SECRET_PREFIXES) for name, value in query.multi_items()):
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

    async def caller(self, method: str, headers: Headers, query: QueryParams, peer: Peer) -> Caller | None:
        """Who sends this request; None for a stranger.

        Raises `Unauthenticated` for a credential that is wrong or over, `Forbidden` for a browser that is being used by
        another site, `BadRequest` as `find` does, and for a workspace that they name and can't ask for
        `UnknownWorkspace` or `Forbidden`.
        """
        credential = find(headers, query)
        is_ambient = credential is None or credential.kind != "bearer"
        if method not in SAFE_METHODS and is_ambient:
            is_cookie = credential is not None and credential.kind == "cookie"
            check_origin(headers, self._app.settings.public_url, required=is_cookie)
        if credential is None:
            return None
        is_owner = self._is_owner(credential, peer)
        known = LOCAL if is_owner else await self._app.people.caller_for(credential.value)
        known = replace(known, address=peer.address)
        named = [name for text in headers.getlist(WORKSPACE) if (name := text.strip())]
        if len(named) > 1:
            raise BadRequest("This request names more than one workspace; name one only.")
        return await self._app.workspaces.on_behalf(known, _text(named[0])) if named else known

    def _is_owner(self, credential: Credential, peer: Peer) -> bool:
        """The command line of this machine: it knows what stands in a file that only the owner can read."""
        token = self._app.local_token
        if not token or credential.kind != "bearer" or not peer.is_this_machine:
            return False
        return hmac.compare_digest(credential.value.encode(), token.encode())
