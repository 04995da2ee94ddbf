from __future__ import annotations

from halext.accounts.types import LOCAL
from halext.gateway.story import why
from halext.gateway.types import Choice, Record
from halext.routing.policy import estimate
from halext.routing.types import Candidate, Need
from halext.types import EndpointId, ModelName, NodeName, RequestId

M = ModelName("m")


def choice(name: str, waited_s: float = 0.0) -> Choice:
    node, endpoint = NodeName(name), EndpointId(name)
    one = Candidate(node, endpoint, M, resident=True, size_bytes=10**9, slots=1, in_flight=0)
    return Choice(node, endpoint, (estimate(Need(1, 1), one),), (), waited_s)


def test_choices_and_failures_alternate() -> None:
    record = Record(RequestId("r"), LOCAL, M, 1.0, "chat", choices=[choice("mac"), choice("pc", 2.5)])
    record.failures.append("mac: refuses the connection")
    lines = why(record)
    assert [line.split(":")[0] for line in lines] == ["mac", "mac", "pc"]
    assert lines[1] == "mac: refuses the connection"


def test_a_wait_in_line_is_told_once() -> None:
    record = Record(RequestId("r"), LOCAL, M, 1.0, "chat", choices=[choice("mac", 2.0)])
    assert why(record)[0].endswith("— chose mac (after 2.0 s in line)")
    assert why(Record(RequestId("r"), LOCAL, M, 1.0, "chat")) == []
