"""aiohttp over a channel instead of a socket: for endpoints that have no address."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import aiohttp

from halext.upstream import Channel, Receiver

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler

Open = Callable[[Receiver], Awaitable[Channel]]


class ChannelConnector(aiohttp.BaseConnector):
    """Makes each connection by opening a channel. Overrides what aiohttp's own connectors do, and nothing else."""

    def __init__(self, open_: Open, *, keepalive_s: float | None) -> None:
        """`keepalive_s` None: no connection is used twice."""
        super().__init__(limit=0, keepalive_timeout=keepalive_s, force_close=keepalive_s is None)
        self._open = open_

    async def _create_connection(self, *_details: object) -> ResponseHandler:
        # The request, traces and deadlines: the URL says nothing, and aiohttp's limit on connecting holds around this.
        handler = self._factory()
        transport = ChannelTransport(handler)
        transport.start(await self._open(transport))
        return handler


class ChannelTransport(asyncio.Transport):
    """Stands between a channel and a protocol, and behaves to it as a socket's transport does.

    Above all, closing tells the protocol at once: a channel alone would first wait for the far side to agree, which
    takes as long as the network is silent.
    """

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._protocol = protocol
        self._channel: Channel | None = None
        self._has_ended = False

    def start(self, channel: Channel) -> None:
        """The channel is open."""
        self._channel = channel
        self._protocol.connection_made(self)

    # --- from the channel: a Receiver ---

    def data_received(self, data: bytes) -> None:
        """Some bytes came."""
        if not self._has_ended:
            self._protocol.data_received(data)

    def eof_received(self) -> None:
        """The far side will send no more; what it has sent is a whole answer or isn't, and nothing else follows."""
        if not self._has_ended:
            self._protocol.eof_received()
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        """The channel has ended."""
        if not self._has_ended:
            self._has_ended = True
            self._protocol.connection_lost(error)

    def pause_writing(self) -> None:
        """Too much waits to be sent."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """There is room again."""
        self._protocol.resume_writing()

    # --- from the protocol: a transport ---

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Send these."""
        if self._channel is not None and not self._has_ended:
            self._channel.write(bytes(data))

    def get_write_buffer_size(self) -> int:
        """How many bytes wait to be sent."""
        return self._channel.get_write_buffer_size() if self._channel is not None else 0

    def is_closing(self) -> bool:
        """Whether it is over."""
        return self._has_ended

    def pause_reading(self) -> None:
        """Hold back what comes."""
        if self._channel is not None and not self._has_ended:
            self._channel.pause_reading()

    def resume_reading(self) -> None:
        """Let it come again."""
        if self._channel is not None and not self._has_ended:
            self._channel.resume_reading()

    def close(self) -> None:
        """Send what waits, then end."""
        if self._channel is not None and not self._has_ended:
            self._channel.close()
            self._finish()

    def abort(self) -> None:
        """End at once."""
        if self._channel is not None and not self._has_ended:
            self._channel.abort()
            self._finish()

    def _finish(self) -> None:
        """The protocol hears of it in the loop's next turn, as from a socket."""
        self._has_ended = True
        asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)
