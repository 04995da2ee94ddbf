from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.errors import (
    BadAnswer,
    Interrupted,
    KeyRefused,
    ModelMissing,
    RateLimited,
    RequestRefused,
    TimedOut,
    Unreachable,
    UpstreamError,
)
from halext.events import EndpointEjected, EndpointReadmitted, StatusChanged
from halext.nodes import policy
from halext.nodes.types import Cordon, Health, Node, Status
from halext.types import EndpointId, ModelName, NodeName
from halext.upstream import Endpoint, ModelInfo, Sighting

ENDPOINT = Endpoint(EndpointId("mac"), NodeName("mac"), "ollama", "http://mac:11434")
NODE = Node(NodeName("mac"), (ENDPOINT,))
GONE, SLOW, BROKEN = Unreachable("gone"), TimedOut("slow"), BadAnswer("broken")
HEALTHY = Health(status=Status.HEALTHY, last_seen_at=0.0)


def ok(health: Health, now: float, sighting: Sighting | None = None) -> Health:
    return policy.check_passed(health, sighting or Sighting(), now=now, latency_s=0.01)


def bad(health: Health, now: float, error: UpstreamError = SLOW) -> Health:
    return policy.check_failed(health, error, now=now)


def test_the_first_look_decides() -> None:
    assert policy.refusal(NODE, Health(), now=0) == "not seen yet"
    seen = ok(Health(), 1.0)
    assert (seen.status, seen.ejected, seen.last_seen_at, seen.latency_s) == (Status.HEALTHY, False, 1.0, 0.01)
    assert policy.refusal(NODE, seen, now=1.0) is None


@pytest.mark.parametrize(
    ("error", "at_once"), [(GONE, True), (KeyRefused("key"), True), (SLOW, False), (BROKEN, False)], ids=str
)
def test_what_ejects_at_once_and_what_needs_confirmation(error: UpstreamError, at_once: bool) -> None:
    once = bad(HEALTHY, 1.0, error)
    assert once.ejected is at_once
    assert bad(once, 2.0, error).ejected


def test_offline_takes_three_failures_and_ten_seconds_and_is_back_dated() -> None:
    health = HEALTHY
    for now in (100.0, 101.0, 105.0):
        health = bad(health, now)
        assert health.status is Status.DEGRADED
    health = bad(health, 110.0)
    assert (health.status, health.since) == (Status.OFFLINE, 100.0)
    early = bad(bad(HEALTHY, 100.0), 120.0)
    assert early.status is Status.DEGRADED


def test_one_good_look_gives_requests_and_two_give_the_name_back() -> None:
    health = HEALTHY
    for now in (100.0, 105.0, 111.0):
        health = bad(health, now, GONE)
    assert health.status is Status.OFFLINE
    back = ok(health, 120.0)
    assert (back.ejected, back.status) == (False, Status.OFFLINE)
    assert policy.refusal(NODE, back, now=120.0) is None
    again = ok(back, 125.0)
    assert (again.status, again.since) == (Status.HEALTHY, 125.0)


def test_a_look_in_between_starts_the_count_anew() -> None:
    health = bad(bad(HEALTHY, 0.0), 5.0)
    health = ok(health, 10.0)
    assert (health.failed_checks, health.failing_since) == (0, None)
    assert bad(bad(health, 15.0), 40.0).status is Status.DEGRADED


def test_a_wrong_key_is_not_an_outage() -> None:
    health = bad(HEALTHY, 1.0, KeyRefused("the key is refused"))
    assert (health.status, health.reason) == (Status.MISCONFIGURED, "the key is refused")


def test_full_slots_are_busy() -> None:
    assert ok(HEALTHY, 1.0, Sighting(slots=2, slots_busy=2)).status is Status.BUSY
    assert ok(HEALTHY, 1.0, Sighting(slots=2, slots_busy=1)).status is Status.HEALTHY


