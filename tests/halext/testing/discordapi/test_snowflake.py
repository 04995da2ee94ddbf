from __future__ import annotations

import discord
from hypothesis import given
from hypothesis import strategies as st

from halext.testing.clock import EPOCH
from halext.testing.discordapi.snowflake import Snowflakes, iso, seconds


@given(st.lists(st.floats(EPOCH - 10, EPOCH + 10), min_size=2))
def test_ids_only_grow_even_when_the_clock_goes_back(dates: list[float]) -> None:
    waiting = iter(dates)
    ids = Snowflakes(lambda: next(waiting))
    made = [ids.next() for _ in dates]
    assert made == sorted(set(made))


def test_the_time_of_an_id_is_what_clients_read_off_it() -> None:
    number = Snowflakes(lambda: EPOCH + 0.25).next()
    assert seconds(number) == discord.utils.snowflake_time(number).timestamp() == EPOCH + 0.25
    assert iso(EPOCH) == "2026-09-21T14:13:20+00:00"
