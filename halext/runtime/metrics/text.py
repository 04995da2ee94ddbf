"""Prometheus' text format. Its library is loaded with the first scrape: a house that nobody asks has no use for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from halext.runtime.metrics.names import BOUNDS_S
from halext.runtime.metrics.types import Family, Labels, Spread

if TYPE_CHECKING:
    from prometheus_client.core import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def render(families: Sequence[Family]) -> bytes:
    """These families and this process's own figures. Reads `/proc`, so it belongs into a thread."""
    from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

    registry = CollectorRegistry()
    registry.register(_Collected([_told(family) for family in families]))
    ProcessCollector(namespace="halext", registry=registry)
    return generate_latest(registry)


@dataclass(frozen=True, slots=True, eq=False)  # the registry keeps it in a dictionary
class _Collected:
    """What was collected before, as the library wants to have it."""

    metrics: Sequence[Metric]

    def collect(self) -> Iterable[Metric]:
        return self.metrics


def _told(family: Family) -> Metric:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    metric = family.metric
    if metric.type == "histogram":
        spreads = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
        for labels, spread in family.values.items():
            if isinstance(spread, Spread):
                spreads.add_metric(labels, _buckets(spread), spread.total)
        return spreads
    kind = CounterMetricFamily if metric.type == "counter" else GaugeMetricFamily
    told = kind(metric.name, metric.help, labels=metric.labels)
    for labels, value in _numbers(family):
        told.add_metric(labels, value)
    return told


def _numbers(family: Family) -> list[tuple[Labels, float]]:
    return [(labels, value) for labels, value in family.values.items() if not isinstance(value, Spread)]


def _buckets(spread: Spread) -> list[tuple[str, float]]:
    """As the format has them: each bucket counts all that is below its bound."""
    bounds = [str(bound) for bound in BOUNDS_S] + ["+Inf"]
    return [(bound, float(sum(spread.counts[: number + 1]))) for number, bound in enumerate(bounds)]
