from __future__ import annotations

import pytest

from halext.alerts.types import Incident, IncidentId, Notice, NoticeState
from halext.gateway.dispatch import Explanation
from halext.nodes.types import Cordon, EndpointState, Health, Node, Rates, Status
from halext.routing.policy import choose
from halext.routing.types import Candidate, Need, NoNode, Rejected
from halext.runtime.present import RANK, explanation_info, incident_info, model_rows, node_info
from halext.runtime.shapes_alerts import IncidentInfo, NoticeInfo
from halext.types import EndpointId, ModelName, NodeName, SecretRef
from halext.upstream import Endpoint, ModelInfo, RunningModel, Sighting

M = ModelName("m")


def endpoint(name: str) -> Endpoint:
    return Endpoint(EndpointId(name), NodeName("pc"), "ollama", f"http://{name}:1", secret=SecretRef("node/pc/headers"))


NODE = Node(NodeName("pc"), (endpoint("one"), endpoint("two")), tags=("gpu",))


def state(name: str, status: Status, **more: object) -> EndpointState:
    seen = Sighting(
        "0.33", (ModelInfo(M, size_bytes=7, capabilities=frozenset({"chat"})),), (RunningModel(M),), slots=3
    )
    return EndpointState(NODE, endpoint(name), Health(status=status, last_seen_at=1.0), seen, 1.0, **more)  # type: ignore[arg-type]  # fields of EndpointState


def test_every_status_has_a_rank() -> None:
    assert sorted(RANK) == sorted(Status)


@pytest.mark.parametrize(
    ("cordon", "statuses", "shown"),
    [
        (Cordon.OPEN, [Status.OFFLINE, Status.HEALTHY], "healthy"),
        (Cordon.OPEN, [Status.OFFLINE, Status.DEGRADED], "degraded"),
        (Cordon.CORDONED, [Status.HEALTHY], "cordoned"),
    ],
)
def test_a_node_is_as_well_as_its_best_endpoint(cordon: Cordon, statuses: list[Status], shown: str) -> None:
    node = Node(NODE.name, NODE.endpoints, cordon=cordon)
    states = [state(name, status) for name, status in zip(("one", "two"), statuses, strict=False)]
    info = node_info(node, states, lambda _endpoint: 2, now=5.0)
    assert info.status == shown
    assert info.endpoints[0].has_headers
    assert "headers" not in str(info.endpoints[0].url)
    assert (info.endpoints[0].slots, info.endpoints[0].in_flight) == (3, 2)


@pytest.mark.parametrize(("status", "loaded"), [(Status.BUSY, ["m"]), (Status.DEGRADED, ["m"]), (Status.OFFLINE, [])])
def test_nothing_is_in_the_memory_of_a_computer_that_is_away(status: Status, loaded: list[str]) -> None:
    (shown,) = node_info(NODE, [state("one", status)], lambda _endpoint: 0, now=5.0).endpoints
    assert shown.loaded == loaded
    assert shown.models == ["m"]


def test_a_models_row_tells_where_it_is_and_how_fast() -> None:
    fast = state("one", Status.HEALTHY, rates=((M, Rates(decode_tps=42.0, decode_count=2)),))
    (row,) = model_rows([fast, state("two", Status.UNKNOWN)], lambda name, _model: name == "one", now=5.0)
    assert [(place.available, place.loaded, place.tokens_per_s) for place in row.places] == [
        (True, True, 42.0),
        (False, False, None),
    ]
    assert (row.size_bytes, row.capabilities, row.builtin) == (7, ["chat"], False)


def candidate(name: str, in_flight: int = 0) -> Candidate:
    return Candidate(NodeName(name), EndpointId(name), M, resident=True, size_bytes=10**9, slots=1, in_flight=in_flight)


def test_decisions_are_told_before_they_are_made() -> None:
    off = (Rejected(NodeName("old"), EndpointId("old"), "offline"),)
    sent = explanation_info(Explanation(M, choose(Need(1, 1), [candidate("mac")]), off))
    assert (sent.chosen, sent.rejected) == ("mac", {"old": "offline"})
    held = explanation_info(Explanation(M, choose(Need(1, 1), [candidate("mac", 1)]), ()))
    assert held.chosen == "mac"
    assert "would wait there about" in held.sentence
    nobody = explanation_info(Explanation(M, NoNode("unknown_model"), off))
    assert nobody.chosen is None
    assert nobody.sentence.endswith("nobody can take it")


def test_an_incident_and_who_was_told() -> None:
    told = Notice(IncidentId(7), "discord", NoticeState.GIVEN_UP, ref="1234", attempts=3, error="away")
    outage = Incident(IncidentId(7), "node-offline", NodeName("mac"), "off", 1.0, 2.0, 3.0, "back", (told,))
    assert incident_info(outage) == IncidentInfo(
        id=7,
        node="mac",
        rule="node-offline",
        reason="off",
        started_at=1.0,
        fired_at=2.0,
        ended_at=3.0,
        ending="back",
        told=[NoticeInfo(place="discord", state="given-up", attempts=3, error="away")],
    )
