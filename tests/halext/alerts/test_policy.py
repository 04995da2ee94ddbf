from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halext.alerts import policy
from halext.alerts.types import Action, Ending, Fire, Incident, IncidentId, Notice, NoticeState, Resolve, Rule
from halext.errors import HalextError, KeyRefused, RateLimited, Unreachable
from halext.nodes.types import Cordon, EndpointState, Health, Status
from halext.types import NodeName

from .conftest import Machines, endpoint, state

NOON = 1_795_521_600.0
RULE = Rule(for_s=300.0)
GONE = Health(Status.OFFLINE, "off", since=NOON, failed_checks=40)
BACK = Health(Status.HEALTHY, good_checks=3)
OPEN = Incident(IncidentId(7), RULE.name, NodeName("mac"), "off.", NOON, NOON + 300.0)


def act(states: list[EndpointState], incidents: list[Incident], after_s: float) -> list[Action]:
    return list(policy.evaluate(RULE, states, incidents, now=NOON + after_s))


@pytest.mark.parametrize(
    ("health", "after_s", "fires"),
    [
        (GONE, 299.9, False),
        (GONE, 300.0, True),
        (Health(), 9_999.0, False),
        (replace(GONE, status=Status.UNKNOWN), 9_999.0, False),
        (replace(GONE, status=Status.DEGRADED), 9_999.0, False),
        (replace(GONE, status=Status.MISCONFIGURED), 9_999.0, False),
        (replace(GONE, good_checks=1), 300.0, True),
        (BACK, 9_999.0, False),
    ],
)
def test_when_an_outage_becomes_an_incident(health: Health, after_s: float, fires: bool) -> None:
    expected = [Fire("node-offline", NodeName("mac"), "off", NOON)] if fires else []
    assert act([state(health=health)], [], after_s) == expected


@pytest.mark.parametrize(
    ("known", "fires"),
    [
        ({"cordon": Cordon.CORDONED}, False),
        ({"cordon": Cordon.DRAINING}, False),
        ({"cordon": Cordon.DRAINING, "cordon_until": NOON + 301}, False),
        ({"cordon": Cordon.DRAINING, "cordon_until": NOON + 300}, True),
        ({"builtin": True}, False),
        ({}, True),
    ],
)
def test_nobody_is_bothered_about_what_a_person_closed(known: dict[str, Any], fires: bool) -> None:
    assert bool(act([state(health=GONE, **known)], [], 300.0)) is fires


def test_a_node_is_gone_when_all_of_it_is() -> None:
    node = replace(state().node, endpoints=(endpoint("mac", "mac"), endpoint("mac/openai", "mac")))
    later = replace(GONE, since=NOON + 60)
    both = [EndpointState(node, node.endpoints[0], GONE), EndpointState(node, node.endpoints[1], later)]
    assert act(both, [], 359.0) == []
    assert act(both, [], 360.0) == [Fire("node-offline", NodeName("mac"), "off", NOON + 60)]
    assert act([both[0], replace(both[1], health=Health(Status.DEGRADED))], [], 9_999.0) == []


@pytest.mark.parametrize(
    ("states", "ending"),
    [
        ([state(health=GONE)], None),
        ([state(health=Health())], None),
        ([state(health=replace(BACK, good_checks=2))], None),
        ([state(health=BACK)], "back"),
        ([state(health=replace(BACK, status=Status.BUSY))], "back"),
        ([state(health=Health(Status.MISCONFIGURED))], "back"),
        ([state(health=GONE, cordon=Cordon.CORDONED)], None),
        ([state("pc", BACK)], "removed"),
        ([], "removed"),
    ],
)
def test_when_an_incident_is_over(states: list[EndpointState], ending: Ending | None) -> None:
    assert act(states, [OPEN], 9_999.0) == ([Resolve(IncidentId(7), ending)] if ending else [])


def test_each_node_for_itself() -> None:
    states = [state("mac", BACK), state("pc", GONE)]
    assert act(states, [OPEN], 300.0) == [
        Resolve(IncidentId(7), "back"),
        Fire("node-offline", NodeName("pc"), "off", NOON),
    ]


# --- three days of flapping ---

STEP_S = 30.0
STEPS = int(3 * 86_400 / STEP_S)


@dataclass
class Story:
    """What looks saw, beside the incidents that followed from it; every step is checked."""

    machines: Machines = field(default_factory=Machines)
    incidents: dict[IncidentId, Incident] = field(default_factory=dict)
    open: Incident | None = None
    seen: list[bool] = field(default_factory=list)
    """What the looks of this run of halext saw, until now."""
    bad_since: float = 0.0

    def step(self, now: float, *, is_on: bool, restart: bool) -> None:
        if restart:
            self.machines.forget()
            self.seen = []
        if not is_on and (not self.seen or self.seen[-1]):
            self.bad_since = now
        self.seen.append(is_on)
        self.machines.look("mac", is_on=is_on, now=now)
        for action in policy.evaluate(RULE, self.machines.states(), [self.open] if self.open else [], now=now):
            self.carry_out(action, now)
        self.check(now)

    def carry_out(self, action: Action, now: float) -> None:
        if isinstance(action, Fire):
            assert self.open is None
            assert action.started_at <= now - RULE.for_s
            assert False in self.seen[-2:], "it fired for a node that is back"
            self.open = Incident(
                IncidentId(len(self.incidents)), RULE.name, action.node, action.reason, action.started_at, now
            )
        else:
            assert self.open is not None, "a resolve without its fire"
            assert action.incident == self.open.id
            assert self.seen[-3:] == [True] * 3
            self.incidents[self.open.id] = replace(self.open, resolved_at=now, ending=action.ending)
            self.open = None

    def check(self, now: float) -> None:
        if not self.seen[-1] and now - self.bad_since >= RULE.for_s:
            assert self.open, "an outage that was missed"
            assert self.open.started_at <= self.bad_since
        if self.seen[-3:] == [True] * 3:
            assert self.open is None, "an incident that never ends"


