"""How an endpoint's health follows from what was seen; every rule, and nothing that acts on it.

Two signals with two purposes. *Ejected* decides routing and is quick: a refused or reset connection, or a check that
failed twice, takes an endpoint out at once and one good check brings it back. *Offline* is what people are told and is
slow on purpose: three failed checks and at least ten seconds, two good checks to leave it, so that nothing flaps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from halext.errors import KeyRefused, ModelMissing, RateLimited, RequestRefused, Unreachable, UpstreamError
from halext.events import EndpointEjected, EndpointReadmitted, Event, StatusChanged
from halext.nodes.types import Cordon, Health, Node, Status
from halext.upstream import Endpoint, ModelInfo, Sighting

CHECKS_TO_EJECT = 2
CHECKS_TO_OFFLINE = 3
OFFLINE_AFTER_S = 10.0
CHECKS_TO_RETURN = 2
FAILURES_TO_PAUSE = 3
FIRST_PAUSE_S = 15.0
LONGEST_PAUSE_S = 300.0
SHORTEST_RETRY_S = 5.0
"""What a server that says "busy" without a Retry-After gets."""
CONFIRM_AFTER_S = 1.0
"""A first failed check is repeated this soon, so that two failures lie within two seconds."""


def check_passed(health: Health, sighting: Sighting, *, now: float, latency_s: float) -> Health:
    """One look at the endpoint worked."""
    good = health.good_checks + 1
    after = replace(
        health,
        good_checks=good,
        failed_checks=0,
        failing_since=None,
        ejected=False,
        last_seen_at=now,
        latency_s=latency_s,
    )
    status, reason = _status_of_good(after, health.status, sighting, now)
    return _with_status(after, status, reason, now)


def _status_of_good(health: Health, before: Status, sighting: Sighting, now: float) -> tuple[Status, str]:
    if health.retry_at > now:
        return before, health.reason
    if before is Status.OFFLINE and health.good_checks < CHECKS_TO_RETURN:
        return Status.OFFLINE, "answers again; one more check to be sure"
    if sighting.slots is not None and sighting.slots_busy is not None and sighting.slots_busy >= sighting.slots:
        return Status.BUSY, f"all {sighting.slots} slots are taken"
    return Status.HEALTHY, ""


def check_failed(health: Health, error: UpstreamError, *, now: float) -> Health:
    """One look at the endpoint failed."""
    failed = health.failed_checks + 1
    since = now if health.failing_since is None else health.failing_since
    gone = isinstance(error, Unreachable | KeyRefused) or failed >= CHECKS_TO_EJECT
    after = replace(health, failed_checks=failed, good_checks=0, failing_since=since, ejected=health.ejected or gone)
    if isinstance(error, KeyRefused):
        return _with_status(after, Status.MISCONFIGURED, error.message, now)
    if health.status is Status.OFFLINE or (failed >= CHECKS_TO_OFFLINE and now - since >= OFFLINE_AFTER_S):
        # Back-dated: it has been gone since the first failed check, not since we became sure of it.
        return _with_status(after, Status.OFFLINE, error.message, since)
    return _with_status(after, Status.DEGRADED, error.message, now)


def cut_off(health: Health, error: UpstreamError, *, now: float) -> Health:
    """The only way to it is gone, and known to be: there is nothing to confirm, so it is offline at once."""
    since = now if health.failing_since is None else health.failing_since
    failed = max(health.failed_checks, CHECKS_TO_OFFLINE)
    after = replace(health, failed_checks=failed, good_checks=0, failing_since=since, ejected=True)
    return _with_status(after, Status.OFFLINE, error.message, now)


def request_passed(health: Health, *, now: float) -> Health:
    """A request was served: whatever had gone wrong before is over. Only a look readmits what was ejected."""
    after = replace(health, failed_requests=0, pauses=0, retry_at=0.0, last_seen_at=now)
    if not health.ejected:
        # A machine that works hard answers looks late: looks that failed around a served request don't add up.
        after = replace(after, failed_checks=0, failing_since=None)
    if health.status in {Status.RATE_LIMITED, Status.DEGRADED} and not health.ejected:
        return _with_status(after, Status.HEALTHY, "", now)
    return after


def request_failed(health: Health, error: UpstreamError, *, now: float) -> Health:
    """A request failed at this endpoint. The caller's own mistakes change nothing."""
    if isinstance(error, RequestRefused | ModelMissing):
        return health
    if isinstance(error, KeyRefused):
        return _with_status(replace(health, ejected=True), Status.MISCONFIGURED, error.message, now)
    if isinstance(error, Unreachable):
        since = now if health.failing_since is None else health.failing_since
        after = replace(health, ejected=True, good_checks=0, failing_since=since)
        status = Status.OFFLINE if health.status is Status.OFFLINE else Status.DEGRADED
        return _with_status(after, status, error.message, now)
    if isinstance(error, RateLimited):
        pause = max(error.retry_after_s or 0.0, min(SHORTEST_RETRY_S * 2**health.pauses, LONGEST_PAUSE_S))
        after = replace(health, pauses=health.pauses + 1, retry_at=now + pause)
        return _with_status(after, Status.RATE_LIMITED, error.message, now)
    return _broke(health, error, now)


