"""Every step at which an attempt can fail: who answers, what is written down, and that nothing is left behind."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from halext.errors import (
    BadAnswer,
    HalextError,
    Interrupted,
    KeyRefused,
    ModelMissing,
    NoNodeHasModel,
    RateLimited,
    TimedOut,
    UnknownModel,
    Unreachable,
    UpstreamError,
)
from halext.gateway.dispatch import Options
from halext.gateway.story import why
from halext.gateway.types import Ask, Record
from halext.nodes.types import Node, Rates
from halext.types import EndpointId, ModelName, NodeName
from halext.upstream import Endpoint, ModelInfo, Sighting

from .conftest import COMPLETION, WORDS, House, M, furnish

WHOLE = "".join(WORDS)
A, B = EndpointId("a"), EndpointId("b")

BEFORE: list[tuple[UpstreamError | None, type[HalextError]]] = [
    (Unreachable("refuses"), NoNodeHasModel),
    (TimedOut("slow"), TimedOut),
    (RateLimited("busy"), RateLimited),
    (BadAnswer("broken"), BadAnswer),
    (KeyRefused("key"), NoNodeHasModel),
    (ModelMissing("none"), UnknownModel),
    (Interrupted("cut"), Interrupted),
    (None, BadAnswer),
]
"""What goes wrong before the first piece, and what the caller hears when there is no other node. None: it just ends."""

AFTER: list[UpstreamError | None] = [
    Interrupted("cut"),
    Unreachable("reset"),
    BadAnswer("broken"),
    TimedOut("slow"),
    None,
]
"""What goes wrong later; drivers should call all of it `Interrupted`, and the gateway does where one does not."""


def record_of(house: House, ask: Ask) -> Record:
    record = house.gateway.records.find(ask.id)
    assert record is not None
    return record


def asked(house: House, kind: str) -> Ask:
    return house.ask(request=COMPLETION if kind == "completion" else None)


@pytest.mark.parametrize("kind", ["chat", "completion"])
@pytest.mark.parametrize(("error", "_heard"), BEFORE, ids=str)
async def test_before_the_first_piece_the_other_node_answers(
    error: UpstreamError | None, _heard: type[HalextError], kind: str
) -> None:
    house = await furnish("a", "b")
    house.prefer("a")
    house.machines.of["a"].faults = [(0, error)]
    ask = asked(house, kind)
    assert await house.text(ask) == WHOLE
    record = record_of(house, ask)
    assert (record.outcome, record.node, record.kind) == ("done", "b", kind)
    assert [choice.node for choice in record.choices] == ["a", "b"]
    assert [line.startswith("a") for line in record.failures] == [True]
    assert [line.split(" — ")[-1].split(" (")[0] for line in why(record)[::2]] == ["chose a", "chose b"]
    assert [(entry.node, entry.outcome) for entry in house.ledger] == [("b", "done")]
    assert house.looked == ["a"]
    assert house.is_idle()


@pytest.mark.parametrize(("error", "heard"), BEFORE, ids=str)
async def test_before_the_first_piece_a_node_alone_says_what_is_wrong(
    error: UpstreamError | None, heard: type[HalextError]
) -> None:
    house = await furnish("a")
    house.machines.of["a"].faults = [(0, error)]
    ask = house.ask()
    with pytest.raises(heard) as failure:
        await house.text(ask)
    assert type(failure.value) is heard
    record = record_of(house, ask)
    assert record.outcome == ("interrupted" if heard is Interrupted else "failed")
    assert (record.node, len(record.failures), list(house.ledger)) == (None, 1, [])
    assert house.is_idle()


@pytest.mark.parametrize("names", [("a",), ("a", "b")], ids=len)
@pytest.mark.parametrize("error", AFTER, ids=str)
@pytest.mark.parametrize("step", [1, 2, 3])
async def test_after_the_first_piece_it_is_interrupted_and_never_ends_cleanly(
    names: tuple[str, ...], error: UpstreamError | None, step: int
) -> None:
    house = await furnish(*names)
    house.prefer("a")
    house.machines.of["a"].faults = [(step, error)]
    ask, got = house.ask(), list[str]()

    async def collect() -> None:
        async with aclosing(house.gateway.generate(ask)) as chunks:
            async for chunk in chunks:
                got.append(chunk.text)
                assert chunk.done is None

    with pytest.raises(Interrupted) as failure:
        await collect()
    assert failure.value.node == "a" or error is not None
    assert "".join(got) == WHOLE[:step]
    assert (record_of(house, ask).outcome, record_of(house, ask).node) == ("interrupted", "a")
    (entry,) = house.ledger
    assert (entry.outcome, entry.node, entry.completion_tokens) == ("interrupted", "a", step)
    assert [machine.served for machine in house.machines.of.values()][1:] == [0] * (len(names) - 1)
    assert house.is_idle()


@pytest.mark.parametrize("error", [Unreachable("refuses"), TimedOut("slow"), BadAnswer("broken")], ids=str)
async def test_embeddings_show_nothing_before_they_are_whole_so_any_step_may_be_repeated(error: UpstreamError) -> None:
    for step in range(len(WORDS) + 1):
        house = await furnish("a", "b")
        house.prefer("a")
        house.machines.of["a"].faults = [(step, error)]
        ask = house.embed("x", "y")
        assert len((await house.gateway.embed(ask)).vectors) == 2
        assert [(entry.node, entry.outcome, entry.prompt_tokens) for entry in house.ledger] == [("b", "done", 7)]
        assert house.is_idle()
        alone = await furnish("a")
        alone.machines.of["a"].faults = [(step, error)]
        with pytest.raises(HalextError):
            await alone.gateway.embed(alone.embed("x"))
        assert alone.is_idle()


async def test_a_fault_of_ours_is_a_failure_and_frees_the_slot(house: House) -> None:
    house.prefer("a")
    for step in (0, 1):
        house.machines.of["a"].faults = [(step, RuntimeError("a bug"))]
        ask = house.ask()
        with pytest.raises(RuntimeError):
            await house.text(ask)
        assert house.outcome(ask.id) == "failed"
        assert house.is_idle()


async def test_a_second_failure_is_followed_by_a_third_try() -> None:
    house = await furnish("a", "b", "c", "d")
    for name in "abcd":
        house.machines.of[name].faults = [(0, TimedOut("slow"))]
    ask = house.ask()
    with pytest.raises(TimedOut):
        await house.text(ask)
    record = record_of(house, ask)
    assert len(record.choices) == len(record.failures) == len({choice.node for choice in record.choices}) == 3
    assert house.is_idle()


# --- while an attempt is under way ---


async def begin(house: House, name: str) -> None:
    async with asyncio.timeout(5):
        await house.machines.of[name].began.wait()


async def test_a_node_removed_and_added_again_goes_on_with_its_stream(alone: House) -> None:
    ask = alone.ask()
    async with aclosing(alone.gateway.generate(ask)) as chunks:
        text = (await anext(chunks)).text
        node = await alone.registry.remove("a")
        assert alone.gateway.in_flight(A) == 1
        await alone.registry.add(Node(node.name, node.endpoints))
        assert alone.gateway.in_flight(A) == 1, "the slot is the endpoint's, whatever its node is called"
        text += "".join([chunk.text async for chunk in chunks])
    assert text == WHOLE
    assert alone.outcome(ask.id) == "done"
    assert alone.is_idle()


async def test_patience_that_ends_in_the_tick_in_which_the_node_goes(house: House) -> None:
    """Both happen at once where the loop was busy: the one that comes second finds the first already told."""
    loop = asyncio.get_running_loop()
    house = await furnish("a", "b", options=Options(first_piece_warm_s=0.05, first_piece_cold_s=0.05))
    house.prefer("a")
    house.machines.of["a"].gate = asyncio.Event()
    complaints: list[object] = []
    loop.set_exception_handler(lambda _loop, context: complaints.append(context))
    task = loop.create_task(house.text(house.ask()))
    await begin(house, "a")
    loop.call_later(0.05, house.registry.missed, A, Unreachable("off"))
    until = loop.time() + 0.1
    while loop.time() < until:
        pass  # keeps the loop from looking at its timers until both are due
    assert await task == WHOLE
    assert complaints == []
    assert house.is_idle()


async def test_a_stream_that_runs_is_left_alone_when_its_node_is_said_to_be_gone(alone: House) -> None:
    async with aclosing(alone.gateway.generate(alone.ask())) as chunks:
        text = (await anext(chunks)).text
        alone.registry.missed(A, Unreachable("off"))
        text += "".join([chunk.text async for chunk in chunks])
    assert text == WHOLE
    assert alone.registry.is_gone(A), "an answer that was on its way proves nothing about new connections"


@pytest.mark.parametrize("pieces", range(len(WORDS) + 2))
async def test_whoever_reads_may_leave_at_any_piece(alone: House, pieces: int) -> None:
    ask = alone.ask()
    async with aclosing(alone.gateway.generate(ask)) as chunks:
        for _ in range(pieces):
            await anext(chunks)
    assert alone.is_idle()
    assert len(alone.ledger) == (1 if pieces else 0)
    if pieces:
        assert alone.outcome(ask.id) == ("done" if pieces > len(WORDS) else "cancelled")
        assert alone.machines.of["a"].closed_early == (0 if pieces > len(WORDS) else 1)


# --- lanes: who stands behind whom ---


async def test_who_was_turned_away_elsewhere_does_not_stand_behind_those_who_may_go_there() -> None:
    """The others may wait for `a`, which is the better one; for who has failed there, `b` is free and good enough."""
    house = await furnish("a", "b")
    for name, tps in (("a", 200), ("b", 2)):
        house.registry.worked(EndpointId(name), M, Rates(decode_tps=tps, decode_count=9))
    house.machines.of["a"].faults = [(0, BadAnswer("broken"))]
    house.machines.of["a"].gate = gate = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        turned_away = group.create_task(house.text(house.ask()))
        await begin(house, "a")
        behind = [group.create_task(house.text(house.ask())) for _ in range(3)]
        await asyncio.sleep(0)
        assert house.gateway.waiting == 3
        house.machines.of["b"].gate = asyncio.Event()
        gate.set()
        await begin(house, "b")
        house.machines.of["b"].gate.set()
        assert await turned_away == WHOLE
        await asyncio.gather(*behind)
    assert house.machines.of["b"].served >= 1
    assert house.is_idle()


async def test_a_chat_without_a_model_holds_up_no_embedding() -> None:
    house = await furnish("a", "b")
    for name, model in (("a", "talker"), ("b", "embed-thing")):
        seen = Sighting(models=(ModelInfo(ModelName(model)),))
        house.registry.saw(EndpointId(name), seen, asked_at=house.clock.now())
    house.machines.of["a"].gate = gate = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        chats = [group.create_task(house.text(house.ask("auto"))) for _ in range(2)]
        await begin(house, "a")
        await asyncio.sleep(0)
        assert house.gateway.waiting == 1
        async with asyncio.timeout(5):
            assert (await house.gateway.embed(house.embed("x", model="auto"))).vectors
        gate.set()
    assert [chat.result() for chat in chats] == [WHOLE] * 2
    assert house.is_idle()


# --- requests that leave the model to us ---


async def two_models() -> House:
    """`a` has a small model, which is the faster one, and `b` another."""
    house = await furnish("a", "b")
    for name, model, size in (("a", "small", 10**9), ("b", "large", 20 * 10**9)):
        info = ModelInfo(ModelName(model), size_bytes=size)
        house.registry.saw(EndpointId(name), Sighting(models=(info,)), asked_at=house.clock.now())
    return house


async def test_another_model_answers_when_the_node_of_the_first_fails() -> None:
    house = await two_models()
    house.machines.of["a"].faults = [(0, BadAnswer("broken"))]
    ask = house.ask("auto")
    assert await house.text(ask) == WHOLE
    assert (record_of(house, ask).model, record_of(house, ask).node) == ("large", "b")
    house.machines.of["a"].faults = house.machines.of["b"].faults = []
    for name, error in (("a", TimedOut("slow")), ("b", BadAnswer("broken"))):
        house.machines.of[name].faults = [(0, error)]
    with pytest.raises((TimedOut, BadAnswer)):
        await house.text(house.ask(""))
    assert house.is_idle()


async def test_the_model_is_chosen_when_a_slot_is_free_and_not_before() -> None:
    house = await two_models()
    house.machines.of["a"].gate = house.machines.of["b"].gate = gate = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(house.text(house.ask("small")))
        group.create_task(house.text(house.ask("large")))
        await begin(house, "a")
        await begin(house, "b")
        ask = house.ask("auto")
        waiting = group.create_task(house.text(ask))
        await asyncio.sleep(0)
        assert house.gateway.waiting == 1
        assert record_of(house, ask).model == "small"
        await house.registry.add(_idle("c"))
        seen = Sighting(models=(ModelInfo(ModelName("third"), size_bytes=10**9),))
        house.registry.saw(EndpointId("c"), seen, asked_at=house.clock.now())
        assert await waiting == WHOLE
        assert record_of(house, ask).model == "third"
        gate.set()
    assert house.is_idle()


def _idle(name: str) -> Node:
    return Node(NodeName(name), (Endpoint(EndpointId(name), NodeName(name), "ollama", f"http://{name}:1"),))
