"""Newest text wins, finals first and for good, every call counted, and one chat's pause is nobody else's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.testing.clock import ManualClock
from halext_bots.shared.outbox import SLOTS_MAX, Full, Outbox
from halext_bots.shared.pace import Pace, Rank
from halext_bots.shared.slot import Slot
from halext_bots.shared.transport import KEY_MAX, Body, Flooded, Gone, Refused
from tests.bots.shared.chats import Fault, ScriptedChat, outboxes


async def test_newest_text_wins_and_the_final_does_not_wait() -> None:
    async with outboxes() as (clock, [outbox], [chat]):
        slot = outbox.post(Body("0"))
        for number in range(1, 30):
            await clock.advance(0.125)
            outbox.update(slot, Body(str(number)))
        outbox.finish(slot, Body("end"))
        outbox.update(slot, Body("too late"))
        outbox.finish(slot, Body("too late"))
        await clock.advance(0.1)
        assert await slot.done() == "m1"
        await clock.advance(60)
        assert chat.lines() == ["0 send 0", "1.25 edit 9", "2.5 edit 19", "3.625 edit end"]
        assert outbox.waiting == 0


async def test_unchanged_text_is_not_sent() -> None:
    async with outboxes() as (clock, [outbox], [chat]):
        slot = outbox.post(Body("a"))
        await clock.advance(5)
        outbox.update(slot, Body("b"))
        outbox.update(slot, Body("a"))
        await clock.advance(5)
        outbox.finish(slot, Body("a"))
        await clock.advance(5)
        assert await slot.done() == "m1"
        assert chat.lines() == ["0 send a"]


async def test_order() -> None:
    async with outboxes(faults=[Fault(delay_s=1)]) as (clock, [outbox], [chat]):
        outbox.post(Body("running"))
        await clock.advance(0.5)
        known = outbox.post(Body("edit"), ref="m9")
        outbox.post(Body("first"))
        outbox.post(Body("ack"), rank=Rank.ACK)
        outbox.typing()
        outbox.post(Body("final"), rank=Rank.FINAL)
        await clock.advance(10)
        assert chat.lines() == ["1 send running", "1 send final", "1 send ack", "1 send first", "2.25 edit edit"]
        assert known.ref == "m9"


async def test_the_stalest_edit_comes_first() -> None:
    async with outboxes() as (clock, [outbox], [chat]):
        slots = [outbox.post(Body(f"{name}0")) for name in "abc"]
        for number in range(1, 80):
            for slot, name in zip(slots, "abc", strict=True):
                outbox.update(slot, Body(f"{name}{number}"))
            await clock.advance(0.1)
        assert [line[-3] for line in chat.lines()[3:]] == list("abcabc")


async def test_messages_stay_in_their_order() -> None:
    lost = [Fault(error=OSError()), Fault(error=OSError())]
    async with outboxes(faults=lost) as (clock, [outbox], [chat]):
        one = outbox.post(Body("one"))
        two = outbox.post(Body("two"), after=one)
        outbox.post(Body("three"), rank=Rank.FINAL, after=two)
        await clock.advance(20)
        assert [line.split()[-1] for line in chat.lines()] == ["one", "one", "one", "two", "three"]


async def test_an_edit_under_way_is_finished_before_the_final() -> None:
    async with outboxes(faults=[Fault(), Fault(delay_s=3)]) as (clock, [outbox], [chat]):
        slot = outbox.post(Body("a"))
        await clock.advance(2)
        outbox.update(slot, Body("b"))
        await clock.advance(0)
        outbox.finish(slot, Body("a"))
        await clock.advance(10)
        assert chat.lines() == ["0 send a", "5 edit b", "5 edit a"]


async def test_a_pause_stops_this_chat_wholly_and_no_other() -> None:
    async with outboxes(2, faults=[Fault(error=Flooded(126))]) as (clock, [one, two], [first, second]):
        slot = one.post(Body("a"))
        await clock.advance(1)
        one.finish(slot, Body("b"))
        one.typing()
        one.post(Body("c"), rank=Rank.FINAL)
        other = two.post(Body("x"))
        await clock.advance(0)
        two.finish(other, Body("y"))
        await clock.advance(0)
        assert second.lines() == ["1 send x", "1 edit y"]
        await clock.advance(1000)
        assert first.lines() == ["0 send a", "126 send b", "126 send c"]


async def test_typing_is_shed_first() -> None:
    async with outboxes(pace=Pace(typing_gap_s=5)) as (clock, [outbox], [chat]):
        for _ in range(12):
            outbox.typing()
            await clock.advance(1)
        assert chat.lines() == ["0 typing -", "5 typing -", "10 typing -"]
        chat.faults.extend([Fault(error=OSError()), Fault(error=Flooded(10))])
        await clock.advance(10)
        outbox.typing()
        await clock.advance(10)
        outbox.typing()
        await clock.advance(0)
        outbox.post(Body("a"))
        await clock.advance(20)
        assert chat.lines()[-1] == "42 send a"


async def test_what_is_gone_is_not_edited_and_a_final_is_sent_anew_once() -> None:
    gone = [Fault(), Fault(error=Gone()), Fault(error=Gone())]
    async with outboxes(faults=gone) as (clock, [outbox], [chat]):
        slot = outbox.post(Body("a"))
        await clock.advance(2)
        for number in range(5):
            outbox.update(slot, Body(number))
            await clock.advance(2)
        key = slot.key
        outbox.finish(slot, Body("end"))
        await clock.advance(2)
        assert await slot.done() == "m2"
        assert slot.key != key
        assert [line.split(" ", 1)[1] for line in chat.lines()] == ["send a", "edit 0", "edit end", "send end"]


async def test_when_the_place_is_gone_a_final_is_over() -> None:
    async with outboxes(faults=[Fault(), *[Fault(error=Gone())] * 3]) as (clock, [outbox], [chat]):
        slot = outbox.post(Body("a"))
        await clock.advance(2)
        outbox.finish(slot, Body("end"))
        unsent = outbox.post(Body("b"))
        await clock.advance(20)
        assert await slot.done() is None
        assert isinstance(slot.error, Gone)
        assert outbox.waiting == 0
        assert unsent.is_gone
        assert len(chat.calls) == 4


async def test_down_the_ladder() -> None:
    refused = [Fault(error=Refused()), Fault(), Fault(), Fault(error=Refused()), Fault(error=Refused())]
    async with outboxes(faults=refused) as (clock, [outbox], [chat]):

        def ladder(text: str) -> Body:
            return Body(f"rich {text}", fallback=Body(f"plain {text}"))

        slot = outbox.post(ladder("a"))
        await clock.advance(5)
        outbox.update(slot, ladder("b"))
        await clock.advance(5)
        outbox.finish(slot, ladder("c"))
        await clock.advance(5)
        expected = ["send rich a", "send plain a", "edit plain b", "edit rich c", "edit plain c"]
        assert [line.split(" ", 1)[1] for line in chat.lines()] == expected
        assert await slot.done() is None
        assert isinstance(slot.error, Refused)


async def test_a_passing_body_that_is_refused_is_skipped() -> None:
    async with outboxes(faults=[Fault(error=Refused())]) as (clock, [outbox], [chat]):
        slot = outbox.post(Body("bad"))
        await clock.advance(50)
        outbox.update(slot, Body("good"))
        await clock.advance(5)
        assert chat.lines() == ["0 send bad", "50 send good"]
        outbox.finish(slot, Body("bad"))
        await clock.advance(5)
        assert await slot.done() == "m1"


async def test_a_lost_answer_sends_no_second_message() -> None:
    async with outboxes(faults=[Fault(error=OSError(), is_done=True)]) as (clock, [outbox], [chat]):
        slot = outbox.post(Body("a"), rank=Rank.FINAL, key="k" * KEY_MAX)
        await clock.advance(5)
        assert await slot.done() == "m1"
        assert [call.ref for call in chat.calls] == ["m1", "m1"]
        assert list(chat.seen) == ["m1"]


async def test_a_message_that_arrived_unheard_is_brought_up_to_date() -> None:
    async with outboxes(faults=[Fault(error=OSError(), is_done=True)]) as (clock, [outbox], [chat]):
        slot = outbox.post(Body("a"))
        await clock.advance(0.5)
        outbox.finish(slot, Body("b"))
        await clock.advance(5)
        assert await slot.done() == "m1"
        assert chat.seen == {"m1": Body("b")}
        assert [line.split(" ", 1)[1] for line in chat.lines()] == ["send a", "send b", "edit b"]


async def test_failures_are_tried_again_later_and_later_and_not_for_ever() -> None:
    pace = Pace(tries=4)
    faults = [Fault(error=OSError())] * 8
    async with outboxes(pace=pace, faults=faults) as (clock, [outbox], [chat]):
        slot = outbox.post(Body("a"))
        await clock.advance(100)
        assert [call.ended for call in chat.calls] == [0, 1, 3, 7]
        assert not slot.is_over
        outbox.finish(slot, Body("a"))
        await clock.advance(100)
        assert [call.ended for call in chat.calls[4:]] == [100, 101, 103, 107]
        assert await slot.done() is None
        assert isinstance(slot.error, OSError)


async def test_dropped_messages_are_taken_away() -> None:
    async with outboxes() as (clock, [outbox], [chat]):
        sent = outbox.post(Body("a"))
        await clock.advance(1)
        unsent = outbox.post(Body("b"))
        outbox.drop(unsent)
        outbox.drop(sent)
        chat.faults.extend([Fault(error=OSError()), Fault(error=Gone())])
        await clock.advance(5)
        assert await sent.done() is None
        assert await unsent.done() is None
        assert sent.error is unsent.error is None
        assert [call.kind for call in chat.calls] == ["send", "delete", "delete"]


async def test_bounds() -> None:
    async with outboxes(faults=[Fault(error=Flooded(7728))]) as (_, [outbox], _chats):
        for number in range(SLOTS_MAX):
            outbox.post(Body(number))
        with pytest.raises(Full):
            outbox.post(Body("one more"))
    async with outboxes() as (_, [outbox], _chats):
        with pytest.raises(ValueError, match="25"):
            outbox.post(Body("a"), key="k" * (KEY_MAX + 1))


async def test_closing_delivers_finals_only() -> None:
    async with outboxes(faults=[Fault(), Fault(delay_s=3)]) as (clock, [outbox], [chat]):
        open_slot = outbox.post(Body("open"))
        await clock.advance(2)
        outbox.update(open_slot, Body("more"))
        final = outbox.post(Body("final"), rank=Rank.FINAL)
        async with asyncio.TaskGroup() as group:
            closing = group.create_task(outbox.close(10))
            await clock.advance(4)
        assert closing.result()
        assert await final.done() == "m2"
        assert await open_slot.done() is None
        assert chat.lines() == ["0 send open", "5 send final"]
        outbox.typing()
        with pytest.raises(Full):
            outbox.post(Body("late"))


async def test_closing_has_an_end() -> None:
    async with outboxes(faults=[Fault(error=Flooded(7728))]) as (clock, [outbox], [chat]):
        final = outbox.post(Body("final"), rank=Rank.FINAL)
        async with asyncio.TaskGroup() as group:
            closing = group.create_task(outbox.close(10))
            await clock.advance(11)
        assert not closing.result()
        assert await final.done() is None
        assert isinstance(final.error, TimeoutError)
        await clock.advance(10_000)
        assert len(chat.calls) == 1


async def test_with_nothing_to_do_there_is_no_task() -> None:
    async with outboxes() as (clock, [outbox], _):
        slot = outbox.post(Body("a"))
        await clock.advance(5)
        assert not slot.is_over
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("outbox")]
        assert await outbox.close(5)


faults = st.one_of(
    st.builds(Fault, delay_s=st.floats(0, 8)),
    st.builds(Fault, delay_s=st.floats(0, 8), error=st.builds(Flooded, st.floats(0, 200))),
    st.builds(Fault, delay_s=st.floats(0, 8), error=st.builds(OSError), is_done=st.booleans()),
    st.builds(Fault, error=st.builds(Refused)),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("post"), st.sampled_from(Rank)),
        st.tuples(st.just("update"), st.integers(0, 5)),
        st.tuples(st.just("finish"), st.integers(0, 5)),
        st.tuples(st.just("typing"), st.none()),
        st.tuples(st.just("advance"), st.floats(0, 10)),
    ),
    max_size=60,
)
PACE = Pace(gap_s=3, budget=8, reserve=3, tries=100)


@given(steps, st.lists(faults, max_size=25), st.booleans())
def test_finals_arrive_once_and_stay(plan: list[tuple[str, Any]], script: list[Fault], in_order: bool) -> None:
    asyncio.run(_finals_arrive(plan, script, in_order))


async def _finals_arrive(plan: list[tuple[str, Any]], script: list[Fault], in_order: bool) -> None:
    async with outboxes(pace=PACE, faults=script) as (clock, [outbox], [chat]):
        slots = await _played(plan, outbox, clock, in_order)
        for number, slot in enumerate(slots):
            outbox.finish(slot, _body(f"end {number}"))
        for _ in range(40):
            await clock.advance(300)
        assert outbox.waiting == 0
        for number, slot in enumerate(slots):
            ref = await slot.done()
            assert ref is not None or isinstance(slot.error, Refused)
            if ref is not None and not slot.was_sent_anew:
                assert str(chat.seen[ref].text).removeprefix("plain ") in {f"end {number}", f"post {number}"}
                finals = [body for body in chat.shown[ref] if "end" in str(body.text)]
                assert chat.shown[ref][-1:] == finals[-1:] or not finals
        refs = [slot.ref for slot in slots if slot.ref]
        assert len(refs) == len(set(refs))
        assert set(refs) <= set(chat.seen)
        assert len(chat.seen) <= len(slots)
        if in_order and not any(isinstance(call.error, Refused) for call in chat.calls):
            assert [ref for ref in chat.shown if ref in refs] == refs
        _in_limits(chat)


async def _played(plan: list[tuple[str, Any]], outbox: Outbox, clock: ManualClock, in_order: bool) -> list[Slot]:
    slots: list[Slot] = []
    for index, (what, value) in enumerate(plan):
        match what:
            case "post":
                after = slots[-1] if slots and in_order else None
                slots.append(outbox.post(_body(f"post {len(slots)}"), rank=value, after=after))
            case "update" if value < len(slots):
                outbox.update(slots[value], _body(f"{value}: {index}"))
            case "finish" if value < len(slots):
                outbox.finish(slots[value], _body(f"end {value}"))
            case "typing":
                outbox.typing()
            case "advance":
                await clock.advance(value)
            case _:
                pass  # there is no such message
    return slots


def _body(text: str) -> Body:
    return Body(text, fallback=Body(f"plain {text}"))


def _in_limits(chat: ScriptedChat) -> None:
    budget = PACE.budget or 0
    for earlier, later in zip(chat.calls, chat.calls[budget:], strict=False):
        assert later.began - earlier.ended >= PACE.window_s - 1e-6
    stopped = 0.0
    for before, call in pairwise(chat.calls):
        assert call.began >= before.ended
        if isinstance(before.error, Flooded):
            stopped = before.ended + before.error.retry_after_s
        assert call.began >= stopped - 1e-6
        if call.kind == "edit" and "end" not in str(call.body) and "post" not in str(call.body):
            assert call.began - before.ended >= PACE.gap_s - 1e-6


@given(st.lists(faults, max_size=20), st.lists(st.floats(0, 5), min_size=1, max_size=20))
def test_what_happens_to_one_chat_does_not_delay_another(script: Sequence[Fault], gaps: list[float]) -> None:
    async def play() -> list[str]:
        async with outboxes(2, faults=script) as (clock, [one, two], [_, second]):
            for number, gap in enumerate(gaps):
                one.post(Body(number), rank=Rank.FINAL)
                two.post(Body(number), rank=Rank.FINAL)
                await clock.advance(gap)
            return second.lines()

    async def alone() -> list[str]:
        async with outboxes() as (clock, [two], [second]):
            for number, gap in enumerate(gaps):
                two.post(Body(number), rank=Rank.FINAL)
                await clock.advance(gap)
            return second.lines()

    assert asyncio.run(play()) == asyncio.run(alone())
