"""The socket and the server on it."""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from halext.errors import InvalidSetting, PortInUse
from halext_web.gate import Gate
from halext_web.protocol import PatientProtocol, guarded

BACKLOG = 2048
DRAIN_S = 25
"""Seconds that answers under way get when halext stops; service managers wait 30 before they kill."""
KEEP_ALIVE_S = 75
"""Longer than the 60 s for which proxies keep a connection: else they send on one that is just being closed."""


def bind(host: str, port: int) -> socket.socket:
    """A listening address. Raises `PortInUse` and `InvalidSetting` with what to do."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError:
        raise InvalidSetting(f"HALEXT_HOST is {host!r}, which is no address of this machine.") from None
    found = socket.socket(family, kind, protocol)
    try:
        if sys.platform != "win32":  # there the option would let two programs share the port
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(BACKLOG)
        found.setblocking(False)  # noqa: FBT003 - the library has no other way
    except OSError as error:
        found.close()
        raise _explain(error, host, port) from error
    return found


def _explain(error: OSError, host: str, port: int) -> PortInUse | InvalidSetting:
    if error.errno == errno.EADDRINUSE:
        return PortInUse(f"Another program listens on port {port} already; stop it, or choose another with --port.")
    if error.errno == errno.EACCES:
        return InvalidSetting(f"Port {port} is for the system only; choose one above 1023 with --port.")
    return InvalidSetting(f"halext can't listen on {host}: {error.strerror}. Choose an address with --host.")


def base_url(found: socket.socket) -> str:
    """The address to open on this machine."""
    host, port = found.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - it is compared, not listened on
        host = "127.0.0.1" if found.family == socket.AF_INET else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """uvicorn without signal handlers: the runtime decides when to stop."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer, and say so."""
        await super().startup(sockets)
        self._on_ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield

    async def run_until_cancelled(self, listener: socket.socket) -> None:
        """Serve; when cancelled, stop listening, let answers end for a while, then end them with a last word."""
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(self.serve(sockets=[listener]))
            try:
                await asyncio.shield(serving)
            except asyncio.CancelledError:
                self.should_exit = True
                await asyncio.shield(serving)
                raise
            finally:
                await asyncio.gather(*self.server_state.tasks, return_exceptions=True)


def server(app: ASGIApp, on_ready: Callable[[], None], gate: Gate | None = None) -> Server:
    """A server for this app, in the loop that runs it; `on_ready` is called once, when it answers."""
    config = uvicorn.Config(
        app,
        loop="none",
        http=PatientProtocol if gate is None else guarded(gate),
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=DRAIN_S,
    )
    return Server(config, on_ready)
