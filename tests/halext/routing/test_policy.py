from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.messages import Timings, Usage
from halext.nodes.types import Rates
from halext.routing.policy import CFG, Sample, choose, estimate, learn_output, observe, sentence
from halext.routing.types import Candidate, Dispatch, Hold, Need, NoNode, Rejected
from halext.types import EndpointId, ModelName, NodeName

NEED = Need(prompt_tokens=100, output_tokens=200)


def candidate(node: str = "mac", **known: object) -> Candidate:
    plain = Candidate(
        node=NodeName(node),
        endpoint=EndpointId(node),
        model=ModelName("m"),
        resident=True,
        size_bytes=4_000_000_000,
        slots=1,
        in_flight=0,
    )
    return replace(plain, **known)  # type: ignore[arg-type]  # the tests name fields of Candidate


def measured(tps: float, *, load_s: float = 0.0) -> Rates:
    return Rates(
        decode_tps=tps, decode_count=9, prefill_tps=1000, prefill_count=9, load_s=load_s, load_count=bool(load_s)
    )


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        (candidate(), candidate(resident=False), "a model in memory beats one that has to be loaded"),
        (candidate(rates=measured(60)), candidate(rates=measured(20)), "the faster one"),
        (candidate(rates=measured(20)), candidate(resident=False, rates=measured(60, load_s=30)), "a load costs more"),
        (candidate(resident=False, rates=measured(90, load_s=2)), candidate(rates=measured(10)), "but not always"),
        (candidate(), candidate(penalty_s=5.0), "one that failed lately steps back"),
        (candidate(slots=4, in_flight=1), candidate(slots=4, in_flight=3), "the emptier one"),
        (candidate(), candidate(in_flight=1), "one that can start now"),
        (candidate(latency_s=0.01), candidate(latency_s=3.0), "the nearer one, all else equal"),
        (
            candidate(size_bytes=2_000_000_000),
            candidate(size_bytes=20_000_000_000),
            "unmeasured: the smaller model is faster",
        ),
        (
            candidate(rates=Rates(last_total_s=2.0)),
            candidate(rates=Rates(last_total_s=9.0)),
            "its last answer was quicker",
        ),
    ],
)
def test_who_is_chosen(first: Candidate, second: Candidate, why: str) -> None:
    better, worse = replace(first, node=NodeName("better")), replace(second, node=NodeName("worse"))
    for order in ([better, worse], [worse, better]):
        decision = choose(NEED, order)
        assert isinstance(decision, Dispatch), why
        assert decision.candidate.node == "better", why
        assert [entry.node for entry in decision.estimates] == ["better", "worse"]


def test_a_fast_node_that_is_busy_is_waited_for_when_that_is_quicker() -> None:
    fast = candidate("fast", rates=measured(100), in_flight=1)
    slow = candidate("slow", rates=measured(5))
    decision = choose(NEED, [fast, slow])
    assert isinstance(decision, Hold)
    assert decision.want.node == "fast"
    assert decision.start_in_s == pytest.approx(2 * 2.4 + 1)
    assert isinstance(choose(replace(NEED, waited_s=60), [fast, slow]), Dispatch), "but not for ever"
    assert isinstance(choose(NEED, [fast, replace(slow, rates=measured(80))]), Dispatch)


def test_nobody_is_nobody() -> None:
    assert choose(NEED, []) == NoNode("no_node_has_model")


def test_equal_nodes_take_turns() -> None:
    nodes = [candidate(name, tie=tie) for tie, name in enumerate("abc")]
    first = choose(NEED, nodes)
    second = choose(NEED, [replace(node, tie=(node.tie + 1) % 3) for node in nodes])
    assert isinstance(first, Dispatch)
    assert isinstance(second, Dispatch)
    assert first.candidate.node != second.candidate.node


positive = st.floats(0.01, 1e4)
rates = st.builds(
    Rates,
    decode_tps=positive,
    decode_count=st.integers(0, 5),
    prefill_tps=positive,
    prefill_count=st.integers(0, 5),
    load_s=positive,
    load_count=st.integers(0, 5),
    last_total_s=st.one_of(st.just(0.0), positive),
)
candidates = st.builds(
    Candidate,
    node=st.sampled_from([NodeName(name) for name in "abcdef"]),
    endpoint=st.text("xyz", min_size=1, max_size=3).map(EndpointId),
    model=st.just(ModelName("m")),
    resident=st.booleans(),
    size_bytes=st.integers(0, 10**12),
    slots=st.integers(1, 8),
    in_flight=st.integers(0, 20),
    latency_s=st.floats(0, 10),
    penalty_s=st.floats(0, 300),
    rates=rates,
    tie=st.integers(0, 5),
)
needs = st.builds(Need, prompt_tokens=st.integers(0, 10**6), output_tokens=st.integers(0, 10**5))


