from __future__ import annotations

from collections.abc import Sequence

import pytest

from halext.errors import (
    BadAnswer,
    Interrupted,
    KeyRefused,
    ModelMissing,
    NoNodeHasModel,
    RateLimited,
    RequestRefused,
    TimedOut,
    Unreachable,
    UpstreamError,
)
from halext.gateway import policy
from halext.nodes.types import EndpointState, Health, Node, Status
from halext.types import EndpointId, ModelName, NodeName
from halext.upstream import Endpoint, ModelInfo

MODEL = ModelInfo(ModelName("m"))


def at(node: str, message: str = "invalid format") -> BadAnswer:
    return BadAnswer(f"{node} (http://{node}:1) {message}", node=node)


@pytest.mark.parametrize(
    ("error", "earlier", "began", "verdict"),
    [
        (Unreachable(), [], False, "elsewhere"),
        (Unreachable(), [Unreachable()] * 6, False, "elsewhere"),
        (Unreachable(), [Unreachable()] * 7, False, "end"),
        (Unreachable(), [], True, "end"),
        (TimedOut(), [], False, "elsewhere"),
        (TimedOut(), [TimedOut()], False, "elsewhere"),
        (TimedOut(), [TimedOut(), TimedOut()], False, "end"),
        (TimedOut(), [Unreachable(), Unreachable(), TimedOut()], False, "elsewhere"),
        (RateLimited(), [], False, "elsewhere"),
        (ModelMissing(), [], False, "elsewhere"),
        (KeyRefused(), [], False, "elsewhere"),
        (RequestRefused(), [], False, "end"),
        (Interrupted(), [], False, "elsewhere"),
        (Interrupted(), [], True, "end"),
        (at("a"), [], False, "elsewhere"),
        (at("a"), [at("b")], False, "end"),
        (at("a"), [at("b", "out of memory")], False, "elsewhere"),
        (at("a"), [TimedOut()], False, "elsewhere"),
    ],
)
def test_what_follows_a_failure(
    error: UpstreamError, earlier: Sequence[UpstreamError], began: bool, verdict: str
) -> None:
    assert policy.after_failure(error, earlier, began=began) == verdict


def state(name: str, *, builtin: bool = False, **health: object) -> tuple[EndpointState, ModelInfo]:
    endpoint = Endpoint(EndpointId(name), NodeName(name), "ollama", f"http://{name}:1")
    known = Health(status=Status.HEALTHY, **health)  # type: ignore[arg-type]  # the tests name fields of Health
    return EndpointState(Node(NodeName(name), (endpoint,), builtin=builtin), endpoint, known), MODEL


def names(field: policy.Field) -> tuple[list[str], dict[str, str]]:
    return [found.endpoint.id for found, _ in field.open], {entry.endpoint: entry.reason for entry in field.rejected}


@pytest.mark.parametrize(
    ("serving", "tried", "only", "opened", "rejected"),
    [
        ([state("a"), state("b")], {}, None, ["a", "b"], {}),
        ([state("a", ejected=True, reason="off"), state("b")], {}, None, ["b"], {"a": "healthy: off"}),
        ([state("a"), state("b")], {EndpointId("a"): "x"}, None, ["b"], {"a": "failed this request: x"}),
        ([state("a"), state("b")], {}, NodeName("b"), ["b"], {}),
        ([state("a", retry_at=9.0, reason="busy"), state("b")], {}, None, ["b"], {"a": "busy (for 9 s more)"}),
        ([state("a", retry_at=9.0), state("b", ejected=True, reason="off")], {}, None, ["a"], {"b": "healthy: off"}),
        ([state("a", retry_at=9.0)], {EndpointId("a"): "x"}, None, [], {"a": "failed this request: x"}),
        (
            [state("a"), state("z", builtin=True)],
            {},
            None,
            ["a"],
            {"z": "the built-in model is for when nothing else can"},
        ),
        ([state("z", builtin=True)], {}, None, ["z"], {}),
        ([], {}, None, [], {}),
    ],
)
def test_who_may_be_asked(
    serving: policy.Serving,
    tried: dict[EndpointId, str],
    only: NodeName | None,
    opened: list[str],
    rejected: dict[str, str],
) -> None:
    assert names(policy.field_for(serving, now=0.0, tried=tried, only=only)) == (opened, rejected)


def test_failures_cost_time() -> None:
    assert policy.penalty(Health(), now=0) == 0
    assert policy.penalty(Health(failed_requests=2), now=0) == 2 * policy.PENALTY_PER_FAILURE_S
    assert policy.penalty(Health(retry_at=30), now=10) == 20


def test_the_last_word_says_more_than_nobody_is_left() -> None:
    nobody = NoNodeHasModel("a: failed this request: off")
    assert policy.final(Unreachable(), nobody) is nobody
    late = TimedOut()
    assert policy.final(late, nobody) is late
