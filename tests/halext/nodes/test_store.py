from __future__ import annotations

from dataclasses import replace

from halext.nodes.store import NodeStore
from halext.nodes.types import Cordon, Node, Rates
from halext.storage.scope import Scope
from halext.types import EndpointId, ModelName, NodeName, SecretRef
from halext.upstream import Endpoint

from .conftest import node

WHOLE = Node(
    name=NodeName("pc"),
    endpoints=(
        Endpoint(
            EndpointId("pc"),
            NodeName("pc"),
            "ollama",
            "http://10.0.0.2:11434",
            cidrs=("10.0.0.2/32",),
            secret=SecretRef("node/pc/headers"),
            slots=4,
        ),
        Endpoint(EndpointId("pc-2"), NodeName("pc"), "openai", "https://pc.example.org:443", insecure=True),
        Endpoint(EndpointId("pc-3"), NodeName("pc"), "ollama", "http://pc.internal:11434", via="tunnel"),
    ),
    memory_bytes=24 * 2**30,
    tags=("gpu", "loud"),
    cordon=Cordon.DRAINING,
    cordon_until=1234.5,
    builtin=False,
    created_at=1000.25,
)


async def test_a_node_comes_back_as_it_was(scope: Scope) -> None:
    store = NodeStore(scope)
    await store.save(WHOLE)
    await store.save(node("mac"))
    assert list(await store.load()) == [node("mac"), WHOLE]


async def test_saving_again_replaces(scope: Scope) -> None:
    store = NodeStore(scope)
    await store.save(WHOLE)
    first, second, _ = WHOLE.endpoints
    third = replace(second, id=EndpointId("pc-4"), url="http://pc:1", via="tunnel")
    changed = replace(WHOLE, endpoints=(third, replace(first, slots=2)), cordon=Cordon.OPEN, cordon_until=None)
    await store.save(changed)
    assert list(await store.load()) == [changed]


async def test_deleting_takes_the_rates_along(scope: Scope) -> None:
    store = NodeStore(scope)
    for known in (WHOLE, node("mac")):
        await store.save(known)
    rates = Rates(20.5, 3, 400.0, 2, 6.5, 1, 9.0)
    pairs = [(EndpointId("pc"), ModelName("m"), rates), (EndpointId("mac"), ModelName("m"), Rates())]
    await store.save_rates(pairs)
    await store.delete(NodeName("pc"))
    assert list(await store.load()) == [node("mac")]
    assert list(await store.load_rates()) == [(EndpointId("mac"), ModelName("m"), Rates())]


async def test_rates_are_replaced_and_strangers_are_left_out(scope: Scope) -> None:
    store = NodeStore(scope)
    await store.save(node("mac"))
    mac, m = EndpointId("mac"), ModelName("m")
    await store.save_rates([(mac, m, Rates(decode_tps=1, decode_count=1)), (EndpointId("gone"), m, Rates())])
    newer = Rates(decode_tps=2, decode_count=2)
    await store.save_rates([(mac, m, newer)])
    assert list(await store.load_rates()) == [(mac, m, newer)]
