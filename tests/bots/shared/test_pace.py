"""How often a chat may be spoken to."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext_bots.shared.pace import TELEGRAM_GROUP, Calls, Pace, Rank


def test_the_first_call_may_begin_at_once() -> None:
    assert {Calls(TELEGRAM_GROUP).free_at(rank) for rank in Rank} == {-inf}


def test_only_edits_are_paced() -> None:
    calls = Calls(Pace(gap_s=2.0))
    calls.ended(Rank.FIRST, 10.0)
    assert [calls.free_at(rank) for rank in Rank] == [-inf, -inf, -inf, 12.0, -inf]


def test_typing_lasts_a_while() -> None:
    calls = Calls(Pace(typing_gap_s=5.0))
    calls.ended(Rank.TYPING, 10.0)
    assert calls.free_at(Rank.TYPING) == 15.0
    assert calls.free_at(Rank.ACK) == -inf


def test_a_part_of_the_budget_is_for_finals() -> None:
    calls = Calls(Pace(gap_s=0.0, budget=6, reserve=2, window_s=60.0))
    for now in range(6):
        expected = {Rank.FINAL: -inf, Rank.ACK: -inf if now < 4 else now - 4 + 60.0}
        assert {rank: calls.free_at(rank) for rank in expected} == expected
        assert calls.free_at(Rank.TYPING) == (-inf if now < 2 else now - 2 + 60.0)
        calls.ended(Rank.FINAL, float(now))
    assert calls.free_at(Rank.FINAL) == 60.0


def test_a_pause_is_for_all_and_is_never_made_shorter() -> None:
    calls = Calls(Pace())
    calls.stop(100.0)
    calls.stop(50.0)
    assert {calls.free_at(rank) for rank in Rank} == {100.0}


def test_pauses_grow_up_to_an_end() -> None:
    assert [Pace(retry_s=1.0, retry_max_s=10.0).pause_s(count) for count in range(1, 7)] == [1, 2, 4, 8, 10, 10]


def test_a_reserve_is_a_part() -> None:
    with pytest.raises(ValueError, match="below"):
        Pace(budget=5, reserve=5)


@given(st.lists(st.tuples(st.sampled_from(Rank), st.floats(0, 20), st.floats(0, 5)), max_size=80))
def test_no_window_holds_more_than_the_budget(plan: list[tuple[Rank, float, float]]) -> None:
    pace = Pace(budget=5, reserve=2, window_s=30.0)
    calls = Calls(pace)
    made: list[tuple[float, float]] = []
    now = 0.0
    for rank, passed, took in plan:
        now = max(now + passed, calls.free_at(rank))
        made.append((now, now + took))
        now += took
        calls.ended(rank, now)
    for earlier, later in zip(made, made[5:], strict=False):
        assert later[0] - earlier[1] >= 30.0 - 1e-9
