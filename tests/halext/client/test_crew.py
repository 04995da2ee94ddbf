"""The workers: who works at what, and what each kind of failure means."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest

from halext.client import crew as crews
from halext.client.crew import MOST_ATTEMPTS, Crew, same_name, slots_of, verdict
from halext.client.outcome import Outcome
from halext.client.plan import Plan, plan_of
from halext.client.pool import Item, Pool
from halext.client.progress import Progress
from halext.errors import (
    AllBusy,
    BadAnswer,
    Forbidden,
    HalextError,
    Interrupted,
    InvalidInput,
    KeyRefused,
    NoNodeOnline,
    RateLimited,
    RequestRefused,
    TooLarge,
    Unauthenticated,
    UnknownModel,
    UnknownNode,
    Unreachable,
)
from halext.messages import ChatChunk, ChatRequest, Done
from halext.runtime.clock import SystemClock
from halext.runtime.control import Control
from halext.runtime.shapes import EndpointInfo, ModelPlace, ModelRow, NodeInfo
from halext.runtime.verbs.models import list_models
from halext.types import NodeName

Says = Callable[[str, ChatRequest], str]


def node(name: str, slots: int = 2, *, builtin: bool = False) -> NodeInfo:
    endpoint = EndpointInfo(
        id=name, kind="ollama", url="", status="healthy", reason="", since=0, slots=slots, in_flight=0, version="",
        models=[], loaded=[], latency_s=None, last_seen_at=None, has_headers=False,
    )  # fmt: skip
    return NodeInfo(name, "healthy", "open", None, builtin, None, [], [endpoint])


def row(*places: str, gone: tuple[str, ...] = (), name: str = "m:1b") -> ModelRow:
    found = [ModelPlace(place, place, place not in gone, True, "d", None) for place in places]
    return ModelRow(name, 1, "", "", 0, [], False, found)


class House:
    """Two nodes whose answers are scripted: `says` gets node and request, and returns a text or raises."""

    def __init__(self, says: Says) -> None:
        self.says = says
        self.rows = [row("mac", "pc")]
        self.nodes = [node("mac"), node("pc", 1)]
        self.busy: Counter[str] = Counter()
        self.busiest: Counter[str] = Counter()
        self.looks = 0
        self.was_looked_at = asyncio.Event()

    async def call(self, operation: Any, _params: Any) -> Any:
        self.looks += operation is list_models
        if self.looks > 2:
            self.was_looked_at.set()
        return self.rows if operation is list_models else self.nodes

    def generate(self, request: ChatRequest, node: NodeName | None = None) -> Scripted:
        return Scripted(self, str(node), request)


class Scripted:
    info = None

    def __init__(self, house: House, node: str, request: ChatRequest) -> None:
        self.house, self.node, self.request = house, node, request

    async def __aiter__(self) -> AsyncIterator[ChatChunk]:
        self.house.busy[self.node] += 1
        self.house.busiest[self.node] = max(self.house.busiest[self.node], self.house.busy[self.node])
        try:
            await asyncio.sleep(0.001)
            yield ChatChunk(text=self.house.says(self.node, self.request), done=Done())
        finally:
            self.house.busy[self.node] -= 1


async def run(house: House, count: int, plan: Plan | None = None) -> tuple[dict[int, Outcome], Progress]:
    kept: dict[int, Outcome] = {}
    progress, pool = Progress(), Pool(1_000)

    async def keep(item: Item, outcome: Outcome) -> None:
        assert item.position not in kept
        kept[item.position] = outcome

    async def greet(_row: ModelRow) -> None:
        """Welcome."""

    await pool.fill(Item(number, b"", f"q{number}") for number in range(count))
    await pool.end()
    async with asyncio.timeout(20):
        crew = Crew(plan or made(), pool, progress, keep, SystemClock())
        await crew.run(cast("Control", house), greet)
    return kept, progress


def made(**said: Any) -> Plan:
    given: dict[str, Any] = {"model": "M:1B", "system": "", "node": None, "schema": None, "options": {}}
    return plan_of("{}", **{**given, **said})


def asked(request: ChatRequest) -> str:
    return request.messages[-1].content


@pytest.mark.parametrize(
    ("error", "attempts", "what"),
    [
        *((kind(), 99, "wait") for kind in (AllBusy, NoNodeOnline, RateLimited, Unreachable, UnknownModel, KeyRefused)),
        *((kind(), 1, "again") for kind in (Interrupted, BadAnswer)),
        *((kind(), MOST_ATTEMPTS, "fail") for kind in (Interrupted, BadAnswer)),
        *((kind(), 1, "fail") for kind in (RequestRefused, InvalidInput, TooLarge)),
        *((kind(), 1, "end") for kind in (Unauthenticated, Forbidden)),
    ],
)
def test_what_an_error_means(error: HalextError, attempts: int, what: str) -> None:
    assert verdict(error, attempts) == what


def test_slots_are_those_of_nodes_that_can_work_now() -> None:
    nodes = [node("mac", 4), node("pc", 1), node("nas", 1)]
    assert slots_of(row("mac", "pc", gone=("pc",)), nodes) == {"mac": 4}
    assert slots_of(row("mac", "pc"), nodes, only="pc") == {"pc": 1}
    assert slots_of(row("elsewhere"), nodes) == {}
    assert slots_of(None, nodes) == {}


def test_the_built_in_model_works_only_where_nobody_else_can() -> None:
    nodes = [node("mac"), node("built-in", 1, builtin=True)]
    assert slots_of(row("mac", "built-in"), nodes) == {"mac": 2}
    assert slots_of(row("mac", "built-in", gone=("mac",)), nodes) == {"built-in": 1}
    assert slots_of(row("mac", "built-in"), nodes, only="built-in") == {"built-in": 1}


@pytest.mark.parametrize(("one", "other"), [("llama3", "llama3:latest"), ("M:1b", "m:1B")])
def test_one_model_has_several_spellings(one: str, other: str) -> None:
    assert same_name(one, other)
    assert not same_name(one, "x" + other)


async def test_every_slot_works_and_no_more() -> None:
    house = House(lambda _node, request: asked(request).upper())
    kept, _ = await run(house, 60)
    assert [kept[number].text for number in range(60)] == [f"Q{number}" for number in range(60)]
    assert house.busiest == {"mac": 2, "pc": 1}
    done = Counter(outcome.node for outcome in kept.values())
    assert done["mac"] > done["pc"] > 5


async def test_an_answer_that_breaks_off_is_asked_of_another_node() -> None:
    def says(node: str, request: ChatRequest) -> str:
        if node == "mac":
            raise Interrupted
        return "fine"

    kept, _ = await run(House(says), 6)
    assert all(outcome.text == "fine" for outcome in kept.values())
    assert {outcome.tried for outcome in kept.values()} <= {("pc",), ("mac", "pc")}
    assert any(outcome.attempts == 2 for outcome in kept.values())


async def test_a_node_that_is_busy_or_gone_costs_an_item_nothing() -> None:
    troubles = iter([AllBusy(retry_after_s=0.05), Unreachable(), RateLimited(retry_after_s=0.01)])

    def says(node: str, request: ChatRequest) -> str:
        if trouble := next(troubles, None):
            raise trouble
        return "fine"

    house = House(says)
    house.rows = [row("mac")]
    kept, progress = await run(house, 4)
    assert {(outcome.text, outcome.attempts) for outcome in kept.values()} == {("fine", 1)}
    assert progress.note == ""


async def test_retry_after_is_obeyed() -> None:
    times: list[float] = []

    def says(node: str, request: ChatRequest) -> str:
        times.append(asyncio.get_running_loop().time())
        if len(times) == 1:
            raise AllBusy(retry_after_s=0.3)
        return "fine"

    house = House(says)
    house.rows, house.nodes = [row("pc")], [node("pc", 1)]
    await run(house, 2)
    assert times[1] - times[0] >= 0.3


async def test_an_item_that_nobody_can_answer_is_a_failure_and_the_others_are_not() -> None:
    def says(node: str, request: ChatRequest) -> str:
        if asked(request) == "q3":
            raise BadAnswer(f"{node} is confused.")
        if asked(request) == "q4":
            raise RequestRefused
        return "fine"

    kept, _ = await run(House(says), 6)
    assert (kept[3].code, kept[3].attempts, set(kept[3].tried)) == ("bad_answer", MOST_ATTEMPTS, {"mac", "pc"})
    assert (kept[4].code, kept[4].attempts) == ("request_refused", 1)
    assert [kept[number].text for number in (0, 1, 2, 5)] == ["fine"] * 4


async def test_an_answer_that_does_not_fit_gets_one_chance_to_be_repaired() -> None:
    def says(node: str, request: ChatRequest) -> str:
        if len(request.messages) > 1:
            assert "has to be object" in asked(request)
            return "{}" if request.messages[0].content == "q0" else "[1]"
        return "[]"

    kept, _ = await run(House(says), 2, made(schema={"type": "object"}))
    assert (kept[0].text, kept[0].attempts) == ("{}", 2)
    assert (kept[1].code, kept[1].text, kept[1].attempts) == ("bad_answer", "[1]", 2)
    assert "does not fit the schema" in kept[1].message


async def test_a_model_or_a_node_that_there_is_not_ends_it_at_once() -> None:
    with pytest.raises(UnknownModel, match="gpt-9"):
        await run(House(lambda *_: "fine"), 1, made(model="gpt-9"))
    with pytest.raises(UnknownNode, match="nowhere"):
        await run(House(lambda *_: "fine"), 1, made(node="nowhere"))


async def test_who_may_not_ask_is_told_so_once() -> None:
    def says(node: str, request: ChatRequest) -> str:
        raise Unauthenticated

    with pytest.raises(ExceptionGroup) as caught:
        await run(House(says), 5)
    assert caught.group_contains(Unauthenticated)


async def test_nodes_that_come_later_join_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crews, "LOOK_S", 0.02)
    house = House(lambda *_: "fine")
    house.rows = [row("mac", "pc", gone=("mac", "pc"))]
    running = asyncio.get_running_loop().create_task(run(house, 30))
    await house.was_looked_at.wait()
    assert not running.done()
    house.rows = [row("mac", "pc")]
    kept, progress = await running
    assert len(kept) == 30
    assert progress.note == ""


async def test_it_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crews, "LOOK_S", 0.02)
    monkeypatch.setattr(crews, "PATIENCE_S", 0.1)
    house = House(lambda *_: "fine")
    house.rows, house.nodes = [], [node("mac")]
    with pytest.raises(ExceptionGroup) as caught:
        await run(house, 1)
    assert caught.group_contains(NoNodeOnline)
