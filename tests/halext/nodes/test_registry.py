from __future__ import annotations

import pytest

from halext.errors import AlreadyExists, ModelMissing, RateLimited, RequestRefused, UnknownNode, Unreachable
from halext.events import EndpointEjected, Event, StatusChanged
from halext.nodes.registry import Registry
from halext.nodes.types import Cordon, Rates, Status
from halext.testing.clock import ManualClock
from halext.types import EndpointId, ModelName
from halext.upstream import ModelInfo, RunningModel, Sighting

from .conftest import node, sighting

MAC, PC, M = EndpointId("mac"), EndpointId("pc"), ModelName("m:latest")


async def test_nodes_come_and_go(registry: Registry) -> None:
    await registry.add(node("pc"))
    await registry.add(node("mac"))
    assert [known.name for known in registry.nodes()] == ["mac", "pc"]
    assert [state.endpoint.id for state in registry.states()] == ["mac", "pc"]
    await registry.remove("mac")
    with pytest.raises(UnknownNode, match="Known nodes: pc"):
        registry.node("mac")
    with pytest.raises(UnknownNode):
        registry.state(MAC)
    assert registry.is_gone(MAC)


async def test_an_address_belongs_to_one_node(registry: Registry) -> None:
    await registry.add(node("mac", "http://a:1"))
    with pytest.raises(AlreadyExists, match="'mac'"):
        await registry.add(node("other", "http://a:1"))
    assert [known.name for known in registry.nodes()] == ["mac"]


async def test_what_is_known_of_an_endpoint_survives_changes_of_its_node(registry: Registry) -> None:
    await registry.add(node("mac"))
    registry.saw(MAC, sighting("m"), asked_at=0)
    await registry.set_cordon("mac", Cordon.CORDONED)
    state = registry.state(MAC)
    assert state.node.cordon is Cordon.CORDONED
    assert state.health.status is Status.HEALTHY
    assert state.sighting == sighting("m")


async def test_who_serves_a_model(registry: Registry) -> None:
    for name in ("mac", "pc"):
        await registry.add(node(name))
    registry.saw(MAC, sighting("M:latest", "other"), asked_at=0)
    registry.saw(PC, sighting("m"), asked_at=0)
    for asked in ("m", "M", "m:latest"):
        assert [(state.endpoint.id, info.name) for state, info in registry.serving(asked)] == [
            ("mac", "M:latest"),
            ("pc", "m"),
        ]
    assert registry.serving("m:7b") == []
    registry.saw(PC, sighting("new"), asked_at=0)
    assert [state.endpoint.id for state, _ in registry.serving("m")] == ["mac"]
    await registry.remove("mac")
    assert registry.serving("m") == []


async def test_models_of_nodes_that_take_requests(registry: Registry) -> None:
    for name in ("mac", "pc"):
        await registry.add(node(name))
    registry.saw(MAC, sighting("a", "b"), asked_at=0)
    registry.saw(PC, sighting("b", "c"), asked_at=0)
    assert [model.name for model in registry.known_models()] == ["a", "b", "c"]
    registry.failed(PC, ModelName("b"), Unreachable())
    assert [model.name for model in registry.known_models()] == ["a", "b"]
    assert [state.endpoint.id for state, _ in registry.serving("c")] == ["pc"]


async def test_warmth_is_ours_until_a_look_that_began_later(registry: Registry, clock: ManualClock) -> None:
    await registry.add(node("mac"))
    registry.saw(MAC, sighting("m:latest"), asked_at=clock.now())
    assert not registry.is_warm(MAC, M)
    look_began = clock.now()
    await clock.advance(1)
    registry.worked(MAC, M, Rates())
    assert registry.is_warm(MAC, M)
    registry.saw(MAC, sighting("m:latest"), asked_at=look_began)
    assert registry.is_warm(MAC, M)
    await clock.advance(1)
    registry.saw(MAC, sighting("m:latest"), asked_at=clock.now())
    assert not registry.is_warm(MAC, M)
    running = Sighting(models=(ModelInfo(M),), running=(RunningModel(M),))
    registry.saw(MAC, running, asked_at=clock.now())
    assert registry.is_warm(MAC, M)
    assert [model.name for model in registry.running_models()] == [M]


@pytest.mark.parametrize(
    ("error", "stays"),
    [(RateLimited(), True), (RequestRefused(), True), (ModelMissing(), False), (Unreachable(), False)],
)
async def test_what_a_failure_says_of_memory(registry: Registry, error: RateLimited, stays: bool) -> None:
    await registry.add(node("mac"))
    registry.saw(MAC, sighting("m:latest"), asked_at=0)
    registry.worked(MAC, M, Rates())
    registry.failed(MAC, M, error)
    assert registry.is_warm(MAC, M) is stays
    assert (len(registry.serving("m")) == 0) is isinstance(error, ModelMissing)


async def test_everything_is_told(registry: Registry, events: list[Event]) -> None:
    changes = []
    registry.listen(lambda: changes.append(1))
    await registry.add(node("mac"))
    registry.saw(MAC, sighting("m"), asked_at=0)
    registry.failed(MAC, M, Unreachable("gone"))
    registry.missed(MAC, Unreachable("gone"))
    assert len(changes) == 4
    assert [type(event) for event in events] == [StatusChanged, EndpointEjected, StatusChanged]


def test_news_of_an_endpoint_that_is_gone_is_no_news(registry: Registry) -> None:
    registry.saw(MAC, sighting("m"), asked_at=0)
    registry.missed(MAC, Unreachable())
    registry.worked(MAC, M, Rates())
    registry.failed(MAC, M, Unreachable())
    assert registry.states() == []
    assert not registry.is_warm(MAC, M)
    assert registry.rates(MAC, M) == Rates()


async def test_an_endpoint_whose_way_is_gone(registry: Registry, events: list[Event]) -> None:
    await registry.add(node("mac"))
    registry.saw(MAC, sighting("m"), asked_at=0)
    events.clear()
    registry.cut_off(MAC, Unreachable("the tunnel is down"))
    registry.cut_off(EndpointId("removed"), Unreachable())
    assert registry.is_gone(MAC)
    assert [type(event) for event in events] == [EndpointEjected, StatusChanged]
    assert registry.state(MAC).health.status is Status.OFFLINE


async def test_models_of_every_node_that_was_seen(registry: Registry) -> None:
    for name in ("mac", "pc"):
        await registry.add(node(name))
    registry.saw(MAC, sighting("B:latest", "a"), asked_at=0)
    registry.saw(PC, sighting("b"), asked_at=0)
    registry.missed(MAC, Unreachable("off"))
    assert [model.name for model in registry.models()] == ["B:latest", "a"]
    assert [model.name for model in registry.known_models()] == ["b"]
