"""Progress in numbers and in words."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.client.progress import LOOKED_BACK_S, Progress, duration


def half_way() -> Progress:
    progress = Progress("reviews", total=2_000)
    progress.mark(0.0)
    progress.done, progress.hits, progress.failed = 1_204, 1_000, 6
    progress.nodes = Counter(mac=150, pc=54)
    progress.mark(10.0)
    return progress


def test_everything_in_a_line() -> None:
    told = "reviews: 1,204 of 2,000 done · 1,000 known before · 6 failed · 21.0/s · 38 s left · mac 150, pc 54"
    assert half_way().line == told
    assert half_way().text == f"[##############..........] {told}"


def test_what_was_known_before_is_no_speed() -> None:
    progress = Progress(total=100)
    progress.mark(0.0)
    progress.done = progress.hits = 50
    progress.mark(1.0)
    assert progress.items_per_s is None
    assert progress.left_s is None


def test_the_speed_is_that_of_lately() -> None:
    progress = Progress(total=10_000)
    for second in range(100):
        progress.done += 100 if second < 50 else 1
        progress.mark(float(second))
    assert progress.items_per_s == pytest.approx(1.0)
    assert len(progress._marks) <= LOOKED_BACK_S + 2


@pytest.mark.parametrize(
    ("state", "note", "said"),
    [
        ("running", "", "pc 54"),
        ("running", "no node is online", "waiting: no node is online"),
        ("stopped", "", "stopped; run it again to go on"),
        ("failed", "No such model.", "ended early: No such model."),
        ("done", "", "pc 54"),
    ],
)
def test_how_it_stands(state: str, note: str, said: str) -> None:
    progress = half_way()
    progress.state, progress.note = state, note  # type: ignore[assignment]  # one of them
    assert progress.line.endswith(said)


def test_without_a_known_end_there_is_no_bar() -> None:
    progress = Progress(done=7)
    assert progress.text == progress.line == "7 done"
    assert progress.html == "<p>7 done</p>"


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.text(max_size=20))
def test_html_says_the_same_and_can_do_nothing(total: int, done: int, failed: int, name: str) -> None:
    progress = Progress(name, total=total, done=min(done, total), failed=failed, nodes=Counter({name: 1}))
    assert "<script" not in progress.html
    tags = set(re.findall(r"<\s*/?\s*(\w+)", progress.html))
    assert tags <= {"p", "progress"}
    assert len(progress.text.partition("] ")[0]) <= 25 + len(progress.line)


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (89, "89 s"), (90, "2 min"), (5399, "90 min"), (5400, "1.5 h")]
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said
