"""Attack 5: the address where a cloud tells a machine its secrets, given as a node by somebody who may add nodes."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from halext.errors import Unreachable
from halext.types import EndpointId, NodeName
from halext.upstream import Endpoint
from halext.upstreams.http import Door

from .lair import ADA, housed

METADATA = (
    "169.254.169.254",
    "169.254.0.1",
    "169.254.170.2",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "fd00:ec2::254",
    "fe80::a9fe:a9fe",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::",
)
WIDE = ("0.0.0.0/0", "::/0")


@pytest.mark.parametrize("address", METADATA)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_not_even_inside_networks_that_an_administrator_opened(address: str, scheme: str) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return [address]

    door = Door(resolve=resolve, node_cidrs=WIDE)
    literal = f"[{address}]" if ":" in address else address
    for host in (literal, "metadata.example"):
        endpoint = Endpoint(
            EndpointId(host), NodeName("mac"), "ollama", f"{scheme}://{host}:80", cidrs=WIDE, insecure=True
        )
        with pytest.raises(Unreachable, match="is never a node's address"):
            await door.request(endpoint, "GET", "/api/tags")
    await door.aclose()


async def test_it_can_not_be_added(tmp_path: Path) -> None:
    async with housed(tmp_path) as house:
        for number, address in enumerate(METADATA):
            host = f"[{address}]" if ":" in address else address
            body = {"name": f"cloud-{number}", "urls": [f"http://{host}:80"], "insecure": True}
            for more in ({}, {"cidrs": list(WIDE)}):
                answer = await house.ask(ADA, "POST", "/hx/nodes", msgspec.json.encode(body | more))
                assert answer.status in {422, 502, 503}, answer
                assert "cloud" not in " ".join(node.name for node in house.app.registry.nodes())
