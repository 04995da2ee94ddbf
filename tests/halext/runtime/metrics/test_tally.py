from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from halext.runtime.metrics.names import BOUNDS_S
from halext.runtime.metrics.tally import Histogram, Tally
from halext.runtime.metrics.types import OTHER, SERIES_MAX, Metric, Spread

BY_MODEL = Metric("x_total", "counter", "X.", ("model", "outcome"))
PLAIN = Metric("y_total", "counter", "Y.")
TOOK = Metric("z_seconds", "histogram", "Z.", ("kind",))


@given(st.lists(st.tuples(st.integers(0, 400).map(str), st.sampled_from("abc")), max_size=900))
def test_there_are_never_too_many_series_and_nothing_is_lost(counted: list[tuple[str, str]]) -> None:
    tally = Tally(BY_MODEL, 3)
    for labels in counted:
        tally.add(*labels)
    values = tally.family().values
    assert len(values) <= SERIES_MAX
    assert sum(value for value in values.values() if isinstance(value, float)) == len(counted)


def test_what_was_there_first_keeps_its_own_series() -> None:
    tally = Tally(BY_MODEL, 3)
    for number in range(1000):
        tally.add(str(number), "a", by=2)
    tally.add("0", "a")
    values = tally.family().values
    assert values["0", "a"] == 3
    assert values[OTHER, "a"] == 2 * (1000 - (SERIES_MAX - 3))


def test_a_counter_without_labels_begins_with_nought() -> None:
    tally = Tally(PLAIN)
    assert tally.family().values == {(): 0}
    tally.add()
    assert tally.family().values == {(): 1}


@given(st.lists(st.floats(0, 2000), min_size=1, max_size=30))
def test_everything_is_in_one_bucket(seconds: list[float]) -> None:
    histogram = Histogram(TOOK, BOUNDS_S)
    for each in seconds:
        histogram.add("chat", seconds=each)
    spread = histogram.family().values["chat",]
    assert isinstance(spread, Spread)
    assert sum(spread.counts) == len(seconds)
    assert spread.counts[0] == sum(each <= BOUNDS_S[0] for each in seconds)
    assert spread.counts[-1] == sum(each > BOUNDS_S[-1] for each in seconds)
