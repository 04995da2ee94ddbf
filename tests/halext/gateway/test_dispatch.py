from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from halext.errors import (
    AllBusy,
    BadAnswer,
    HalextError,
    Interrupted,
    KeyRefused,
    ModelMissing,
    NoNodeHasModel,
    NoNodeOnline,
    RateLimited,
    RequestRefused,
    TimedOut,
    UnknownModel,
    UnknownNode,
    Unreachable,
    UpstreamError,
)
from halext.gateway import line
from halext.gateway.dispatch import Options
from halext.gateway.story import why
from halext.nodes.types import Cordon, Rates, Status
from halext.types import EndpointId, ModelName
from halext.upstream import ModelInfo, Sighting

from .conftest import COMPLETION, House, furnish

WHOLE = "abc"
ELSEWHERE = [
    Unreachable("off"),
    TimedOut("slow"),
    RateLimited("busy"),
    BadAnswer("broken"),
    ModelMissing("none"),
    KeyRefused("key"),
]


async def test_an_answer_comes_whole_and_is_written_down(house: House) -> None:
    ask = house.ask()
    assert await house.text(ask) == WHOLE
    record = house.gateway.records.find(ask.id)
    assert record is not None
    assert (record.outcome, record.node in {"a", "b"}, record.usage.completion_tokens) == ("done", True, 3)
    assert record.tokens_per_s == pytest.approx(1000)
    (entry,) = house.ledger
    assert (entry.request_id, entry.outcome, entry.prompt_tokens, entry.completion_tokens) == (ask.id, "done", 10, 3)
    assert house.is_idle()


async def test_completions_and_embeddings_go_the_same_way(house: House) -> None:
    assert await house.text(house.ask(request=COMPLETION)) == WHOLE
    reply = await house.gateway.embed(house.embed("x", "y"))
    assert reply.vectors == ((1.0,), (1.0,))
    assert [entry.outcome for entry in house.ledger] == ["done", "done"]
    assert house.is_idle()


