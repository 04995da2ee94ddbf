"""HTTP/1.1 with an end to patience: a connection that makes no progress holds no memory and no node's slot.

uvicorn has no limits on the head of a request, on its pace, or on a client that never reads its answer.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_S = 10.0
"""For all headers of a request: a few kilobytes, even over a bad line."""
HEAD_BYTES = 64 * 1024
"""Browsers and proxies stop at 8 to 32 KB."""
REST_S = 30.0
"""For the rest of a body whose request has been answered already, such as one that is too large: many clients read the
answer only after they have sent everything."""
STALL_S = 30.0
"""For a client that does not read while its answer waits; after that the node works for somebody else."""


class PatientProtocol(HttpToolsProtocol):
    """One connection."""

    _deadline: asyncio.TimerHandle | None = None
    """When the client's part of a request must have come."""
    _stalled: asyncio.TimerHandle | None = None
    """When the client must have read something."""
    _in_body = False
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        """A client has connected, and now has to say something."""
        super().connection_made(transport)
        self._expect(HEAD_S)

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
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is there as a whole."""
        self._in_body = False
        self._forget()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is on its way as a whole."""
        super().on_response_complete()
        if self._in_body:
            self._expect(REST_S)

    def pause_writing(self) -> None:
        """The client reads slower than the answer comes."""
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(STALL_S, self.transport.abort)

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
        super().connection_lost(exc)

    def _expect(self, seconds: float) -> None:
        self._forget()
        self._deadline = self.loop.call_later(seconds, self.transport.abort)

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
