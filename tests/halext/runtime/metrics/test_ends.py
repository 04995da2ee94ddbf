from __future__ import annotations

import pytest

from halext.accounts.types import LOCAL, Outcome
from halext.gateway.types import Choice, Record
from halext.messages import Usage
from halext.nodes.registry import Registry
from halext.nodes.types import Node
from halext.runtime.metrics.ends import LABEL_MAX, Ends, outcome_of
from halext.runtime.metrics.types import Labels, Spread
from halext.testing.clock import ManualClock
from halext.types import EndpointId, ModelName, NodeName, RequestId
from halext.upstream import Endpoint, ModelInfo, Sighting

MAC = NodeName("mac")
CHOICE = Choice(MAC, EndpointId("mac"), (), (), 0.5)
STRANGE = ("a\x1b[31mb", "x" * (LABEL_MAX + 1), "a\nb")


@pytest.fixture
async def ends() -> Ends:
    clock = ManualClock()
    registry = Registry(records=None, clock=clock, publish=lambda _event: None)
    await registry.add(Node(MAC, (Endpoint(EndpointId("mac"), MAC, "ollama", "http://mac:1"),)))
    models = tuple(ModelInfo(ModelName(name)) for name in ("M:latest", *STRANGE))
    registry.saw(EndpointId("mac"), Sighting(models=models), asked_at=clock.now())
    return Ends(registry)


def record(model: str = "m", **more: object) -> Record:
    values: dict[str, object] = {"kind": "chat", "outcome": "done", "total_s": 3.0, **more}
    return Record(RequestId("r"), LOCAL, ModelName(model), 0.0, **values)  # type: ignore[arg-type]


def told(ends: Ends) -> dict[str, dict[Labels, float | Spread]]:
    return {family.metric.name: dict(family.values) for family in ends.families() if family.values}


def test_an_answer_counts_for_its_node_and_its_model(ends: Ends) -> None:
    usage = Usage(prompt_tokens=7, completion_tokens=2)
    ends.hear(record(node=MAC, choices=[CHOICE], first_token_s=0.3, usage=usage))
    now = told(ends)
    assert now["halext_requests_total"] == {("chat", "done"): 1}
    assert now["halext_node_requests_total"] == {("mac", "done"): 1}
    assert now["halext_model_requests_total"] == {("M:latest", "done"): 1}
    assert now["halext_node_tokens_total"] == {("mac", "prompt"): 7, ("mac", "completion"): 2}
    assert now["halext_model_tokens_total"] == {("M:latest", "prompt"): 7, ("M:latest", "completion"): 2}
    totals = {name: value.total for name, found in now.items() for value in found.values() if isinstance(value, Spread)}
    assert totals == {
        "halext_request_duration_seconds": 3.0,
        "halext_request_first_token_seconds": 0.3,
        "halext_request_wait_seconds": 0.5,
    }
    assert "halext_node_failures_total" not in now


def test_a_node_that_failed_is_counted_when_another_one_answers(ends: Ends) -> None:
    other = Choice(NodeName("pc"), EndpointId("pc"), (), (), 0.5)
    ends.hear(record(node=MAC, choices=[other, CHOICE], failures=["pc: gone"]))
    assert told(ends)["halext_node_failures_total"] == {("pc",): 1}
    assert told(ends)["halext_node_requests_total"] == {("mac", "done"): 1}


def test_a_kept_answer_is_no_nodes(ends: Ends) -> None:
    ends.hear(record(cached=True))
    now = told(ends)
    assert now["halext_cached_answers_total"] == {(): 1}
    assert {"halext_node_requests_total", "halext_request_duration_seconds"} & now.keys() == set()


@pytest.mark.parametrize("model", ["nobody has it", *STRANGE])
def test_models_that_no_node_has_and_names_that_nobody_can_read_are_one(ends: Ends, model: str) -> None:
    ends.hear(record(model, outcome="failed"))
    assert told(ends)["halext_model_requests_total"] == {("other", "refused"): 1}


@pytest.mark.parametrize(
    ("outcome", "choices", "node", "told"),
    [
        ("failed", [], None, "refused"),
        ("failed", [CHOICE], None, "failed"),
        ("failed", [], MAC, "failed"),  # pictures: their node is known, and no choice is kept
        ("cancelled", [], None, "cancelled"),
        ("interrupted", [CHOICE], MAC, "interrupted"),
        ("done", [CHOICE], MAC, "done"),
    ],
)
def test_a_request_that_reached_nobody_was_refused(
    outcome: Outcome, choices: list[Choice], node: NodeName | None, told: str
) -> None:
    assert outcome_of(record(outcome=outcome, choices=choices, node=node)) == told
