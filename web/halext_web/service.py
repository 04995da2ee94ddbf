"""The HTTP door as a part of `halext up`."""

from __future__ import annotations

from collections.abc import Callable

from halext.runtime.app import App
from halext_web.app import build
from halext_web.gate import Gate
from halext_web.listener import base_url, bind, server


class WebService:
    """Serves pages and APIs until it is cancelled."""

    name = "web"
    extra = "web"

    async def run(self, app: App, ready: Callable[[str], None]) -> None:
        """Listen and serve; raises `PortInUse` before anything else has begun."""
        listener = bind(app.settings.host, app.settings.port)
        with listener:
            app.base_url = base_url(listener)
            serving = server(build(app), lambda: ready(app.base_url), Gate.of(app.settings))
            await serving.run_until_cancelled(listener)
