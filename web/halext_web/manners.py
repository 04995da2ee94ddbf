"""What a request must look like before anything else is asked about it."""

from __future__ import annotations

from starlette.types import Scope

from halext.errors import BadRequest

HEADERS_MAX = 100
"""A browser behind two proxies sends some thirty."""
ADDRESS_MAX = 8 * 1024
"""Bytes of path and query. Questions go into bodies; proxies stop at the same length."""
OVERRIDES = frozenset(
    {b"x-http-method-override", b"x-http-method", b"x-method-override", b"x-original-url", b"x-rewrite-url"}
)
"""Headers that ask for another method or path than the request has. What a proxy has let through and what is done must
be the same thing."""


def check(scope: Scope) -> None:
    """Raise `BadRequest` for more headers or a longer address than anybody needs, and for tricks with either."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    if len(headers) > HEADERS_MAX:
        raise BadRequest(f"The request has more than {HEADERS_MAX} headers.")
    if any(name in OVERRIDES for name, _ in headers):
        raise BadRequest("The request asks for another method or address than its own; send that one instead.")
    address: bytes = scope["raw_path"] + scope["query_string"]
    if len(address) > ADDRESS_MAX:
        raise BadRequest(f"The request's address has more than {ADDRESS_MAX // 1024} KB.")
    if b"%00" in address:
        raise BadRequest("The request's address has a NUL character.")
