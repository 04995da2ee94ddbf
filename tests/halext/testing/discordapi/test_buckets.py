from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from halext.testing.clock import EPOCH, ManualClock
from halext.testing.discordapi.buckets import Buckets, RateRules, Rule


def buckets(clock: ManualClock, rules: RateRules | None = None, scale: float = 1.0) -> Buckets:
    return Buckets(clock, rules or RateRules(), scale, clock.now)


async def test_five_pass_in_a_window_that_opens_with_the_first(clock: ManualClock) -> None:
    filled = buckets(clock)
    assert filled.take("edit_message", "room", is_exempt=False).headers["X-RateLimit-Remaining"] == "4"
    await clock.advance(2)
    grants = [filled.take("edit_message", "room", is_exempt=False) for _ in range(5)]
    assert [grant.retry_after for grant in grants] == [0, 0, 0, 0, 3]
    assert grants[3].headers == {
        "X-RateLimit-Limit": "5",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": f"{EPOCH + 5:.3f}",
        "X-RateLimit-Reset-After": "3.000",
        "X-RateLimit-Bucket": "bucket-edit_message",
    }
    assert grants[4].headers["Retry-After"] == "3"
    assert filled.refused == 1
    await clock.advance(3)
    assert filled.take("edit_message", "room", is_exempt=False).retry_after == 0


def test_places_and_routes_do_not_share(clock: ManualClock) -> None:
    filled = buckets(clock)
    for _ in range(5):
        filled.take("edit_message", "room", is_exempt=False)
    for route, place in (("edit_message", "other"), ("send_message", "room")):
        assert filled.take(route, place, is_exempt=False).retry_after == 0
    assert filled.take("history", "room", is_exempt=False).headers == {}


def test_the_limit_over_all_leaves_interactions_out(clock: ManualClock) -> None:
    filled = buckets(clock)
    for number in range(50):
        assert not filled.take("history", str(number), is_exempt=False).retry_after
    refused = filled.take("history", "x", is_exempt=False)
    assert (refused.is_global, refused.headers["X-RateLimit-Global"], refused.retry_after) == (True, "true", 1)
    assert filled.take("callback", "x", is_exempt=True).retry_after == 0


def test_what_clients_are_told_is_real_time(clock: ManualClock) -> None:
    quick = buckets(clock, RateRules(routes={"typing": Rule(1, 5.0)}), scale=10)
    quick.take("typing", "room", is_exempt=False)
    refused = quick.take("typing", "room", is_exempt=False)
    assert (refused.retry_after, refused.headers["Retry-After"]) == (0.5, "1")


async def test_who_never_listens_is_banned_for_a_while(clock: ManualClock) -> None:
    strict = buckets(clock, RateRules(invalid=Rule(3, 600)))
    for _ in range(3):
        assert not strict.is_banned
        strict.count_invalid()
    assert strict.is_banned
    await clock.advance(600)
    assert not strict.is_banned


@given(gaps=st.lists(st.floats(0, 3), max_size=50))
def test_no_window_passes_more_and_who_waits_as_told_passes(gaps: list[float]) -> None:
    now = [0.0]

    class Clock(ManualClock):
        def monotonic(self) -> float:
            return now[0]

    filled, opened, passed = buckets(Clock()), -10.0, 0
    for gap in gaps:
        now[0] += gap
        wait = filled.take("edit_message", "room", is_exempt=True).retry_after
        if wait:
            assert passed == 5
            now[0] += wait
            assert filled.take("edit_message", "room", is_exempt=True).retry_after == 0
            opened, passed = now[0], 1
        elif now[0] - opened >= 5:
            opened, passed = now[0], 1
        else:
            passed += 1
        assert passed <= 5
