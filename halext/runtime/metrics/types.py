"""Metrics and what they come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

SERIES_MAX = 200
"""Series of one metric at most: whatever clients ask for and nodes tell, whoever collects it is not flooded."""
OTHER = "other"
"""The label of all that is beyond that, and of models that no node has."""

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Metric:
    """One thing that is measured. The first label is the one with an open number of values, if one has."""

    name: str
    type: Literal["counter", "gauge", "histogram"]
    help: str
    labels: Labels = ()


@dataclass(frozen=True, slots=True)
class Spread:
    """How often something was up to each of the bounds of a histogram, beyond the last one too, and its sum."""

    counts: tuple[int, ...]
    total: float


@dataclass(frozen=True, slots=True)
class Family:
    """A metric with its values now: numbers for counters and gauges, spreads for histograms."""

    metric: Metric
    values: Mapping[Labels, float | Spread]
