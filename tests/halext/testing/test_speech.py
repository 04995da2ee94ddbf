from __future__ import annotations

import asyncio

import pytest

from halext.testing.clock import ManualClock
from halext.testing.models import FakeModel
from halext.testing.runner import Runner, RunnerOptions
from halext.testing.speech import Pace, Piece, Stats, choose_tokens, joined, read_prompt

MODEL = FakeModel("m", tokens_per_s=10, prefill_per_s=100, slowdown=1.0, script=["a", "b", "c"])


def runner() -> Runner:
    return Runner(MODEL, RunnerOptions(), server_ctx=4096, slots=2, keep_alive_s=0)


def test_tokens_come_from_the_script_the_schema_or_the_seed() -> None:
    assert choose_tokens(MODEL, "", "p") == (["a", "b", "c"], False)
    assert choose_tokens(MODEL, "", "p", limit=2) == (["a", "b"], True)
    assert choose_tokens(MODEL, "", "p", limit=3) == (["a", "b", "c"], False)
    assert choose_tokens(MODEL, "", "p", limit=-1) == (["a", "b", "c"], False)
    assert choose_tokens(MODEL, "", "p", stop=["b"]) == (["a"], False)
    assert "".join(choose_tokens(MODEL, "", "p", schema={"const": 1})[0]) == "1"
    asked = FakeModel("m", structured={"tasks": []})
    assert "".join(choose_tokens(asked, "", "p", schema={"const": 1})[0]) == '{"tasks": []}'
    assert len(choose_tokens(FakeModel("m", answer_tokens=4), "", "p")[0]) == 4


async def test_reading_takes_time_for_what_is_not_cached() -> None:
    clock, stats, one = ManualClock(), Stats(), runner()
    one.remember(["x"] * 60)
    reading = asyncio.create_task(read_prompt(one, clock, ["x"] * 60 + ["y"] * 40, stats))
    await clock.advance(0.39)
    assert not reading.done()
    await clock.advance(0.02)
    await reading
    assert (stats.prompt_tokens, stats.cached_tokens) == (100, 60)
    assert stats.prompt_s == pytest.approx(0.4)


async def test_the_pace_follows_the_company() -> None:
    clock, stats, one = ManualClock(), Stats(), runner()
    await one.enter()
    pace, said = Pace(one, clock, stats), []

    async def speak() -> None:
        for _ in range(3):
            await pace.token()
            said.append(round(clock.monotonic(), 3))
            if len(said) == 1:
                await one.enter()  # company: from the next token on, all is twice as slow

    speaking = asyncio.create_task(speak())
    await clock.advance(1)
    await speaking
    assert said == [0.1, 0.3, 0.5]
    assert stats.eval_tokens == 3
    assert stats.eval_s == pytest.approx(0.5)


async def test_a_late_token_does_not_delay_the_next_ones() -> None:
    clock, stats, one = ManualClock(), Stats(), runner()
    await one.enter()
    pace = Pace(one, clock, stats)
    await clock.advance(0.35)  # three tokens are due by now
    for _ in range(3):
        await pace.token()
    assert clock.monotonic() == 0.35


def test_pieces_join() -> None:
    pieces = [Piece(thinking="hm"), Piece("a"), Piece("b")]
    assert joined(pieces, [{"x": 1}]) == Piece("ab", "hm", [{"x": 1}])
