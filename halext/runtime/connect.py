"""Finds the halext to talk to: one named by its URL, the one that runs on this data directory, or one opened now."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from halext.accounts.types import LOCAL
from halext.runtime.control import Control, LocalControl, RemoteControl
from halext.runtime.settings import Settings
from halext.types import EndpointId, NodeName, SecretRef
from halext.upstream import Endpoint
from halext.upstreams.address import place
from halext.upstreams.coordinator import Coordinator
from halext.upstreams.http import Door, pin


@asynccontextmanager
async def open_control(settings: Settings) -> AsyncIterator[Control]:
    """A way to use halext, as `HALEXT_URL` says, or beside a running `halext up`, or by opening the house for a moment.

    Raises what opening it raises; `Unreachable` is left to the first call.
    """
    if settings.url is not None:
        token = settings.token.get_secret_value() if settings.token else None
        async with remote_control(settings.url, token) as control:
            yield control
    elif (running := find_running(settings.data_dir)) is not None:
        async with remote_control(*running) as control:
            yield control
    else:
        from halext.runtime.wiring import open_app  # the database is loaded only where it is opened

        async with open_app(settings) as app:
            await app.prober.refresh(max_age_s=0)
            yield LocalControl(app, LOCAL)


@asynccontextmanager
async def remote_control(url: str, token: str | None) -> AsyncIterator[RemoteControl]:
    """Another halext at `url`, with the rights of `token`."""
    spot = place(url, "halext")

    async def reveal(_ref: SecretRef) -> dict[str, str]:
        return {"authorization": f"Bearer {token}"} if token else {}

    door = Door(reveal=reveal)
    try:
        endpoint = Endpoint(
            id=EndpointId("halext"),
            node=NodeName("halext"),
            kind="halext",
            url=spot.url,
            cidrs=await pin(spot.host, spot.port),
            secret=SecretRef("token") if token else None,
            insecure=True,  # the person who typed the URL decides how they reach their own server
        )
        yield RemoteControl(Coordinator(door, endpoint))
    finally:
        await door.aclose()


def find_running(data_dir: Path) -> tuple[str, str] | None:
    """URL and credential of the halext that runs on this data directory, if one does."""
    from halext.hosts.lock import is_locked

    try:
        told = json.loads((data_dir / "run.json").read_text(encoding="utf-8"))
        running = str(told["url"]), str(told["token"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return running if is_locked(data_dir) else None
