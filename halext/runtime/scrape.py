"""A scrape: what was counted, and what is looked up when somebody asks: nodes, the line, the database, jobs, alerts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from halext._version import __version__
from halext.errors import DatabaseUnavailable
from halext.jobs.types import JobState
from halext.nodes import policy
from halext.nodes.types import EndpointState
from halext.runtime.app import App
from halext.runtime.metrics import names, text
from halext.runtime.metrics.types import OTHER, SERIES_MAX, Family, Labels, Metric

DATABASE_S = 2.0
"""So long the database may take with everything; then the rest is told without it."""


async def scrape(app: App) -> bytes:
    """Everything in Prometheus' text format, also while the database is away."""
    told = [*app.meter.ends.families(), *await families(app)]
    return await asyncio.to_thread(text.render, told)


async def families(app: App) -> list[Family]:
    """Everything as it is now."""
    now = [
        Family(names.BUILD, {(__version__,): 1.0}),
        Family(names.WAITING, {(): float(app.gateway.waiting)}),
        *_endpoints(app),
        *await _database(app),
    ]
    if (lag_s := app.meter.lag.worst_s) is not None:
        now.append(Family(names.LAG, {(): lag_s}))
    return now


def capped(metric: Metric, values: Mapping[Labels, float]) -> Family:
    """At most `SERIES_MAX` series; those beyond are added up under `other`."""
    if len(values) <= SERIES_MAX:
        return Family(metric, values)
    kept = dict(list(values.items())[: SERIES_MAX - 1])
    others = tuple(OTHER for _ in metric.labels)
    return Family(metric, kept | {others: sum(values.values()) - sum(kept.values())})


def _endpoints(app: App) -> list[Family]:
    states, now = app.registry.states(), app.clock.now()
    up: dict[Labels, float] = {
        (s.endpoint.id, s.node.name, s.endpoint.kind): float(policy.refusal(s.node, s.health, now=now) is None)
        for s in states
    }
    return [
        capped(names.UP, up),
        capped(names.STATUS, {(s.endpoint.id, str(s.health.status)): 1.0 for s in states}),
        _each(names.SLOTS, ((s, s.endpoint.slots) for s in states)),
        _each(names.IN_FLIGHT, ((s, app.gateway.in_flight(s.endpoint.id)) for s in states)),
        _each(names.MODELS, ((s, len(s.sighting.models) if s.sighting else None) for s in states)),
        _each(names.RESIDENT, ((s, len(s.sighting.running) if s.sighting else None) for s in states)),
        _each(names.RESIDENT_BYTES, ((s, _resident_bytes(s)) for s in states)),
        _each(names.CHECK, ((s, s.health.latency_s) for s in states)),
        _each(names.SEEN, ((s, s.health.last_seen_at) for s in states)),
    ]


def _each(metric: Metric, found: Iterable[tuple[EndpointState, float | None]]) -> Family:
    """One value for each endpoint of which it is known."""
    return capped(metric, {(state.endpoint.id,): float(value) for state, value in found if value is not None})


def _resident_bytes(state: EndpointState) -> int | None:
    return sum(running.size_bytes for running in state.sighting.running) if state.sighting else None


async def _database(app: App) -> list[Family]:
    """What the database knows; when it is away, that."""
    begun = app.clock.monotonic()
    try:
        async with asyncio.timeout(DATABASE_S):
            await app.database.ping()
            ping_s = app.clock.monotonic() - begun
            jobs = await app.jobs.counts()
            alerts = await app.watch.latest(SERIES_MAX, only_open=True)
    except (TimeoutError, DatabaseUnavailable):
        return [Family(names.DATABASE_UP, {(): 0.0})]
    return [
        Family(names.DATABASE_UP, {(): 1.0}),
        Family(names.DATABASE_PING, {(): ping_s}),
        Family(names.JOBS, {(str(state),): float(jobs.get(state, 0)) for state in JobState}),
        Family(names.ALERTS, {(): float(len(alerts))}),
    ]
