from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from halext.accounts.audit.repeats import BUDGET, BUDGET_S, WINDOW_S, Repeats
from halext.accounts.audit.types import Entry
from halext.types import UserId

ONE = Entry(
    at=0.0,
    user_id=UserId(2),
    name="Eve",
    credential="token",
    action="nodes.drain-node",
    subject="mac",
    outcome="denied",
)


def test_the_first_is_written_and_the_others_are_counted() -> None:
    repeats = Repeats()
    assert repeats.is_first(ONE)
    assert not any(repeats.is_first(replace(ONE, at=float(second))) for second in range(1, 50))
    assert repeats.due(WINDOW_S - 1) == []
    assert repeats.due(WINDOW_S) == [replace(ONE, at=49.0, count=49)]
    assert repeats.due(WINDOW_S) == []
    assert repeats.is_first(replace(ONE, at=WINDOW_S))


def test_what_came_once_is_not_told_twice() -> None:
    repeats = Repeats()
    assert repeats.is_first(ONE)
    assert repeats.due(0, everything=True) == []


def test_another_person_subject_outcome_or_place_is_something_else() -> None:
    repeats = Repeats()
    others = (
        replace(ONE, user_id=UserId(3)),
        replace(ONE, subject="pc"),
        replace(ONE, outcome="ok"),
        replace(ONE, address="10.0.0.1"),
        replace(ONE, action="nodes.cordon-node"),
    )
    assert all(repeats.is_first(entry) for entry in (ONE, *others))


def test_a_flood_of_different_ones_is_counted_by_what_happened() -> None:
    repeats = Repeats()
    flood = [replace(ONE, at=0.01 * n, subject=f"s{n}", address=f"10.{n}") for n in range(BUDGET + 5000)]
    assert sum(map(repeats.is_first, flood)) == BUDGET
    assert repeats.is_first(replace(ONE, user_id=UserId(3)))  # others are not hidden by it
    (rest,) = repeats.due(BUDGET_S * 2)
    assert (rest.count, rest.subject, rest.address, rest.details) == (5000, "", "", {"many": True})


def test_there_is_a_new_budget_every_hour() -> None:
    repeats = Repeats()
    for n in range(BUDGET + 1):
        repeats.is_first(replace(ONE, subject=str(n)))
    assert repeats.is_first(replace(ONE, at=BUDGET_S, subject="later"))


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abc"), st.floats(0, 200)), max_size=60))
def test_nothing_is_lost(events: list[tuple[int, str, float]]) -> None:
    repeats = Repeats()
    written = 0
    for user, subject, at in sorted(events, key=lambda event: event[2]):
        written += repeats.is_first(replace(ONE, user_id=UserId(user), subject=subject, at=at))
        written += sum(entry.count for entry in repeats.due(at))
    written += sum(entry.count for entry in repeats.due(0, everything=True))
    assert written == len(events)