@pytest.mark.parametrize("error", ELSEWHERE, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("kind", ["chat", "embed"])
async def test_before_the_first_piece_another_node_is_asked(house: House, error: UpstreamError, kind: str) -> None:
    for machine in house.machines.of.values():
        machine.faults = [(0, error)]
    first = house.ask(node="a")
    with pytest.raises(HalextError):
        await house.text(first)
    house.machines.of["a"].faults = [(0, error)]
    house.machines.of["b"].faults = []
    for state in house.registry.states():
        house.registry.saw(state.endpoint.id, Sighting(models=(ModelInfo(ModelName("m")),)), asked_at=house.clock.now())
        house.registry.worked(
            state.endpoint.id, ModelName("m"), house.registry.rates(state.endpoint.id, ModelName("m"))
        )
    for _ in range(2):  # one of the two begins with `a`
        if kind == "chat":
            assert await house.text(house.ask()) == WHOLE
        else:
            assert (await house.gateway.embed(house.embed("x"))).vectors
    assert house.is_idle()


@pytest.mark.parametrize("step", [1, 2, 3])
async def test_after_the_first_piece_it_ends_as_interrupted(house: House, step: int) -> None:
    error = Interrupted("cut")
    for machine in house.machines.of.values():
        machine.faults = [(step, error)]
    ask = house.ask()
    got: list[str] = []

    async def collect() -> None:
        async for chunk in house.gateway.generate(ask):
            got.append(chunk.text)

    with pytest.raises(Interrupted):
        await collect()
    assert "".join(got) == WHOLE[:step]
    assert house.outcome(ask.id) == "interrupted"
    assert sum(machine.served for machine in house.machines.of.values()) == 1
    (entry,) = house.ledger
    assert (entry.outcome, entry.completion_tokens) == ("interrupted", step)
    assert house.is_idle()


async def test_a_refused_request_is_not_taken_elsewhere(house: House) -> None:
    for machine in house.machines.of.values():
        machine.faults = [(0, RequestRefused("the context is too long"))]
    with pytest.raises(RequestRefused, match="context"):
        await house.text(house.ask())
    assert sum(machine.served for machine in house.machines.of.values()) == 1
    assert all(state.health.status is Status.HEALTHY for state in house.registry.states())


async def test_the_same_complaint_twice_is_about_the_request() -> None:
    house = await furnish("a", "b", "c")
    for machine in house.machines.of.values():
        machine.faults = [(0, BadAnswer("invalid format"))]
    with pytest.raises(BadAnswer):
        await house.text(house.ask())
    assert sum(machine.served for machine in house.machines.of.values()) == 2


async def test_nodes_that_are_off_are_all_tried() -> None:
    names = [f"n{i}" for i in range(6)]
    house = await furnish(*names)
    for name in names[:-1]:
        house.machines.of[name].faults = [(0, Unreachable("off"))] * 3
    for _ in range(3):
        assert await house.text(house.ask()) == WHOLE
    assert house.is_idle()


async def test_when_everyone_is_off_the_caller_is_told_so(house: House) -> None:
    for machine in house.machines.of.values():
        machine.faults = [(0, Unreachable("off"))]
    ask = house.ask()
    with pytest.raises(NoNodeHasModel) as failure:
        await house.text(ask)
    assert "a: " in failure.value.message
    assert "b: " in failure.value.message
    assert house.outcome(ask.id) == "failed"
    assert sorted(house.looked) == ["a", "b"]
    record = house.gateway.records.find(ask.id)
    assert record is not None
    assert len(record.failures) == len(record.choices) == 2
    with pytest.raises(NoNodeHasModel):
        await house.text(house.ask())


async def test_who_only_pauses_is_asked_before_nobody_is(alone: House) -> None:
    alone.machines.of["a"].faults = [(0, RateLimited("busy", retry_after_s=60))]
    with pytest.raises(RateLimited):
        await alone.text(alone.ask())
    assert await alone.text(alone.ask()) == WHOLE


async def test_errors_that_say_what_to_do(house: House) -> None:
    with pytest.raises(UnknownModel, match="halext models"):
        await house.text(house.ask("nope"))
    with pytest.raises(UnknownNode, match="'nobody'"):
        await house.text(house.ask(node="nobody"))
    with pytest.raises(UnknownNode, match="'nobody'"):
        await house.text(house.ask("", node="nobody"))
    for name in ("a", "b"):
        await house.registry.set_cordon(name, Cordon.CORDONED)
    with pytest.raises(NoNodeHasModel, match="a is cordoned"):
        await house.text(house.ask())
    with pytest.raises(NoNodeOnline, match="b is cordoned"):
        await house.text(house.ask(""))
    empty = await furnish()
    with pytest.raises(NoNodeOnline, match="halext node add"):
        await empty.text(empty.ask())
    assert house.is_idle()


# --- which model, which node ---


async def test_a_request_that_names_no_model_gets_one() -> None:
    house = await furnish("a", models=("big", "embed-thing"))
    for name in ("", "auto", " AUTO "):
        ask = house.ask(name)
        assert await house.text(ask) == WHOLE
        record = house.gateway.records.find(ask.id)
        assert record is not None
        assert record.model == "big"
    chosen = await furnish("a", models=("x", "y"), options=Options(default_model="y"))
    ask = chosen.ask("")
    await chosen.text(ask)
    record = chosen.gateway.records.find(ask.id)
    assert record is not None
    assert record.model == "y"


async def test_the_built_in_model_steps_back() -> None:
    house = await furnish("a", "builtin")
    for _ in range(4):
        await house.text(house.ask())
    assert house.machines.of["builtin"].served == 0
    await house.text(house.ask(node="builtin"))
    assert house.machines.of["builtin"].served == 1
    house.registry.failed(EndpointId("a"), ModelName("m"), Unreachable("off"))
    await house.text(house.ask())
    assert house.machines.of["builtin"].served == 2


async def test_a_pinned_request_stays(house: House) -> None:
    for _ in range(3):
        await house.text(house.ask(node="b"))
    assert (house.machines.of["a"].served, house.machines.of["b"].served) == (0, 3)


async def test_explaining_sends_nothing(house: House) -> None:
    told = house.gateway.explain(house.ask())
    assert told.model == "m"
    assert sum(machine.served for machine in house.machines.of.values()) == 0
    assert house.is_idle()


async def test_showing_a_model(house: House) -> None:
    assert (await house.gateway.show("M")).info.name == "m"
    with pytest.raises(UnknownModel):
        await house.gateway.show("nope")
    house.machines.of["a"].faults = [(0, Unreachable("a is off"))]
    assert (await house.gateway.show("m")).template == "b"
    for machine in house.machines.of.values():
        machine.faults = [(0, Unreachable("it is off"))]
    with pytest.raises(Unreachable, match="it is off"):
        await house.gateway.show("m")
    assert house.looked == ["a", "a", "b"]


# --- waiting, leaving, going away ---


async def begin(house: House, *names: str) -> None:
    async with asyncio.timeout(5):
        for name in names:
            await house.machines.of[name].began.wait()


async def test_each_slot_is_used_once_and_the_rest_waits_its_turn(house: House) -> None:
    gates = {name: asyncio.Event() for name in "ab"}
    for name, machine in house.machines.of.items():
        machine.gate = gates[name]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(house.text(house.ask())) for _ in range(5)]
        await begin(house, "a", "b")
        assert [house.gateway.in_flight(EndpointId(name)) for name in "ab"] == [1, 1]
        assert house.gateway.waiting == 3
        gates["a"].set()
        async with asyncio.timeout(5):
            while len(left := [task for task in tasks if not task.done()]) > 1:
                await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
        assert house.gateway.in_flight(EndpointId("b")) == 1
        gates["b"].set()
    assert [task.result() for task in tasks] == [WHOLE] * 5
    assert house.is_idle()


async def test_a_full_line_says_so() -> None:
    house = await furnish("a", options=Options(max_waiting=1))
    house.machines.of["a"].gate = gate = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(house.text(house.ask()))
        await begin(house, "a")
        second = group.create_task(house.text(house.ask()))
        await asyncio.sleep(0)
        with pytest.raises(AllBusy) as failure:
            await house.text(house.ask())
        assert failure.value.retry_after_s
        gate.set()
    assert first.result() == second.result() == WHOLE
    assert house.is_idle()