def _broke(health: Health, error: UpstreamError, now: float) -> Health:
    """It answered, and the answer was no good: three in a row open the breaker, each time for twice as long."""
    failed = health.failed_requests + 1
    after = replace(health, failed_requests=failed)
    if failed < FAILURES_TO_PAUSE:
        return after
    pause = min(FIRST_PAUSE_S * 2**health.pauses, LONGEST_PAUSE_S)
    after = replace(after, failed_requests=0, pauses=health.pauses + 1, retry_at=now + pause)
    return _with_status(after, Status.DEGRADED, f"paused after {failed} failures in a row: {error.message}", now)


def _with_status(health: Health, status: Status, reason: str, since: float) -> Health:
    if status is health.status:
        return replace(health, reason=reason)
    return replace(health, status=status, reason=reason, since=since)


def events(endpoint: Endpoint, before: Health, after: Health, *, now: float) -> Iterator[Event]:
    """What there is to tell about a change."""
    if after.ejected and not before.ejected:
        yield EndpointEjected(endpoint.node, endpoint.id, after.reason, now)
    if before.ejected and not after.ejected:
        yield EndpointReadmitted(endpoint.node, endpoint.id, now)
    if after.status is not before.status:
        yield StatusChanged(endpoint.node, endpoint.id, before.status, after.status, after.reason, now)


def wants_confirmation(health: Health) -> bool:
    """Whether a failed check should be repeated at once: it was the first, and nothing has been concluded from it."""
    return health.failed_checks == 1 and not health.ejected


def closed_by(node: Node, *, now: float) -> Cordon:
    """What the owner decided about the node, as it stands now: a cordon with an end ends by itself."""
    if node.cordon_until is not None and node.cordon_until <= now:
        return Cordon.OPEN
    return node.cordon


def refusal(node: Node, health: Health, *, now: float) -> str | None:
    """Why the endpoint takes no requests now, in words; None if it does."""
    if closed_by(node, now=now) is not Cordon.OPEN:
        return f"{node.name} is {closed_by(node, now=now)}"
    if health.ejected:
        return f"{health.status}: {health.reason}"
    if health.status is Status.UNKNOWN:
        return "not seen yet"
    if health.retry_at > now:
        return f"{health.reason} (for {health.retry_at - now:.0f} s more)"
    return None


def only_paused(node: Node, health: Health, *, now: float) -> bool:
    """Whether nothing but the breaker's pause keeps it from work: then it is still better than an error."""
    return refusal(node, replace(health, retry_at=0.0), now=now) is None


def lookup_name(name: str) -> str:
    """Under which name a model is found: case does not matter, and `:latest` goes without saying."""
    return name.strip().casefold().removesuffix(":latest")


def can_chat(model: ModelInfo) -> bool:
    """Whether it makes sense to chat with it. Servers that say nothing about their models are believed to chat."""
    return "chat" in model.capabilities if model.capabilities else "embed" not in model.name.casefold()


def can_embed(model: ModelInfo) -> bool:
    """Whether it makes vectors. Servers that say nothing about their models are judged by the name."""
    return "embed" in model.capabilities if model.capabilities else "embed" in model.name.casefold()
