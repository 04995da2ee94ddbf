"""The one port that everything is on: REST, the gateway, files, and the page that draws it all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web

from halext.testing.discordapi.api import Api, reply

SHUTDOWN_S = 0.5
"""What handlers get to notice that their client is gone."""


class DiscordServer:
    """Serves an Api on a loopback port; the port stays the same over `stop` and `start`.

    `crashes` is what failed inside the fake: the client gets 503, which it does not try again.
    """

    def __init__(self, api: Api, draw: Callable[[], str], *, port: int = 0) -> None:
        self.port = port
        self.crashes: list[Exception] = []
        self._api = api
        self._draw = draw
        self._server: web.Server | None = None
        self._listener: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen; OSError when the port is taken."""
        self._server = web.Server(self._handle, access_log=None)
        self._listener = await asyncio.get_running_loop().create_server(self._server, "127.0.0.1", self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Reset all connections and refuse new ones."""
        if self._listener is None or self._server is None:
            return
        self._listener.close()
        for connection in self._server.connections:
            if connection.transport is not None:
                connection.transport.abort()
        await self._server.shutdown(SHUTDOWN_S)
        await self._listener.wait_closed()
        self._listener = self._server = None

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._route(request)
        except (ConnectionError, web.HTTPException):
            raise
        except Exception as error:  # noqa: BLE001 - a bug in the fake must reach the test, which `close` does
            self.crashes.append(error)
            return reply(503, {"message": "the fake failed", "code": 0})

    async def _route(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/":
            return web.Response(text=self._draw(), content_type="text/html")
        if request.path.rstrip("/") == "/gateway":
            return await self._api.gateway.serve(request)
        if request.path.startswith("/attachments/"):
            return await self._file(request)
        return await self._api.handle(request)

    async def _file(self, request: web.BaseRequest) -> web.Response:
        if (fault := await self._api.strike("file", request)) is not None:
            return fault
        number = request.path.split("/")[3:4]
        file = self._api.world.file(int(number[0])) if number and number[0].isdigit() else None
        if file is None:
            return web.Response(status=404, text="This content is no longer available.")
        return web.Response(body=file.data, headers={"Content-Type": file.content_type})
