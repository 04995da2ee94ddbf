"""Sums that grow while halext runs, each with a bounded number of labels."""

from __future__ import annotations

from bisect import bisect_left

from halext.runtime.metrics.types import OTHER, SERIES_MAX, Family, Labels, Metric, Spread


class Tally:
    """A counter. When it has too many series, new values of its first label are counted as `other`."""

    def __init__(self, metric: Metric, per_value: int = 1) -> None:
        """`per_value` is how many series one value of the first label can make with the other labels."""
        self._metric = metric
        self._most = SERIES_MAX - per_value
        self._values: dict[Labels, float] = {}

    def add(self, *labels: str, by: float = 1.0) -> None:
        """Count something."""
        if labels and labels not in self._values and len(self._values) >= self._most:
            labels = (OTHER, *labels[1:])
        self._values[labels] = self._values.get(labels, 0.0) + by

    def family(self) -> Family:
        """What was counted so far. A metric without labels is there from the beginning."""
        return Family(self._metric, dict(self._values) if self._metric.labels else {(): self._values.get((), 0.0)})


class Histogram:
    """How long things take, by a label with few values."""

    def __init__(self, metric: Metric, bounds: tuple[float, ...]) -> None:
        self._metric = metric
        self._bounds = bounds
        self._counts: dict[Labels, list[int]] = {}
        self._totals: dict[Labels, float] = {}

    def add(self, *labels: str, seconds: float) -> None:
        """Note how long something took."""
        counts = self._counts.setdefault(labels, [0] * (len(self._bounds) + 1))
        counts[bisect_left(self._bounds, seconds)] += 1
        self._totals[labels] = self._totals.get(labels, 0.0) + seconds

    def family(self) -> Family:
        """What was noted so far."""
        spreads = {labels: Spread(tuple(counts), self._totals[labels]) for labels, counts in self._counts.items()}
        return Family(self._metric, spreads)