def fail(health: Health, now: float, error: UpstreamError) -> Health:
    return policy.request_failed(health, error, now=now)


def test_a_refused_request_ejects_at_once() -> None:
    health = fail(HEALTHY, 1.0, GONE)
    assert health.ejected
    assert "gone" in (policy.refusal(NODE, health, now=1.0) or "")


@pytest.mark.parametrize("error", [RequestRefused("bad"), ModelMissing("none")], ids=str)
def test_a_callers_mistake_changes_nothing(error: UpstreamError) -> None:
    assert fail(HEALTHY, 1.0, error) == HEALTHY


def test_a_way_that_is_gone_is_offline_at_once() -> None:
    gone = policy.cut_off(HEALTHY, GONE, now=100.0)
    assert (gone.status, gone.reason, gone.since, gone.ejected) == (Status.OFFLINE, "gone", 100.0, True)
    assert not policy.wants_confirmation(gone)
    assert bad(gone, 101.0, GONE).since == 100.0
    once = ok(gone, 102.0)
    assert (once.ejected, once.status, ok(once, 103.0).status) == (False, Status.OFFLINE, Status.HEALTHY)


def test_busy_is_a_pause_and_no_failure() -> None:
    once = fail(HEALTHY, 100.0, RateLimited("busy", retry_after_s=7))
    assert (once.status, once.retry_at, once.ejected) == (Status.RATE_LIMITED, 107.0, False)
    assert policy.only_paused(NODE, once, now=101.0)
    assert policy.refusal(NODE, once, now=101.0) == "busy (for 6 s more)"
    assert policy.refusal(NODE, once, now=107.0) is None
    waits = []
    health = HEALTHY
    for _ in range(8):
        health = fail(health, 0.0, RateLimited("busy"))
        waits.append(health.retry_at)
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300]


@pytest.mark.parametrize("error", [BROKEN, Interrupted("cut"), SLOW], ids=str)
def test_three_failures_in_a_row_open_the_breaker_for_longer_each_time(error: UpstreamError) -> None:
    health = HEALTHY
    for _ in range(2):
        health = fail(health, 0.0, error)
        assert policy.refusal(NODE, health, now=0.0) is None
    pauses = []
    for _ in range(6):
        while health.retry_at <= 0.0 or health.failed_requests:
            health = fail(replace(health, retry_at=0.0) if health.failed_requests == 0 else health, 0.0, error)
        pauses.append(health.retry_at)
        health = replace(health, retry_at=0.0)
    assert pauses == [15, 30, 60, 120, 240, 300]


def test_one_success_forgives() -> None:
    health = HEALTHY
    for _ in range(3):
        health = fail(health, 0.0, BROKEN)
    assert health.status is Status.DEGRADED
    after = policy.request_passed(health, now=20.0)
    assert (after.status, after.failed_requests, after.pauses, after.retry_at) == (Status.HEALTHY, 0, 0, 0.0)


def test_looks_that_failed_around_a_served_request_do_not_add_up() -> None:
    """A machine that works hard answers looks late; that it answers requests is the better sign."""
    once = bad(HEALTHY, 100.0)
    served = policy.request_passed(once, now=104.0)
    assert (served.status, served.failed_checks, served.failing_since) == (Status.HEALTHY, 0, None)
    again = bad(served, 105.0)
    assert not again.ejected
    assert policy.wants_confirmation(again)
    assert bad(again, 106.0).ejected


def test_a_late_success_does_not_bring_a_gone_node_back() -> None:
    assert policy.request_passed(fail(HEALTHY, 0.0, GONE), now=1.0).ejected


