"""A small HTTP/1.1 server whose handlers own the bytes, so that it can also misbehave like a real one.

Ready-made servers never let a handler send half a line and cut the wire; this one exists for that. It reads requests
with Content-Length or chunked bodies, keeps connections alive, and cancels a handler as soon as its client leaves.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal, Self, TypeVar, cast
from urllib.parse import parse_qsl, unquote, urlsplit

MAX_HEAD_BYTES = 64 * 1024
"""Request line and headers; what the usual servers allow."""

JSON = "application/json; charset=utf-8"
PHRASES = {status.value: status.phrase for status in HTTPStatus}
Greeting = Literal["serve", "reset", "silent"]


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came over the wire; header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    version: str = "HTTP/1.1"

    def json(self) -> Any:
        """The body as JSON; ValueError when it is none."""
        return json.loads(self.body)


class Exchange:
    """A request and the wire to answer it on. `begun` says whether any byte of the answer went out."""

    def __init__(self, request: Request, wire: _Connection) -> None:
        self.request = request
        self.begun = False
        self.ended = False
        self._wire = wire
        self._chunked = request.version == "HTTP/1.1"
        self.keep_alive = self._chunked and request.headers.get("connection", "").lower() != "close"

    async def send(
        self, status: int, body: bytes = b"", *, content_type: str = JSON, headers: Mapping[str, str] | None = None
    ) -> None:
        """A whole answer with its length."""
        fields = {"Content-Length": str(len(body)), **(headers or {})}
        if body:
            fields["Content-Type"] = content_type
        await self.raw(self._head(status, fields) + (b"" if self.request.method == "HEAD" else body))
        self.ended = True

    async def begin(self, status: int = 200, *, content_type: str = JSON) -> None:
        """The head of an answer whose length is not known yet."""
        fields = {"Content-Type": content_type}
        if self._chunked:
            fields["Transfer-Encoding"] = "chunked"
        await self.raw(self._head(status, fields))

    async def write(self, data: bytes) -> None:
        """A piece of a begun answer; it leaves at once, as one write."""
        if data:
            await self.raw(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    async def write_half(self, data: bytes) -> None:
        """Half of a piece, though its head announces all of it."""
        half = data[: len(data) // 2]
        await self.raw(b"%x\r\n%b" % (len(data), half) if self._chunked else half)

    async def end(self) -> None:
        """The clean end of a begun answer."""
        self.ended = True
        if self._chunked:
            await self.raw(b"0\r\n\r\n")

    async def raw(self, data: bytes) -> None:
        """These bytes exactly."""
        self.begun = True
        await self._wire.write(data)

    def abort(self) -> None:
        """Cut the connection so that the client sees a reset."""
        self.keep_alive = False
        self._wire.abort()

    def _head(self, status: int, fields: Mapping[str, str]) -> bytes:
        lines = [
            f"HTTP/1.1 {status} {PHRASES.get(status, 'Unknown')}",
            *(f"{name}: {value}" for name, value in fields.items()),
        ]
        if not self.keep_alive:
            lines.append("Connection: close")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


Handler = Callable[[Exchange], Awaitable[None]]


class HttpServer:
    """Serves `handler` on a loopback port; the port stays the same over `kill` and `start`.

    A handler is cancelled when its client leaves. A handler that fails by itself makes `close` raise that failure.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        greet: Callable[[], Greeting] = lambda: "serve",
    ) -> None:
        self.handler = handler
        self.host = host
        self.port = port
        self.greet = greet
        self.crashes: list[Exception] = []
        self._connections: set[_Connection] = set()
        self._listener: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"http://{self.host}:{self.port}"

    @property
    def open_connections(self) -> int:
        """How many clients are connected now."""
        return len(self._connections)

    async def start(self) -> None:
        """Listen; OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(lambda: _Connection(self), self.host, self.port, backlog=1024)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def kill(self) -> None:
        """Refuse new connections and reset all present ones, like a power cut."""
        await self._stop(reset=True)

    async def close(self) -> None:
        """Stop listening and hang up; leaves no task and no socket behind."""
        await self._stop(reset=False)
        if self.crashes:
            raise self.crashes.pop(0)

    async def _stop(self, *, reset: bool) -> None:
        if self._listener is None:
            return
        self._listener.close()
        leaving = list(self._connections)
        for connection in leaving:
            connection.abort(reset=reset)
        await asyncio.gather(*(connection.closed.wait() for connection in leaving))
        tasks = [connection.task for connection in leaving if connection.task]
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._listener.wait_closed()
        self._listener = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()


class _Connection(asyncio.Protocol):
    """One client. Its task reads a request, runs the handler, and does so again while both want to go on."""

    def __init__(self, server: HttpServer) -> None:
        self.server = server
        self.task: asyncio.Task[None] | None = None
        self.closed = asyncio.Event()
        self._reader = asyncio.StreamReader(limit=MAX_HEAD_BYTES)
        self._writable = asyncio.Event()
        self._writable.set()
        self._answering = False
        self._silent = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(0)  # so that a finished write has left this process
        self.server._connections.add(self)  # noqa: SLF001 - the two classes are one thing
        greeting = self.server.greet()
        if greeting == "reset":
            self.abort()
        elif greeting == "silent":
            self._silent = True
        else:
            self.task = asyncio.get_running_loop().create_task(self._serve())

    def data_received(self, data: bytes) -> None:
        if not self._silent:
            self._reader.feed_data(data)

    def eof_received(self) -> bool:
        self._leave()
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        self._leave()
        self._writable.set()
        self.server._connections.discard(self)  # noqa: SLF001
        self.closed.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def write(self, data: bytes) -> None:
        if self._transport.is_closing():
            raise ConnectionResetError("the client has left")
        self._transport.write(data)
        await self._writable.wait()

    def abort(self, *, reset: bool = True) -> None:
        sock = self._transport.get_extra_info("socket")
        if reset and sock is not None:
            linger_off = struct.pack("ii", 1, 0)  # close() then sends RST and forgets what is unsent
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_off)
        self._transport.abort()

    def _leave(self) -> None:
        if not self._reader.at_eof():
            self._reader.feed_eof()
        if self._answering and self.task:
            self.task.cancel()

    async def _serve(self) -> None:
        try:
            while (request := await _read_request(self._reader, self.write)) is not None:
                exchange = Exchange(request, self)
                if not await self._answer(exchange):
                    break
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass  # the client left in the middle of a request, or sends no HTTP
        except ValueError:
            await self.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        finally:
            self._transport.close()

    async def _answer(self, exchange: Exchange) -> bool:
        """Run the handler; True when the connection can take another request."""
        self._answering = True
        try:
            await self.server.handler(exchange)
        except ConnectionError:
            return False
        except Exception as error:  # noqa: BLE001 - a bug in a handler must reach the test, which `close` does
            self.server.crashes.append(error)
            return False
        finally:
            self._answering = False
        return exchange.keep_alive and exchange.ended


async def _read_request(reader: asyncio.StreamReader, write: Callable[[bytes], Awaitable[None]]) -> Request | None:
    """The next request; None when the client is through. ValueError for what is no HTTP."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, version = first.split(" ")
    headers = {}
    for line in filter(None, lines):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    if headers.get("expect", "").lower() == "100-continue":
        await write(b"HTTP/1.1 100 Continue\r\n\r\n")
    parts = urlsplit(target)
    return Request(
        method=method,
        path=unquote(parts.path),
        query=dict(parse_qsl(parts.query)),
        headers=headers,
        body=await _read_body(reader, headers),
        version=version,
    )


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    body = bytearray()
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass  # trailers mean nothing here
    return bytes(body)


Server = TypeVar("Server", bound=contextlib.AbstractAsyncContextManager[object])


@contextlib.contextmanager
def in_thread(server: Server) -> Iterator[Server]:
    """Run a server on a loop of its own in a thread, for tests and notebooks that are not async."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="halext-testing", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(10)
        try:
            yield server
        finally:
            asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
