from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import pytest

from halext.accounts.quotas.types import Measure
from halext.errors import (
    BadAnswer,
    HalextError,
    Interrupted,
    InvalidInput,
    ModelMissing,
    NoNodeHasModel,
    NoNodeMakesPictures,
    RequestRefused,
    TimedOut,
    UnknownModel,
    Unreachable,
    UpstreamError,
)
from halext.gateway.policy import Field, field_for
from halext.images import policy
from halext.nodes.types import EndpointState, Health, Node, Status
from halext.pictures import Recipe
from halext.types import Capability, EndpointId, ModelName, NodeName
from halext.upstream import Endpoint, ModelInfo, RunningModel, Sighting

WISH = Recipe("a lighthouse")
HEALTHY, GONE = Health(Status.HEALTHY), Health(Status.OFFLINE, "is off", ejected=True)


def state(
    name: str, *models: str, loaded: str = "", health: Health = HEALTHY, busy: int = 0, can: Capability = "image"
) -> EndpointState:
    endpoint = Endpoint(EndpointId(name), NodeName(name), "automatic1111", f"http://{name}:7860")
    infos = tuple(ModelInfo(ModelName(model), capabilities=frozenset({can})) for model in models)
    running = (RunningModel(ModelName(loaded)),) if loaded else ()
    sighting = Sighting(models=infos, running=running, slots=1, slots_busy=busy)
    return EndpointState(Node(NodeName(name), (endpoint,)), endpoint, health, sighting)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"prompt": "  "}, "prompt is empty"),
        ({"prompt": "x" * 10_001}, "at most 10,000"),
        ({"negative": "x" * 10_001}, "at most 10,000"),
        ({"width": 500}, "multiples of 8"),
        ({"height": 56}, "multiples of 8"),
        ({"width": 2056}, "multiples of 8"),
        ({"steps": 0}, "from 1 to 150"),
        ({"steps": 151}, "from 1 to 150"),
        ({"cfg": -1}, "`cfg`"),
        ({"cfg": float("nan")}, "`cfg`"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**32}, "seed"),
        ({"n": 0}, "From 1 to 16"),
        ({"n": 17}, "From 1 to 16"),
        ({"n": 3, "width": 2048, "height": 2048}, "pixels"),
    ],
)
def test_wishes_that_nobody_should_be_asked_for(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(InvalidInput, match=word):
        policy.check(replace(WISH, **changes))


@pytest.mark.parametrize(
    "changes", [{}, {"seed": 0}, {"n": 16}, {"width": 2048, "height": 2048, "n": 2}, {"steps": 1, "cfg": 0}]
)
def test_wishes_that_are_fine(changes: dict[str, Any]) -> None:
    policy.check(replace(WISH, **changes))


def test_a_named_model_is_found_however_it_is_written_and_only_where_it_paints() -> None:
    states = [state("a", "x", "Y"), state("b", "z"), state("c", "y", can="chat")]
    assert [(where.node.name, info.name) for where, info in policy.serving(states, "y")] == [("a", "Y")]


@pytest.mark.parametrize("word", ["", "auto", " AUTO "])
def test_any_model_is_the_one_in_memory_else_the_first_by_name(word: str) -> None:
    states = [state("a", "x", "y", loaded="y"), state("b", "q", "p"), state("c")]
    assert [(where.node.name, info.name) for where, info in policy.serving(states, word)] == [("a", "y"), ("b", "p")]


def test_who_begins_first() -> None:
    busy, cold, warm = state("a", "x", loaded="x", busy=1), state("b", "x"), state("c", "x", loaded="x")
    open_ = policy.serving([busy, cold, warm], "x")

    def chosen(*taken: str) -> str | None:
        found = policy.choose(open_, {EndpointId(name) for name in taken})
        return found[0].node.name if found else None

    assert chosen() == "c"
    assert chosen("c") == "b"
    assert chosen("b", "c") == "a"
    assert chosen("a", "b", "c") is None


def test_one_that_fails_comes_after_one_that_does_not() -> None:
    states = [state("a", "x", health=replace(HEALTHY, failed_requests=1)), state("b", "x")]
    found = policy.choose(policy.serving(states, "x"), set())
    assert found is not None
    assert found[0].node.name == "b"


@pytest.mark.parametrize(
    ("states", "model", "tried", "error", "sentence"),
    [
        ([], "", {}, NoNodeMakesPictures, "halext node add"),
        ([state("a", "x", health=GONE)], "", {}, NoNodeMakesPictures, "a: offline: is off"),
        ([state("a")], "", {}, NoNodeMakesPictures, "a: has no model yet"),
        ([state("a", "x")], "", {"a": "ran out of memory"}, NoNodeMakesPictures, "a: ran out of memory"),
        ([state("a", "x", health=GONE), state("b", "y")], "x", {}, NoNodeHasModel, "'x' makes pictures now.*is off"),
        ([state("a", "x"), state("b", "y")], "z", {}, UnknownModel, "'z'; there are x; y"),
        ([state("a", "x", health=GONE)], "z", {}, NoNodeMakesPictures, "is off"),
        ([state(c, "x", health=GONE) for c in "abcdefg"], "", {}, NoNodeMakesPictures, "and 2 more"),
    ],
)
def test_nobody(
    states: list[EndpointState], model: str, tried: dict[EndpointId, str], error: type[HalextError], sentence: str
) -> None:
    has_model = policy.serving(states, model)
    field: Field = field_for(has_model, now=0, tried=tried, only=None)
    assert not field.open
    found = policy.nobody(states, has_model, field, tried, model, None, now=0)
    assert type(found) is error
    with pytest.raises(error, match=sentence):
        raise found


@pytest.mark.parametrize(
    ("error", "tries", "started", "verdict"),
    [
        (Unreachable(), 1, False, "elsewhere"),
        (TimedOut(), 2, False, "elsewhere"),
        (BadAnswer(), 1, False, "elsewhere"),
        (BadAnswer(), 3, False, "end"),
        (Unreachable(), 1, True, "end"),
        (BadAnswer(), 1, True, "end"),
        (ModelMissing(), 1, True, "elsewhere"),
        (ModelMissing(), 3, True, "end"),
        (RequestRefused(), 1, False, "end"),
    ],
)
def test_after_a_failure(error: UpstreamError, tries: int, started: bool, verdict: Literal["elsewhere", "end"]) -> None:
    assert policy.after_failure(error, tries, started=started) == verdict


def test_who_disappears_from_a_job_that_had_begun_has_interrupted_it() -> None:
    endpoint = state("a").endpoint
    found = policy.final(Unreachable("a refuses."), endpoint, started=True)
    assert isinstance(found, Interrupted)
    assert (found.node, found.began) == ("a", True)
    assert "ask again" in found.message
    for error, started in ((Unreachable(), False), (BadAnswer(), True)):
        assert policy.final(error, endpoint, started=started) is error


def test_places_count_those_who_may_want_the_same_endpoint() -> None:
    assert policy.places([(model, None) for model in ("x", "y", "x", "", "y")]) == [1, 1, 2, 4, 3]
    pc, mac = NodeName("pc"), NodeName("mac")
    assert policy.places([("x", pc), ("x", mac), ("", pc), ("x", None), ("y", mac)]) == [1, 1, 2, 4, 1]


def test_what_a_job_reserves() -> None:
    wanted = policy.to_reserve(Recipe("a lighthouse", n=3))
    assert wanted == {Measure.REQUESTS: 1, Measure.IMAGES: 3, Measure.GPU_SECONDS: 0}
