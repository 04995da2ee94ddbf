from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from halext.hosts.llama import free_port
from halext.runtime.clock import SystemClock
from halext.types import EndpointId, NodeName
from halext.upstream import Endpoint
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
