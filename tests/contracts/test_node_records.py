"""What a registry needs of the place where its nodes are kept, on each database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import pytest

from halext.errors import AlreadyExists, DatabaseUnavailable, UnknownNode
from halext.nodes.registry import Registry
from halext.nodes.store import NodeStore
from halext.nodes.types import Cordon, Node, NodeRecords, Rates, Status
from halext.storage.scope import Scope
from halext.testing.clock import ManualClock
from halext.types import EndpointId, ModelName, NodeName
from halext.upstream import Endpoint, ModelInfo, Sighting

MAC, M = EndpointId("mac"), ModelName("m")
Open = Callable[[], Awaitable[Registry]]


def node(name: str, *numbers: int) -> Node:
    return Node(
        NodeName(name),
        tuple(
            Endpoint(EndpointId(f"{name}/{i}" if i else name), NodeName(name), "ollama", f"http://{name}:{i + 1}")
            for i in numbers or (0,)
        ),
    )


@pytest.fixture
def records(scope: Scope) -> NodeRecords:
    return NodeStore(scope)


@pytest.fixture
def opened(records: NodeRecords) -> Open:
    """A registry as after a restart: it knows what was kept, and nothing else."""

    async def again() -> Registry:
        registry = Registry(records=records, clock=ManualClock(), publish=lambda _event: None)
        await registry.load()
        return registry

    return again


async def test_after_a_restart_the_nodes_are_known_and_not_yet_seen(opened: Open) -> None:
    registry = await opened()
    assert registry.nodes() == []
    await registry.add(replace(node("mac"), memory_bytes=2**34, tags=("gpu",)))
    await registry.add(replace(node("mac", 1), tags=("loud",)))
    await registry.set_cordon("mac", Cordon.CORDONED, until=5e9)
    registry.saw(MAC, Sighting(models=(ModelInfo(M),)), asked_at=0)
    again = await opened()
    assert again.nodes() == registry.nodes()
    assert again.node("mac").tags == ("gpu", "loud")
    assert [state.health.status for state in again.states()] == [Status.UNKNOWN] * 2
    assert again.serving("m") == []
    await again.remove("mac")
    with pytest.raises(UnknownNode):
        (await opened()).node("mac")


async def test_rates_are_kept_with_their_endpoint(opened: Open) -> None:
    registry = await opened()
    await registry.add(node("mac"))
    rates = Rates(decode_tps=41.5, decode_count=3, last_total_s=2.25)
    registry.worked(MAC, M, rates)
    await registry.save_rates()
    assert (await opened()).rates(MAC, M) == rates
    await registry.remove("mac")
    await registry.add(node("mac"))
    assert (await opened()).rates(MAC, M) == Rates(), "another machine may have the name now"


async def test_a_node_that_was_removed_and_added_again_has_nothing_to_save(opened: Open) -> None:
    registry = await opened()
    await registry.add(node("mac"))
    registry.worked(MAC, M, Rates(decode_tps=1, decode_count=1))
    await registry.remove("mac")
    await registry.add(node("mac"))
    await registry.save_rates()
    assert (await opened()).rates(MAC, M) == Rates()


async def test_changes_at_the_same_time_lose_nothing(opened: Open) -> None:
    registry = await opened()
    await registry.add(node("mac"))
    await asyncio.gather(
        *(registry.add(node("mac", number)) for number in range(1, 6)),
        registry.set_cordon("mac", Cordon.CORDONED),
        registry.add(node("pc")),
    )
    mac = registry.node("mac")
    assert mac.cordon is Cordon.CORDONED
    assert sorted(endpoint.id for endpoint in mac.endpoints) == ["mac", *(f"mac/{i}" for i in range(1, 6))]
    assert (await opened()).nodes() == registry.nodes()


async def test_an_address_given_to_two_at_once_is_the_first_ones(opened: Open) -> None:
    registry = await opened()
    twin = replace(node("mac").endpoints[0], id=EndpointId("pc"), node=NodeName("pc"))
    pc = Node(NodeName("pc"), (twin,))
    first, second = await asyncio.gather(registry.add(node("mac")), registry.add(pc), return_exceptions=True)
    assert first == node("mac")
    assert isinstance(second, AlreadyExists)
    assert [known.name for known in (await opened()).nodes()] == ["mac"]


async def test_a_node_removed_while_it_is_changed_stays_away(opened: Open) -> None:
    registry = await opened()
    await registry.add(node("mac"))
    _, late = await asyncio.gather(
        registry.remove("mac"), registry.set_cordon("mac", Cordon.DRAINING), return_exceptions=True
    )
    assert isinstance(late, UnknownNode)
    assert registry.nodes() == []
    assert (await opened()).nodes() == []


class Stumbling(NodeStore):
    """Can't be written for a while."""

    is_up = False

    async def save(self, node: Node) -> None:
        if not self.is_up:
            raise DatabaseUnavailable
        await super().save(node)

    async def save_rates(self, rates: Sequence[tuple[EndpointId, ModelName, Rates]]) -> None:
        if not self.is_up:
            raise DatabaseUnavailable
        await super().save_rates(rates)


async def test_what_could_not_be_written_is_not_told_and_not_forgotten(scope: Scope, opened: Open) -> None:
    records = Stumbling(scope)
    registry = Registry(records=records, clock=ManualClock(), publish=lambda _event: None)
    with pytest.raises(DatabaseUnavailable):
        await registry.add(node("mac"))
    assert registry.nodes() == []
    records.is_up = True
    await registry.add(node("mac"))
    records.is_up = False
    rates = Rates(decode_tps=9, decode_count=1)
    registry.worked(MAC, M, rates)
    with pytest.raises(DatabaseUnavailable):
        await registry.save_rates()
    records.is_up = True
    await registry.save_rates()
    assert (await opened()).rates(MAC, M) == rates
