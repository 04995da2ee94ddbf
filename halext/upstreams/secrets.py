"""The secret request headers of endpoints: opened when needed, kept for a moment, never shown."""

from __future__ import annotations

import re
from collections.abc import Mapping

from halext.errors import KeyRefused, VaultError
from halext.types import Clock, EndpointId
from halext.upstream import Endpoint, Reveal

KEPT_S = 30.0
"""How long opened headers are kept, so that a busy stream of requests does not decrypt for each."""

QUOTED_MIN = 6
"""Characters: shorter keys would hide ordinary words with them."""

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_RESERVED = frozenset(
    {
        "host",
        "connection",
        "content-length",
        "content-type",
        "content-encoding",
        "transfer-encoding",
        "accept-encoding",
        "te",
        "trailer",
        "upgrade",
        "expect",
        "keep-alive",
        "proxy-connection",
    }
)
"""Headers that frame a request or say where it goes: never an owner's to set."""


class SecretHeaders:
    """Opens the headers of an endpoint. Without a clock they are opened anew each time."""

    def __init__(self, reveal: Reveal | None, clock: Clock | None) -> None:
        self._reveal = reveal
        self._clock = clock
        self._kept: dict[Endpoint, tuple[float, dict[str, str]]] = {}

    async def headers(self, endpoint: Endpoint) -> dict[str, str]:
        """Lower-case name to value; empty where the endpoint has none. Raises `KeyRefused` when they can't be used."""
        if endpoint.secret is None or self._reveal is None:
            return {}
        now = self._clock.monotonic() if self._clock else 0.0
        until, headers = self._kept.get(endpoint, (now, {}))
        if now < until:
            return headers
        try:
            headers = _checked(endpoint, await self._reveal(endpoint.secret))
        except VaultError as error:
            raise _refused(endpoint, f"can't be opened. {error.message}") from error
        if self._clock:
            self._kept[endpoint] = (now + KEPT_S, headers)
        return headers

    def forget(self, endpoint_id: EndpointId) -> None:
        """Drop what is kept for an endpoint: its headers changed, or it is gone."""
        self._kept = {endpoint: kept for endpoint, kept in self._kept.items() if endpoint.id != endpoint_id}


def quoted(headers: Mapping[str, str]) -> tuple[bytes, ...]:
    """The keys as a server might quote them: whole values, and what stands behind `Bearer`."""
    words = {word for value in headers.values() for word in (value, value.rpartition(" ")[2])}
    return tuple(sorted((word.encode() for word in words if len(word) >= QUOTED_MIN), key=len, reverse=True))


def _checked(endpoint: Endpoint, headers: Mapping[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value) or name.lower() in _RESERVED:
            raise _refused(endpoint, "can't be sent; set them again with `halext node add NAME URL --header …`.")
    return {name.lower(): value for name, value in headers.items()}


def _refused(endpoint: Endpoint, what: str) -> KeyRefused:
    return KeyRefused(f"The request headers of {endpoint.id} {what}", node=endpoint.node, endpoint=endpoint.id)
