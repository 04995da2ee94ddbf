from __future__ import annotations

import pytest

from halext.accounts.types import LOCAL
from halext.errors import (
    BadAnswer,
    HalextError,
    NoNodeHasModel,
    NoNodeOnline,
    RateLimited,
    UnknownModel,
    UnknownNode,
    Unreachable,
)
from halext.gateway.chooser import Chooser
from halext.gateway.slots import Slots
from halext.gateway.types import Ask
from halext.messages import ChatRequest, EmbedRequest, Message, Sampling
from halext.nodes.registry import Registry
from halext.nodes.types import Cordon, Node, Rates
from halext.routing.types import Dispatch, Hold
from halext.testing.clock import ManualClock
from halext.types import Capability, EndpointId, ModelName, NodeName, RequestId
from halext.upstream import Endpoint, ModelInfo, Sighting

A, B, M = EndpointId("a"), EndpointId("b"), ModelName("m")


class Desk:
    """A chooser with what it looks at."""

    def __init__(self, default_model: str | None = None) -> None:
        self.clock = ManualClock()
        self.registry = Registry(records=None, clock=self.clock, publish=lambda _event: None)
        self.slots = Slots(on_release=lambda: None)
        self.chooser = Chooser(registry=self.registry, slots=self.slots, clock=self.clock, default_model=default_model)

    async def node(self, name: str, *models: ModelInfo, builtin: bool = False, slots: int | None = None) -> None:
        endpoint = Endpoint(EndpointId(name), NodeName(name), "ollama", f"http://{name}:1", slots=slots)
        await self.registry.add(Node(NodeName(name), (endpoint,), builtin=builtin))
        self.registry.saw(endpoint.id, Sighting(models=models, slots=3), asked_at=self.clock.now())

    def model_for(self, model: str = "", *, node: str | None = None, tried: dict[EndpointId, str] | None = None) -> str:
        return self.chooser.model_for(ask(model, node=node), tried or {})


def ask(model: str = "m", *, node: str | None = None, embeds: bool = False) -> Ask:
    name = ModelName(model)
    request = EmbedRequest(name, ("x",)) if embeds else ChatRequest(name, (Message("user", "hi"),))
    return Ask(RequestId("r"), LOCAL, request, NodeName(node) if node else None)


def model(name: str, gigabytes: float = 1, *can: Capability) -> ModelInfo:
    return ModelInfo(ModelName(name), size_bytes=int(gigabytes * 1e9), capabilities=frozenset(can))


async def test_what_is_named_is_what_is_meant() -> None:
    desk = Desk(default_model="big")
    assert desk.model_for("Small:1b") == "Small:1b"
    assert [desk.model_for(name) for name in ("", "auto", " Auto ")] == ["big"] * 3
    await desk.node("a", model("vectors", 1, "embed"))
    assert desk.chooser.model_for(ask("", embeds=True), {}) == "vectors", "the default is for chats"


async def test_the_fastest_model_that_chats() -> None:
    desk = Desk()
    await desk.node("a", model("big", 20, "chat"), model("vectors", 0.1, "embed"))
    await desk.node("b", model("small", 2, "chat"))
    assert desk.model_for() == "small"
    assert desk.model_for(node="a") == "big"
    assert desk.chooser.model_for(ask("", embeds=True), {}) == "vectors"
    desk.registry.worked(A, ModelName("big"), Rates(decode_tps=500, decode_count=5))
    assert desk.model_for() == "big"
    assert desk.model_for(tried={A: "broke"}) == "small"


async def test_the_built_in_model_comes_after_slow_ones_and_before_those_that_pause() -> None:
    desk = Desk()
    await desk.node("a", model("huge", 400))
    await desk.node("z", model("tiny", 0.1), builtin=True)
    assert desk.model_for() == "huge"
    desk.registry.failed(A, ModelName("huge"), RateLimited(retry_after_s=60))
    assert desk.model_for() == "tiny"
    desk.registry.failed(EndpointId("z"), ModelName("tiny"), Unreachable("off"))
    assert desk.model_for() == "huge", "a chance is better than a certain error"


