from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from halext.testing.botapi.flood import Flood, FloodRules

RULES = FloodRules(chat_burst=3)


def burst(flood: Flood, count: int, *, now: float = 0.0, chat: int = 1, is_group: bool = False) -> list[float]:
    return [flood.wait_for(chat, now, is_group=is_group) for _ in range(count)]


def test_a_short_burst_passes_and_then_one_a_second() -> None:
    flood = Flood(RULES)
    assert burst(flood, 3) == [0, 0, 0]
    assert [flood.wait_for(1, second, is_group=False) for second in (1.0, 2.0, 3.0)] == [0, 0, 0]
    assert flood.wait_for(1, 3.5, is_group=False) == 3
    assert flood.refused == 1


def test_waits_grow_with_every_offence_and_calls_under_way_are_one() -> None:
    flood = Flood(RULES)
    assert burst(flood, 5)[3:] == [3, 3]
    assert flood.wait_for(1, 2.0, is_group=False) == 6
    assert flood.wait_for(1, 7.5, is_group=False) == 12
    assert flood.wait_for(1, 19.5, is_group=False) == 0


def test_who_waits_as_told_may_go_on_and_is_forgiven_later() -> None:
    flood = Flood(FloodRules(chat_burst=1, chat_per_s=0.1))
    assert burst(flood, 2) == [0, 10], "a wait is never shorter than until there is room"
    assert burst(flood, 2, now=10) == [0, 10]
    assert flood.wait_for(1, 200, is_group=False) == 0
    assert flood.wait_for(1, 200, is_group=False) == 10


def test_groups_have_twenty_a_minute() -> None:
    flood = Flood(FloodRules(chat_burst=30))
    assert burst(flood, 20, is_group=True) == [0] * 20
    assert flood.wait_for(1, 40, is_group=True) == 20
    assert flood.wait_for(1, 60, is_group=True) == 0
    assert Flood(FloodRules(chat_burst=30)).wait_for(1, 0, is_group=False, cost=21) == 0


def test_one_chat_does_not_silence_another_but_all_together_have_a_limit() -> None:
    flood = Flood(RULES)
    burst(flood, 4)
    assert flood.wait_for(2, 0, is_group=False) == 0
    waits = [flood.wait_for(chat, 0, is_group=False) for chat in range(3, 40)]
    assert waits == [0] * 26 + [3] * 11


def test_an_album_counts_once_for_each_file() -> None:
    flood = Flood(FloodRules(chat_burst=5))
    assert flood.wait_for(1, 0, is_group=False, cost=4) == 0
    assert flood.wait_for(1, 0, is_group=False, cost=2) == 3
    assert Flood(FloodRules(chat_burst=5)).wait_for(1, 0, is_group=False, cost=10) == 0


@given(gaps=st.lists(st.floats(0, 5), max_size=60), is_group=st.booleans())
def test_no_second_and_no_minute_holds_more_than_allowed(gaps: list[float], is_group: bool) -> None:
    flood, now, passed = Flood(), 0.0, []
    for gap in gaps:
        now += gap
        wait = flood.wait_for(1, now, is_group=is_group)
        assert wait >= 0
        if not wait:
            passed.append(now)
    for start in passed:
        inside = [at for at in passed if start <= at < start + 60]
        assert len(inside) <= (20 if is_group else 5 + 60)
        assert len([at for at in inside if at < start + 1]) <= 6


def test_waits_stop_growing() -> None:
    flood = Flood(FloodRules(chat_burst=1, chat_per_s=0.5, longest_wait_s=10))
    waits = [flood.wait_for(1, 1.5 * n, is_group=False) for n in range(10)]
    assert max(waits) == 10
