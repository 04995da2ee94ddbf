from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from unittest.mock import AsyncMock, Mock

import pytest

from halext.errors import Unreachable
from halext.hosts.llama import free_port
from halext.runtime.clock import SystemClock
from halext.types import EndpointId, NodeName
from halext.upstream import Channel, Endpoint
from halext.upstreams.http import Door
from halext.upstreams.trace import trace

CLOCK = SystemClock()


@pytest.fixture
async def port() -> AsyncIterator[int]:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def endpoint(url: str, *cidrs: str) -> Endpoint:
    return Endpoint(EndpointId("mac"), NodeName("mac"), "ollama", url, cidrs=cidrs)


async def way(door: Door, target: Endpoint) -> list[tuple[str, bool]]:
    return [(step.stage, step.ok) for step in await trace(door, target, CLOCK)]


async def test_an_open_way(port: int) -> None:
    found = await way(Door(), endpoint(f"http://127.0.0.1:{port}"))
    assert found == [("name", True), ("address", True), ("connect", True)]


async def test_nobody_listens() -> None:
    assert (await way(Door(), endpoint(f"http://127.0.0.1:{free_port()}")))[-1] == ("connect", False)


async def test_an_address_outside_the_rule(port: int) -> None:
    assert (await way(Door(), endpoint(f"http://127.0.0.1:{port}", "10.0.0.0/8")))[-1] == ("address", False)
    own = Door(own=frozenset({("127.0.0.1", port)}))
    assert (await way(own, endpoint(f"http://127.0.0.1:{port}")))[-1] == ("address", False)


async def test_a_name_that_is_none() -> None:
    assert await way(Door(), endpoint("http://no-such-host.invalid:1")) == [("name", False)]


async def test_no_tls_behind_https(port: int) -> None:
    assert (await way(Door(), endpoint(f"https://127.0.0.1:{port}")))[-1] == ("TLS", False)


async def test_through_a_tunnel() -> None:
    far = Endpoint(EndpointId("mac"), NodeName("mac"), "ollama", "http://mac.internal:11434", via="tunnel")
    channel = Mock(spec=Channel)
    found = await trace(Door(open_channel=AsyncMock(return_value=channel)), far, CLOCK)
    assert [(step.stage, step.ok, step.detail) for step in found] == [
        ("name", True, "tunnel: its computer dials in"),
        ("connect", True, "through the tunnel to port 11434"),
    ]
    channel.close.assert_called_once_with()
    refused = AsyncMock(side_effect=Unreachable("mac is dialled in, but nothing answers on its port 11434."))
    (_, step) = await trace(Door(open_channel=refused), far, CLOCK)
    assert (step.ok, step.detail) == (False, "mac is dialled in, but nothing answers on its port 11434.")