def test_what_there_is_to_tell() -> None:
    ejected = fail(HEALTHY, 1.0, GONE)
    assert list(policy.events(ENDPOINT, HEALTHY, ejected, now=1.0)) == [
        EndpointEjected(NodeName("mac"), EndpointId("mac"), "gone", 1.0),
        StatusChanged(NodeName("mac"), EndpointId("mac"), "healthy", "degraded", "gone", 1.0),
    ]
    back = ok(ejected, 2.0)
    assert [type(event) for event in policy.events(ENDPOINT, ejected, back, now=2.0)] == [
        EndpointReadmitted,
        StatusChanged,
    ]
    assert list(policy.events(ENDPOINT, back, ok(back, 3.0), now=3.0)) == []


@pytest.mark.parametrize(
    ("cordon", "until", "now", "says"),
    [
        (Cordon.OPEN, None, 0.0, None),
        (Cordon.CORDONED, None, 0.0, "mac is cordoned"),
        (Cordon.DRAINING, None, 0.0, "mac is draining"),
        (Cordon.DRAINING, 10.0, 9.9, "mac is draining"),
        (Cordon.DRAINING, 10.0, 10.0, None),
    ],
)
def test_what_a_person_decided(cordon: Cordon, until: float | None, now: float, says: str | None) -> None:
    node = replace(NODE, cordon=cordon, cordon_until=until)
    assert policy.refusal(node, HEALTHY, now=now) == says


@pytest.mark.parametrize(
    ("asked", "known"),
    [
        ("llama3", "llama3:latest"),
        ("LLAMA3:latest", "llama3:latest"),
        (" llama3 ", "Llama3"),
        ("org/Model-GGUF", "org/model-gguf"),
    ],
)
def test_names_that_mean_the_same(asked: str, known: str) -> None:
    assert policy.lookup_name(asked) == policy.lookup_name(known)


def test_names_that_do_not() -> None:
    assert len({policy.lookup_name(name) for name in ("llama3", "llama3:8b", "llama3.2", "llama")}) == 4


@pytest.mark.parametrize(
    ("model", "chats", "embeds"),
    [
        (ModelInfo(ModelName("a"), capabilities=frozenset({"chat"})), True, False),
        (ModelInfo(ModelName("a"), capabilities=frozenset({"embed"})), False, True),
        (ModelInfo(ModelName("a"), capabilities=frozenset({"chat", "embed"})), True, True),
        (ModelInfo(ModelName("mystery")), True, False),
        (ModelInfo(ModelName("Nomic-Embed-Text")), False, True),
    ],
)
def test_what_a_model_is_for(model: ModelInfo, chats: bool, embeds: bool) -> None:
    assert (policy.can_chat(model), policy.can_embed(model)) == (chats, embeds)


errors = st.sampled_from(
    [
        GONE,
        SLOW,
        BROKEN,
        Interrupted("cut"),
        RateLimited("busy"),
        KeyRefused("key"),
        RequestRefused("bad"),
        ModelMissing("x"),
    ]
)
steps = st.lists(
    st.tuples(st.floats(0, 60), st.sampled_from(["check", "miss", "work", "fail"]), errors), min_size=1, max_size=40
)


@given(steps)
def test_whatever_happens(history: list[tuple[float, str, UpstreamError]]) -> None:
    health, now = Health(), 0.0
    for pause, what, error in history:
        now += pause
        before = health
        match what:
            case "check":
                health = ok(health, now)
                assert not health.ejected
                assert health.failed_checks == 0
            case "miss":
                health = bad(health, now, error)
                assert health.good_checks == 0
            case "work":
                health = policy.request_passed(health, now=now)
                assert health.retry_at == 0.0
                assert health.ejected is before.ejected
            case _:
                health = fail(health, now, error)
                assert health.retry_at <= now + policy.LONGEST_PAUSE_S
        assert health.since <= now
        if health.status is Status.OFFLINE and before.status is not Status.OFFLINE:
            assert health.failed_checks >= policy.CHECKS_TO_OFFLINE
            assert now - health.since >= policy.OFFLINE_AFTER_S
        if before.status is Status.OFFLINE and health.status is Status.HEALTHY:
            assert health.good_checks >= policy.CHECKS_TO_RETURN
