"""The part `tunnel` of `halext up`: lets home computers dial in."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from halext.errors import MissingExtra, PortInUse
from halext.runtime import hostkey
from halext.runtime.app import App
from halext.runtime.service import pip_line

RETRY_S = 30.0
"""How long to wait for a port that another program has; everything else works meanwhile."""

_log = logging.getLogger(__name__)


class TunnelService:
    """Opens its port when the first node is to join, and not before: a house without such nodes needs none."""

    name = "tunnel"
    extra = "tunnel"

    async def run(self, app: App, ready: Callable[[str], None]) -> None:
        """Let computers dial in until cancelled."""
        if not app.tunnels.wanted.is_set():
            ready("no port is open; `halext node join NAME` opens one")
            await app.tunnels.wanted.wait()
            ready = _log.info
        try:
            listening = await asyncio.to_thread(_listening)
        except MissingExtra as error:
            ready(f"off: {error.message}")
            await asyncio.Event().wait()
            return
        key = hostkey.load(app.settings)
        while True:
            try:
                async with listening(
                    app.settings.tunnel_host or "",
                    app.settings.tunnel_port,
                    key,
                    roster=app.roster,
                    tunnels=app.tunnels,
                    clock=app.clock,
                ) as port:
                    ready(f"computers dial in by ssh on port {port}; this server's key is {key.fingerprint}")
                    await asyncio.Event().wait()
            except PortInUse as error:
                ready(f"not yet: {error.message}")
                ready = _log.info
                await app.clock.sleep(RETRY_S)


def _listening() -> Callable[..., AbstractAsyncContextManager[int]]:
    """The ssh server, whose library takes 17 MB and a second: only those who use it load it. Raises `MissingExtra`."""
    with pip_line("tunnel"):
        from halext.tunnel.server import listening
    return listening