async def test_patience_ends() -> None:
    house = await furnish("a", options=Options(max_wait_s=0.05))
    house.machines.of["a"].gate = gate = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(house.text(house.ask()))
        await begin(house, "a")
        with pytest.raises(AllBusy, match="0 s"):
            await house.text(house.ask())
        gate.set()
    assert house.is_idle()


async def test_who_leaves_before_the_first_piece_frees_the_node(house: House) -> None:
    for machine in house.machines.of.values():
        machine.gate = asyncio.Event()
    ask = house.ask(node="a")
    task = asyncio.get_running_loop().create_task(house.text(ask))
    await begin(house, "a")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert house.machines.of["a"].closed_early == 1
    assert house.outcome(ask.id) == "cancelled"
    assert house.is_idle()


async def test_who_leaves_in_the_middle_frees_the_node(house: House) -> None:
    ask = house.ask(node="a")
    async with aclosing(house.gateway.generate(ask)) as chunks:
        await anext(chunks)
    assert house.machines.of["a"].closed_early == 1
    assert house.outcome(ask.id) == "cancelled"
    (entry,) = house.ledger
    assert (entry.outcome, entry.completion_tokens) == ("cancelled", 1)
    assert house.is_idle()


async def test_who_leaves_after_the_last_piece_has_had_it_all(house: House) -> None:
    ask = house.ask()
    async with aclosing(house.gateway.generate(ask)) as chunks:
        async for chunk in chunks:
            if chunk.done:
                break
    assert house.outcome(ask.id) == "done"
    assert house.is_idle()


async def test_a_node_that_goes_offline_loses_those_who_wait_for_its_first_word(house: House) -> None:
    house.machines.of["a"].gate = asyncio.Event()
    house.machines.of["b"].gate = gate = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        one, two = [group.create_task(house.text(house.ask())) for _ in range(2)]
        await begin(house, "a", "b")
        house.registry.missed(EndpointId("a"), Unreachable("off"))
        gate.set()
    assert one.result() == two.result() == WHOLE
    assert house.machines.of["a"].closed_early == 1
    assert house.machines.of["b"].served == 2
    assert house.is_idle()


async def test_a_node_may_be_removed_while_it_works(alone: House) -> None:
    alone.machines.of["a"].gate = gate = asyncio.Event()
    waiting = asyncio.get_running_loop().create_task(alone.text(alone.ask()))
    await begin(alone, "a")
    await alone.registry.remove("a")
    with pytest.raises(NoNodeOnline):
        await waiting
    gate.set()
    assert alone.gateway.waiting == 0
    assert alone.gateway.in_flight(EndpointId("a")) == 0


async def test_a_cordon_that_ends_by_itself_lets_requests_start(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "RECHECK_S", 0.01)
    house.machines.of["a"].gate = gate = asyncio.Event()
    await house.registry.set_cordon("b", Cordon.CORDONED, until=house.clock.now() + 60)
    async with asyncio.TaskGroup() as group:
        group.create_task(house.text(house.ask()))
        await begin(house, "a")
        second = group.create_task(house.text(house.ask()))
        await asyncio.sleep(0)
        assert house.gateway.waiting == 1
        await house.clock.advance(61)
        async with asyncio.timeout(5):
            assert await second == WHOLE
        gate.set()
    assert house.machines.of["b"].served == 1


async def test_who_has_waited_long_is_content_with_a_slow_node(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "RECHECK_S", 0.01)
    m = ModelName("m")
    house.registry.worked(EndpointId("a"), m, Rates(decode_tps=200, decode_count=9))
    house.registry.worked(EndpointId("b"), m, Rates(decode_tps=2, decode_count=9))
    house.machines.of["a"].gate = gate = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(house.text(house.ask()))
        await begin(house, "a")
        ask = house.ask()
        second = group.create_task(house.text(ask))
        await asyncio.sleep(0)
        assert house.gateway.waiting == 1, "the fast one is worth a moment"
        await house.clock.advance(600)
        async with asyncio.timeout(5):
            assert await second == WHOLE
        gate.set()
    record = house.gateway.records.find(ask.id)
    assert record is not None
    assert record.node == "b"
    assert "in line" in why(record)[0]


async def test_a_node_that_returns_wakes_who_waits(house: House) -> None:
    house.machines.of["a"].gate = gate = asyncio.Event()
    await house.registry.set_cordon("b", Cordon.CORDONED)
    async with asyncio.TaskGroup() as group:
        first = group.create_task(house.text(house.ask()))
        await begin(house, "a")
        second = group.create_task(house.text(house.ask()))
        await asyncio.sleep(0)
        assert house.gateway.waiting == 1
        await house.registry.set_cordon("b", Cordon.OPEN)
        assert (await second) == WHOLE
        gate.set()
    assert first.result() == WHOLE
    assert house.machines.of["b"].served == 1
