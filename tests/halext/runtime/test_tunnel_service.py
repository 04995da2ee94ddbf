from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from halext.accounts.types import LOCAL
from halext.runtime import service
from halext.runtime.app import App
from halext.runtime.settings import Settings
from halext.runtime.shapes_tunnel import JoinNode
from halext.runtime.tunnel_service import RETRY_S, TunnelService
from halext.runtime.verbs.tunnel import join_node
from halext.runtime.wiring import open_app
from halext.testing.clock import ManualClock

PATIENCE_S = 20.0


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
    return number


@pytest.fixture
async def app(tmp_path: Path, port: int, manual_clock: ManualClock) -> AsyncIterator[App]:
    settings = Settings(data_dir=tmp_path / "data", port=0, tunnel_host="127.0.0.1", tunnel_port=port)
    async with open_app(settings, manual_clock) as app:
        yield app


@asynccontextmanager
async def running(app: App) -> AsyncIterator[list[str]]:
    """The service, once it has said something; what it said."""
    said, spoke = list[str](), asyncio.Event()

    def ready(line: str) -> None:
        said.append(line)
        spoke.set()

    task = asyncio.get_running_loop().create_task(TunnelService().run(app, ready))
    async with asyncio.timeout(PATIENCE_S):
        await spoke.wait()
    yield said
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def greeting(port: int) -> bytes:
    """What answers there; asked until something does."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0)
                continue
            line = await reader.readline()
            writer.close()
            return line


def test_it_is_a_part() -> None:
    assert service.load("tunnel").name == "tunnel"


async def test_no_port_is_open_before_a_node_is_to_join(app: App, port: int) -> None:
    async with running(app) as said:
        assert said == ["no port is open; `halext node join NAME` opens one"]
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        await join_node(app, LOCAL, JoinNode(name="mac"))
        assert (await greeting(port)).startswith(b"SSH-2.0-")
        assert app.tunnels.port == port
    assert app.tunnels.port is None


async def test_later_it_opens_at_once(app: App, port: int) -> None:
    await join_node(app, LOCAL, JoinNode(name="mac"))
    async with running(app) as said:
        assert said[0].startswith(f"computers dial in by ssh on port {port}; this server's key is SHA256:")


async def test_a_port_that_is_taken_is_tried_again(app: App, port: int, manual_clock: ManualClock) -> None:
    await join_node(app, LOCAL, JoinNode(name="mac"))
    other = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", port)
    async with running(app) as said:
        assert "HALEXT_TUNNEL_PORT" in said[0]
        other.close()
        await other.wait_closed()
        await manual_clock.advance(RETRY_S)
        assert (await greeting(port)).startswith(b"SSH-2.0-")


async def test_without_its_library_it_is_off_and_says_what_to_install(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    await join_node(app, LOCAL, JoinNode(name="mac"))
    monkeypatch.setitem(sys.modules, "halext.tunnel.server", None)
    async with running(app) as said:
        assert said == [
            "off: The part 'tunnel' needs more libraries (halext.tunnel.server): pip install 'halext[tunnel]'"
        ]
