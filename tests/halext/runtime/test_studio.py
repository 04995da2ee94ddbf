"""A studio without a house."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from halext.accounts.types import LOCAL
from halext.gateway.dispatch import Gateway
from halext.nodes.prober import Prober
from halext.nodes.registry import Registry
from halext.nodes.types import Node
from halext.pictures import Recipe
from halext.runtime.background import Background
from halext.runtime.studio import open_studio
from halext.testing.automatic1111 import FakeAutomatic1111
from halext.testing.clock import ScaledClock
from halext.types import EndpointId, NodeName
from halext.upstream import Endpoint
from halext.upstreams.http import Door
from halext.upstreams.kinds import drivers


async def test_its_jobs_stand_among_the_gateways_records(
    fake_automatic1111: Callable[..., Awaitable[FakeAutomatic1111]],
) -> None:
    clock, door = ScaledClock(50), Door()
    registry = Registry(records=None, clock=clock, publish=lambda _: None)
    gateway = Gateway(registry=registry, drivers=drivers(door), clock=clock)
    url = (await fake_automatic1111()).url
    endpoint = Endpoint(EndpointId("pc"), NodeName("pc"), "automatic1111", url, cidrs=("127.0.0.0/8",))
    await registry.add(Node(NodeName("pc"), (endpoint,)))
    await Prober(registry, drivers(door), clock).look(endpoint.id)
    async with Background() as background:
        studio = open_studio(gateway, registry, door, clock, background, lambda _: None)
        job = await studio.make(LOCAL, Recipe("a lighthouse", width=64, height=64, steps=2))
    await door.aclose()
    record = gateway.records.find(job.id)
    assert record is not None
    assert (record.kind, record.outcome, record.node) == ("image", "done", "pc")
