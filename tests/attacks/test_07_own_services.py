"""Attack 7: a node at halext's own port, its Redis or its database: halext would talk to itself, or to its store."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import SecretStr

from halext.errors import Unreachable
from halext.runtime.own_places import named_places, own_places
from halext.runtime.settings import Settings
from halext.types import EndpointId, NodeName
from halext.upstream import Endpoint
from halext.upstreams.http import Door

from .conftest import Sentinel
from .lair import ADA, housed

SPELLINGS = ("127.0.0.1", "localhost", "127.0.0.9", "[::1]", "[::ffff:127.0.0.1]", "mac.lan")


@pytest.mark.parametrize(
    "where",
    [
        {"port": "{port}", "host": "127.0.0.1"},
        {"port": "{port}", "host": "0.0.0.0"},
        {"port": "{port}", "host": "localhost"},
        {"redis_url": "redis://:secret@127.0.0.1:{port}/0"},
        {"redis_url": "redis://localhost:{port}/0"},
        {"database_url": "postgresql+asyncpg://halext:secret@127.0.0.1:{port}/halext"},
        {"database_url": "postgresql://halext@[::1]:{port}/halext"},
        {"tunnel_port": "{port}"},
    ],
    ids=str,
)
async def test_no_service_of_ours_is_a_node(tmp_path: Path, sentinel: Sentinel, where: dict[str, str]) -> None:
    said = {name: value.format(port=sentinel.port) for name, value in where.items()}
    chosen: dict[str, Any] = {"port": 0, "tunnel_port": 0, **said}
    settings = Settings(data_dir=tmp_path, **chosen)

    async def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    door = Door(own=own_places(settings), node_cidrs=["127.0.0.0/8", "::1/128"], resolve=resolve)
    for host in SPELLINGS:
        url = f"http://{host}:{sentinel.port}"
        endpoint = Endpoint(EndpointId(host), NodeName("me"), "ollama", url, cidrs=("127.0.0.0/8", "::1/128"))
        with pytest.raises(Unreachable, match="is halext itself"):
            await door.request(endpoint, "GET", "/api/tags")
    await door.aclose()
    assert sentinel.heard == []


async def test_a_service_that_is_called_by_a_name_is_found_too(tmp_path: Path, sentinel: Sentinel) -> None:
    name = socket.gethostname()
    try:
        address = socket.getaddrinfo(name, sentinel.port, type=socket.SOCK_STREAM)[0][4][0]
    except OSError:
        pytest.skip("this machine does not know its own name")
    url = SecretStr(f"redis://{name}:{sentinel.port}/0")
    assert (address, sentinel.port) in await named_places(Settings(data_dir=tmp_path, redis_url=url))


async def test_who_may_add_nodes_can_not_add_ourselves(tmp_path: Path, sentinel: Sentinel) -> None:
    async with housed(tmp_path) as house:
        house.app.door._own |= {("127.0.0.1", sentinel.port)}
        body = msgspec.json.encode({"name": "me", "urls": [sentinel.url], "kind": "ollama", "cidrs": ["127.0.0.0/8"]})
        answer = await house.ask(ADA, "POST", "/hx/nodes", body)
        assert b"is halext itself" in answer.body, answer
    assert sentinel.heard == []