@given(needs, candidates)
def test_an_estimate_is_the_sum_of_its_parts_and_a_time(need: Need, one: Candidate) -> None:
    told = estimate(need, one)
    assert told.finish_s == pytest.approx(sum(told.terms.values()))
    assert min(told.terms.values()) >= 0
    assert 0 <= told.first_token_s <= told.finish_s
    assert told.score_s >= told.finish_s
    assert told.can_start == (one.in_flight < one.slots)


@given(needs, st.lists(candidates, min_size=1, max_size=8))
def test_a_choice_is_total_and_does_not_depend_on_the_order(need: Need, several: list[Candidate]) -> None:
    decision, again = choose(need, several), choose(need, several[::-1])
    assert not isinstance(decision, NoNode)
    assert not isinstance(again, NoNode)
    assert type(decision) is type(again)
    assert len(decision.estimates) == len(several)
    assert round(decision.estimates[0].score_s, 3) == round(again.estimates[0].score_s, 3)
    assert isinstance(decision, Hold) != decision.estimates[0].can_start


@given(needs, candidates, st.floats(1, 100))
def test_more_failures_and_a_longer_way_never_help(need: Need, one: Candidate, more: float) -> None:
    here = estimate(need, one).score_s
    assert estimate(need, replace(one, penalty_s=one.penalty_s + more)).score_s > here
    assert estimate(need, replace(one, in_flight=one.in_flight + 1)).score_s >= here


def sample(**known: object) -> Sample:
    plain = Sample(
        usage=Usage(prompt_tokens=200, completion_tokens=100),
        timings=Timings(total_s=6, load_s=0.02, prompt_s=0.5, eval_s=5),
        first_token_s=0.6,
        total_s=6.0,
        was_cold=False,
        others=0,
    )
    return replace(plain, **known)  # type: ignore[arg-type]  # the tests name fields of Sample


def test_the_first_answer_is_believed() -> None:
    known = observe(Rates(), sample())
    assert (known.decode_tps, known.decode_count) == (20, 1)
    assert (known.prefill_tps, known.prefill_count) == (400, 1)
    assert known.load_count == 0
    assert known.last_total_s == 6.0


@pytest.mark.parametrize(
    ("one", "field", "value"),
    [
        (sample(others=2), "decode_tps", 20 * (1 + 2 * CFG.batch_cost)),
        (sample(timings=Timings()), "decode_tps", 100 / 5.4),
        (sample(usage=Usage(200, 3)), "decode_count", 0),
        (sample(usage=Usage(20, 100)), "prefill_count", 0),
        (sample(usage=Usage(200, 100, cached_tokens=190)), "prefill_count", 0),
        (sample(was_cold=True, timings=Timings(load_s=6.5)), "load_s", 6.5),
        (sample(was_cold=True, timings=Timings(load_s=0.05)), "load_count", 0),
        (sample(was_cold=False, timings=Timings(load_s=6.5)), "load_count", 0),
    ],
)
def test_what_an_answer_teaches(one: Sample, field: str, value: float) -> None:
    assert getattr(observe(Rates(), one), field) == pytest.approx(value)


def test_a_prompt_from_the_cache_is_no_speed() -> None:
    known = observe(Rates(), sample())
    after = observe(known, sample(timings=Timings(prompt_s=0.001, eval_s=5)))
    assert after.prefill_tps == known.prefill_tps


def test_a_disturbance_counts_less_than_a_new_normal() -> None:
    known = Rates(decode_tps=20, decode_count=50)
    disturbed = observe(known, sample(timings=Timings(eval_s=50)))
    faster = observe(known, sample(timings=Timings(eval_s=3)))
    assert 20 - disturbed.decode_tps < 1
    assert faster.decode_tps - 20 > 1


@given(st.lists(st.floats(0.1, 500), min_size=1, max_size=30))
def test_a_rate_stays_among_what_was_seen(speeds: list[float]) -> None:
    known = Rates()
    for tps in speeds:
        known = observe(known, sample(timings=Timings(eval_s=100 / tps)))
    assert min(speeds) * 0.999 <= known.decode_tps <= max(speeds) * 1.001
    assert known.decode_count == len(speeds)


def test_expected_lengths_are_learned() -> None:
    expected = learn_output(None, 50)
    assert expected == (CFG.expected_output + 50) / 2
    for _ in range(200):
        expected = learn_output(expected, 50)
    assert expected == pytest.approx(50, abs=1)


def test_a_decision_reads_as_a_sentence() -> None:
    mac = candidate("mac", slots=4, in_flight=1, rates=measured(100))
    pc = candidate("pc", resident=False, rates=measured(100, load_s=6))
    decision = choose(NEED, [pc, mac])
    assert isinstance(decision, Dispatch)
    off = Rejected(NodeName("old"), EndpointId("old"), "offline: refused")
    told = sentence(decision.estimates, [off], decision.candidate.node)
    assert told == (
        "mac: 2.5 s (warm, 1 of 4 slots taken); pc: 8.1 s (cold, 6 s load, 0 of 1 slot taken); "
        "old: not asked (offline: refused) — chose mac"
    )
    assert sentence([], [off]) == "old: not asked (offline: refused) — nobody can take it"
