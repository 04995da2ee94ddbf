"""Which outages are incidents, when they are over, how they read, and how often it is tried to tell them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby

from halext.alerts.types import Action, Alert, Ending, Fire, Incident, Notice, NoticeState, Resolve, Rule
from halext.errors import HalextError
from halext.nodes.policy import CHECKS_TO_OFFLINE, closed_by
from halext.nodes.types import Cordon, EndpointState, Health, Status
from halext.types import NodeName

CHECKS_TO_RESOLVE = CHECKS_TO_OFFLINE
"""Good checks in a row before an incident is over: as many as it took to believe that it had begun."""
FIRST_RETRY_S = 10.0
LONGEST_RETRY_S = 600.0
LONGEST_REST_S = 21_600.0
"""A place that asks to be left alone is believed for so long, whatever it says: a slip there may not silence alerts."""
GIVE_UP_S = 86_400.0
"""An incident that has been over for a day is history: who could not be told by then is told no more."""
KEPT_S = 90 * 86_400.0
"""How long an incident stays on record once it is over."""
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


# --- incidents ---


def evaluate(
    rule: Rule, states: Sequence[EndpointState], incidents: Iterable[Incident], *, now: float
) -> Iterator[Action]:
    """What to begin and what to end, from how every endpoint is and which incidents of the rule are open.

    Nodes that a person closed, and the built-in one, begin no incident; one that has begun goes on until the node is
    back. What is not known yet, as after a start, neither begins nor ends one.
    """
    nodes = {name: list(group) for name, group in groupby(states, key=lambda state: state.node.name)}
    busy: set[NodeName] = set()
    for incident in incidents:
        busy.add(incident.node)
        if (ending := _ending(nodes.get(incident.node, ()))) is not None:
            yield Resolve(incident.id, ending)
    for name, endpoints in nodes.items():
        if name in busy or (since := _gone_since(endpoints, now)) is None or now - since < rule.for_s:
            continue
        yield Fire(rule.name, name, endpoints[0].health.reason, since)


def _ending(endpoints: Sequence[EndpointState]) -> Ending | None:
    if not endpoints:
        return "removed"
    return "back" if any(_answers(state.health) for state in endpoints) else None


def _answers(health: Health) -> bool:
    """Whether the machine is surely there. One that refuses our key is: that is another trouble."""
    return health.good_checks >= CHECKS_TO_RESOLVE or health.status is Status.MISCONFIGURED


def _gone_since(endpoints: Sequence[EndpointState], now: float) -> float | None:
    """Since when all of the node has been offline; None where some of it may not be, or nobody is to be bothered."""
    node = endpoints[0].node
    if node.builtin or closed_by(node, now=now) is not Cordon.OPEN:
        return None
    if any(state.health.status is not Status.OFFLINE for state in endpoints):
        return None
    return max(state.health.since for state in endpoints)


# --- telling ---


def missing(incident: Incident, notifiers: Iterable[str]) -> list[str]:
    """The places that have not been meant to hear of this incident yet, such as a door that opened later."""
    known = {notice.notifier for notice in incident.notices}
    return [name for name in notifiers if name not in known]


def due(incidents: Iterable[Incident], notifiers: Collection[str], *, now: float) -> list[tuple[Incident, Notice]]:
    """What is to be told now in these places, the oldest incident first."""
    return [
        (incident, notice)
        for incident in sorted(incidents, key=lambda incident: incident.id)
        for notice in incident.notices
        if notice.notifier in notifiers and notice.state is NoticeState.WAITING and notice.next_at <= now
    ]


def is_history(incident: Incident, *, now: float) -> bool:
    """Whether it has been over for too long to be news."""
    return incident.resolved_at is not None and now - incident.resolved_at >= GIVE_UP_S


def next_try(attempts: int, error: HalextError, *, now: float) -> float:
    """When to tell it again after so many attempts that failed. What can't work by itself is tried rarely."""
    pause = min(FIRST_RETRY_S * 2 ** min(attempts - 1, 10), LONGEST_RETRY_S) if error.retryable else LONGEST_RETRY_S
    return now + max(pause, rest(error))


def rest(error: HalextError) -> float:
    """For how many seconds a place wants to hear nothing at all, after an error of its."""
    return min(error.retry_after_s or 0.0, LONGEST_REST_S)


def words(incident: Incident) -> Alert:
    """The incident as it is told now: that it began, or, once it is over, all of it."""
    title, text = _told(incident)
    return Alert(
        key=f"hx-{incident.id}-{incident.ending or 'open'}",
        title=title,
        text=text,
        is_over=incident.ending is not None,
        started_at=incident.started_at,
        ended_at=incident.resolved_at,
    )


def _told(incident: Incident) -> tuple[str, str]:
    since, seen = moment(incident.started_at), f"What was seen: {incident.reason}"
    match incident.ending:
        case None:
            advice = f"To find out more: halext node test {incident.node}"
            return f"{incident.node} is offline", f"Offline since {since}. {seen}\n{advice}"
        case "back":
            gone = span((incident.resolved_at or incident.started_at) - incident.started_at)
            return f"{incident.node} is back", f"It was offline for {gone}, from {since}. {seen}"
        case "removed":
            return f"{incident.node} was removed", f"It had been offline since {since}. {seen}"


def moment(at: float) -> str:
    """A time as people write it, in UTC: `24 Nov 2026 12:04 UTC`."""
    return f"{dt.datetime.fromtimestamp(at, dt.UTC):%d %b %Y %H:%M} UTC".lstrip("0")


def span(seconds: float) -> str:
    """A length of time in its two largest units: `12 min`, `3 h 5 min`, `2 d 4 h`."""
    whole = max(0, round(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"