@pytest.mark.parametrize(
    ("request_", "kind", "says"),
    [
        (ask("nope"), UnknownModel, "No node has the model 'nope'; `halext models`"),
        (ask("n", node="a"), UnknownModel, "The node 'a' does not have the model 'n'"),
        (ask("m", node="nobody"), UnknownNode, "'nobody'"),
        (ask("", node="nobody"), UnknownNode, "'nobody'"),
        (ask("n", node="off"), NoNodeOnline, "The node 'off' does not take requests now (off: not seen yet)"),
        (ask("", node="off"), NoNodeOnline, "The node 'off' does not take requests now (off: not seen yet)"),
        (ask("", node="a", embeds=True), UnknownModel, "The node 'a' does not have an embedding model"),
        (ask("", embeds=True), UnknownModel, "No node that is online has an embedding model"),
        (ask("n"), NoNodeHasModel, "No node that has 'n' takes requests now (b is cordoned)."),
        (ask("n", node="b"), NoNodeHasModel, "No node that has 'n' takes requests now (b is cordoned)."),
    ],
)
async def test_who_can_not_be_served_hears_why(request_: Ask, kind: type[HalextError], says: str) -> None:
    desk = Desk()
    await desk.node("a", model("m", 1, "chat"))
    await desk.node("b", model("n", 1, "chat"))
    await desk.registry.set_cordon("b", Cordon.CORDONED)
    endpoint = Endpoint(EndpointId("off"), NodeName("off"), "ollama", "http://off:1")
    await desk.registry.add(Node(NodeName("off"), (endpoint,)))
    with pytest.raises(HalextError) as failure:
        desk.chooser.decide(desk.chooser.model_for(request_, {}), request_, {}, waited_s=0)
    assert type(failure.value) is kind
    assert says in failure.value.message


async def test_after_the_last_one_has_failed_nobody_is_left() -> None:
    desk = Desk()
    await desk.node("a", model("m", 1, "chat"))
    tried = {A: BadAnswer("gibberish").message}
    with pytest.raises(NoNodeHasModel, match=r"No other node has a chat model \(a: gibberish\)"):
        desk.chooser.model_for(ask(""), tried)
    with pytest.raises(NoNodeHasModel, match="failed this request: gibberish"):
        desk.chooser.decide("m", ask(), tried, waited_s=0)


async def test_a_long_list_of_reasons_is_cut() -> None:
    desk = Desk()
    for number in range(9):
        await desk.node(f"n{number}", model("m"))
        desk.registry.missed(EndpointId(f"n{number}"), Unreachable("off"))
    with pytest.raises(NoNodeHasModel, match=r"n4: degraded: off; and 4 more\)"):
        desk.chooser.field("m", {}, None)
    with pytest.raises(NoNodeOnline, match=r"n4: degraded: off; and 4 more\)"):
        desk.chooser.field("other", {}, None)


@pytest.mark.parametrize(("own", "slots"), [(None, 3), (2, 2)])
async def test_slots_are_the_owners_word_else_the_servers(own: int | None, slots: int) -> None:
    desk = Desk()
    await desk.node("a", model("m"), slots=own)
    for _ in range(slots):
        decision, _ = desk.chooser.decide("m", ask(), {}, waited_s=0)
        assert isinstance(decision, Dispatch)
        assert decision.candidate.slots == slots
        desk.slots.reserve(A, M)
    decision, _ = desk.chooser.decide("m", ask(), {}, waited_s=0)
    assert isinstance(decision, Hold)
    assert decision.want.in_flight == slots


async def test_answers_are_expected_to_be_as_long_as_they_were() -> None:
    desk = Desk()
    await desk.node("a", model("m"))
    before, _ = desk.chooser.decide("m", ask(), {}, waited_s=0)
    for _ in range(30):
        desk.chooser.answered("M:latest", 20)
    after, _ = desk.chooser.decide("m", ask(), {}, waited_s=0)
    assert isinstance(before, Dispatch)
    assert isinstance(after, Dispatch)
    assert after.estimates[0].finish_s < before.estimates[0].finish_s
    limited = Ask(RequestId("r"), LOCAL, ChatRequest(M, (), Sampling(max_tokens=8)))
    short, _ = desk.chooser.decide("m", limited, {}, waited_s=0)
    assert isinstance(short, Dispatch)
    assert short.estimates[0].finish_s < after.estimates[0].finish_s
