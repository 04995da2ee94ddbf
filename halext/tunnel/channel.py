"""One channel inside an ssh connection, as the words that `halext.upstream` has for it."""

from __future__ import annotations

import asyncssh

from halext.upstream import Receiver


class Session(asyncssh.SSHTCPSession[bytes]):
    """Hands what comes through the channel to its receiver.

    Flow control is asyncssh's: a reader that pauses is felt by the far side once the channel's window, 2 MiB, is full.
    """

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._has_ended = False

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        """Some bytes came."""
        del datatype  # there is only one on such a channel
        self._receiver.data_received(data)

    def eof_received(self) -> bool:
        """The far side will send no more. The receiver closes; True keeps asyncssh from doing it by itself."""
        self._has_ended = True
        self._receiver.eof_received()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The channel, or the whole connection, has ended: in good order only if the far side had said so."""
        del exc
        self._receiver.connection_lost(None if self._has_ended else ConnectionResetError("the tunnel broke"))

    def pause_writing(self) -> None:
        """Too much waits to be sent."""
        self._receiver.pause_writing()

    def resume_writing(self) -> None:
        """There is room again."""
        self._receiver.resume_writing()
