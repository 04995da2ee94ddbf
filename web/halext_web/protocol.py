"""HTTP/1.1 with an end to patience: a connection that makes no progress holds no memory and no node's slot.

uvicorn has no limits on the head of a request, on its pace, on a client that never reads its answer, or on requests
that are sent before the one before them is answered, of which one connection could line up any number.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from halext_web.gate import REFUSED, Gate

HEAD_S = 10.0
"""For all headers of a request: a few kilobytes, even over a bad line."""
HEAD_BYTES = 64 * 1024
"""Browsers and proxies stop at 8 to 32 KB."""
REST_S = 30.0
"""For the rest of a body whose request has been answered already, such as one that is too large: many clients read the
answer only after they have sent everything."""
STALL_S = 30.0
"""For a client that does not read while its answer waits; after that the node works for somebody else."""


class Malformed(Exception):
    """A head that two servers could read in two ways; the connection ends with it."""


class PatientProtocol(HttpToolsProtocol):
    """One connection."""

    gate: Gate | None = None
    """Who may come in; a server has a subclass with its own."""
    _entered: str | None = None

    _deadline: asyncio.TimerHandle | None = None
    """When the client's part of a request must have come."""
    _stalled: asyncio.TimerHandle | None = None
    """When the client must have read something."""
    _in_body = False
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        """A client has connected, and now has to say something."""
        super().connection_made(transport)
        if self.gate is not None and not self._enters(self.gate):
            transport.write(REFUSED)
            transport.close()
            return
        self._expect(HEAD_S)

    def _enters(self, gate: Gate) -> bool:
        address = self.client[0] if self.client else ""
        if gate.enter(address):
            self._entered = address
        return self._entered is not None

    def data_received(self, data: bytes) -> None:
        """Some of a head or of a body."""
        if not self._in_body:
            if self._deadline is None:  # the next request on a connection that was kept open
                self._expect(HEAD_S)
            if self._head_bytes > HEAD_BYTES:
                self.transport.abort()
                return
            self._head_bytes += len(data)
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._in_body, self._head_bytes = True, 0
        self._forget()
        if self.cycle is not None and not self.cycle.response_complete:  # type: ignore[redundant-expr]  # it begins as None
            raise Malformed("a request before the one before it is answered")
        _check_length(self.headers)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is there as a whole."""
        self._in_body = False
        self._forget()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is on its way as a whole."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._give_up_later()
        elif self._in_body:
            self._expect(REST_S)

    def timeout_keep_alive_handler(self) -> None:
        """Nothing came on a connection that was kept open."""
        super().timeout_keep_alive_handler()
        self._give_up_later()

    def pause_writing(self) -> None:
        """The client reads slower than the answer comes."""
        super().pause_writing()
        self._give_up_later()

    def resume_writing(self) -> None:
        """The client has caught up."""
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._forget()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
        if self.gate is not None and self._entered is not None:
            self.gate.leave(self._entered)
            self._entered = None
        super().connection_lost(exc)

    def _give_up_later(self) -> None:
        """Whatever waits to be read is dropped after a while; closing alone would wait for it for ever."""
        if self._stalled is None:
            self._stalled = self.loop.call_later(STALL_S, self.transport.abort)

    def _expect(self, seconds: float) -> None:
        self._forget()
        self._deadline = self.loop.call_later(seconds, self.transport.abort)

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def guarded(gate: Gate) -> type[PatientProtocol]:
    """The protocol of one server, with its gate."""
    attributes: dict[str, Any] = {"gate": gate, "__doc__": PatientProtocol.__doc__}
    return type("GuardedProtocol", (PatientProtocol,), attributes)


def _check_length(headers: list[tuple[bytes, bytes]]) -> None:
    """Raise `Malformed` unless the end of the body is told in one way, and in a way that every proxy knows."""
    encodings = [value.strip().lower() for name, value in headers if name == b"transfer-encoding"]
    lengths = [value for name, value in headers if name == b"content-length"]
    if encodings not in ([], [b"chunked"]) or len(lengths) + len(encodings) > 1:
        raise Malformed("the length of the body is told in two ways")
