"""One request, as every endpoint sees it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request

from halext.accounts.types import Caller
from halext.errors import BadRequest, TooLarge, Unauthenticated
from halext.runtime.app import App
from halext.types import NodeName, RequestId
from halext_web.bodies import Bodies
from halext_web.peers import Peer, group
from halext_web.templates import Templates

JSON_LIMIT = 1024 * 1024
"""Bytes of a body. No conversation in text comes near it."""
IMAGE_LIMIT = 32 * 1024 * 1024
"""Bytes where pictures may come inside the JSON, as base64."""
FORM_LIMIT = 64 * 1024
"""Bytes of a page's form."""
BODY_GAP_S = 30.0
"""Seconds in which some more of a body must arrive; who is slower holds a connection for nothing."""
BODY_S = 30.0
"""Seconds for a whole body, and more for each byte that has come: a drop now and then is not enough."""
BODY_RATE = 32 * 1024
"""Bytes in a second: a slow line at home, uphill."""


@dataclass(slots=True)
class Visit:
    """One request: what came, from whom, and the house that it came to."""

    app: App
    templates: Templates
    request: Request
    id: RequestId
    peer: Peer
    nonce: str
    """Marks the scripts of one page as ours."""
    bodies: Bodies
    """What all bodies together take, this one's among it."""
    held: int = 0
    """Bytes of this request's body, until it is answered."""
    holder: str = ""
    """Who they are counted for."""
    known: Caller | None = None
    """Who sends it; None for a stranger, which only public routes ever see."""

    @property
    def caller(self) -> Caller:
        """Who sends it, on routes that strangers don't reach."""
        if self.known is None:
            raise Unauthenticated
        return self.known

    @property
    def node(self) -> NodeName | None:
        """The node that the client insists on, by the header `X-Halext-Node`."""
        name = self.request.headers.get("x-halext-node", "").strip()
        return NodeName(name) if name else None

    async def body(self, limit: int = JSON_LIMIT) -> bytes:
        """The whole body. Raises `TooLarge` as soon as it is known to be over the limit, whatever has come by then.

        Raises `BadRequest` when it comes too slowly, and `Crowded` when there is no room for it beside those of others.
        """
        self.holder = f"{self.known.name} {self.known.user_id}" if self.known else group(self.peer.address)
        declared = self.request.headers.get("content-length", "")
        if declared.isdigit():
            if int(declared) > limit:
                raise self._too_large(limit)
            self.bodies.check(self.holder, int(declared))
        else:
            limit = min(limit, JSON_LIMIT)  # who sends more than that can say how much
        try:
            async with asyncio.timeout(BODY_S) as patience:
                return await self._read(limit, patience)
        except TimeoutError:
            raise BadRequest("The request's body stopped coming; send it again.") from None

    def release(self) -> None:
        """The request is answered; what came with it is no longer held."""
        self.bodies.give_back(self.holder, self.held)
        self.held = 0

    async def _read(self, limit: int, patience: asyncio.Timeout) -> bytes:
        read, is_more = bytearray(), True  # one piece of memory, which the system gets back as a whole
        while is_more:
            async with asyncio.timeout(BODY_GAP_S):
                message = await self.request.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            part = message.get("body", b"")
            if len(read) + len(part) > limit:
                raise self._too_large(limit)
            self.bodies.take(self.holder, len(part))
            self.held += len(part)
            read += part
            patience.reschedule((patience.when() or 0.0) + len(part) / BODY_RATE)
            is_more = message.get("more_body", False)
        return bytes(read)

    def _too_large(self, limit: int) -> TooLarge:
        return TooLarge(f"The request is larger than this address takes ({limit // 1024:,} KB).")