def turns(lengths: list[int]) -> Iterator[bool]:
    """On and off in turn, each for so many looks, again and again."""
    while True:
        for i, length in enumerate(lengths):
            yield from [i % 2 == 0] * length


looks = st.one_of(st.integers(1, 4), st.integers(1, 40), st.integers(5, 400))


@settings(max_examples=20)
@given(lengths=st.lists(looks, min_size=2, max_size=40), restarts=st.sets(st.integers(0, STEPS), max_size=20))
def test_three_days_of_flapping(lengths: list[int], restarts: set[int]) -> None:
    story, is_on = Story(), turns(lengths)
    for i in range(STEPS):
        story.step(NOON + i * STEP_S, is_on=next(is_on), restart=i in restarts)


def test_the_story_has_incidents_at_all() -> None:
    story, is_on = Story(), turns([10, 20, 10, 5])
    for i in range(STEPS):
        story.step(NOON + i * STEP_S, is_on=next(is_on), restart=False)
    assert len(story.incidents) == STEPS // 45


# --- telling ---


def noticed(*states: NoticeState, number: int = 7) -> Incident:
    notices = tuple(Notice(IncidentId(number), name, each) for name, each in zip("abc", states, strict=False))
    return replace(OPEN, id=IncidentId(number), notices=notices)


def test_what_is_due() -> None:
    waiting, told = NoticeState.WAITING, NoticeState.TOLD
    first, second = noticed(waiting, told, number=1), noticed(told, waiting, waiting, number=2)
    found = policy.due([second, first], {"a", "b"}, now=NOON)
    assert [(incident.id, notice.notifier) for incident, notice in found] == [(1, "a"), (2, "b")]
    later = replace(first, notices=(replace(first.notices[0], next_at=NOON + 1),))
    assert policy.due([later], {"a"}, now=NOON) == []
    assert len(policy.due([later], {"a"}, now=NOON + 1)) == 1


def test_places_that_opened_later() -> None:
    assert policy.missing(noticed(NoticeState.TOLD), ["a", "d"]) == ["d"]


@pytest.mark.parametrize(
    ("attempts", "error", "pause_s"),
    [
        (1, Unreachable(), 10),
        (2, Unreachable(), 20),
        (6, Unreachable(), 320),
        (7, Unreachable(), 600),
        (10_000, Unreachable(), 600),
        (1, KeyRefused(), 600),
        (1, RateLimited(retry_after_s=45.5), 45.5),
        (5, RateLimited(retry_after_s=1), 160),
        (1, RateLimited(retry_after_s=4_000), 4_000),
        (1, RateLimited(retry_after_s=1e12), 21_600),
    ],
)
def test_how_often_it_is_tried(attempts: int, error: HalextError, pause_s: float) -> None:
    assert policy.next_try(attempts, error, now=NOON) == NOON + pause_s


def test_what_is_over_for_a_day_is_history() -> None:
    over = replace(OPEN, resolved_at=NOON, ending="back")
    assert not policy.is_history(OPEN, now=NOON + 9e9)
    assert not policy.is_history(over, now=NOON + 86_399)
    assert policy.is_history(over, now=NOON + 86_400)


def test_how_it_reads() -> None:
    began = policy.words(OPEN)
    assert (began.title, began.is_over, began.started_at, began.ended_at) == ("mac is offline", False, NOON, None)
    assert began.text == (
        "Offline since 24 Nov 2026 12:00 UTC. What was seen: off.\nTo find out more: halext node test mac"
    )
    back = policy.words(replace(OPEN, resolved_at=NOON + 750, ending="back"))
    assert (back.title, back.is_over, back.ended_at) == ("mac is back", True, NOON + 750)
    assert back.text == "It was offline for 12 min, from 24 Nov 2026 12:00 UTC. What was seen: off."
    removed = policy.words(replace(OPEN, resolved_at=NOON + 750, ending="removed"))
    assert removed.title == "mac was removed"
    assert len({began.key, back.key, removed.key}) == 3
    assert all(len(alert.key) <= 25 for alert in (began, back, removed))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "0 s"), (59, "59 s"), (60, "1 min"), (3_599, "59 min"), (11_100, "3 h 5 min"), (187_200, "2 d 4 h")],
)
def test_lengths_of_time(seconds: float, words: str) -> None:
    assert policy.span(seconds) == words
