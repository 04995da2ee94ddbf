"""What is to be done about a message."""

from __future__ import annotations

from halext_bots.shared.pace import Rank
from halext_bots.shared.slot import Slot, new_key
from halext_bots.shared.transport import KEY_MAX, Body

A, B = Body("a"), Body("b")


def test_keys_are_short_and_never_the_same() -> None:
    assert len({new_key() for _ in range(100)}) == 100
    assert len(new_key()) <= KEY_MAX


def test_what_is_shown_is_not_pending() -> None:
    slot = Slot(A, Rank.FIRST)
    assert slot.is_pending
    slot.shown = A
    assert not slot.is_pending
    slot.want(B)
    assert slot.is_pending
    slot.skipped = B
    assert not slot.is_pending
    slot.finish(B)
    assert slot.is_pending
    slot.end()
    assert not slot.is_pending


def test_only_edits_that_are_not_final_are_cosmetic() -> None:
    slot = Slot(A, Rank.ACK)
    ranks = [slot.next_rank]
    slot.ref = "m1"
    ranks.append(slot.next_rank)
    slot.finish(A)
    assert [*ranks, slot.next_rank] == [Rank.ACK, Rank.EDIT, Rank.FINAL]


def test_what_stands_above_comes_first() -> None:
    first = Slot(A, Rank.FIRST)
    second = Slot(A, Rank.FIRST, after=first)
    third = Slot(A, Rank.FIRST, after=second)
    assert third.front is first
    first.ref = "m1"
    assert third.front is second
    second.is_gone = True
    assert third.front is third


def test_what_was_refused_is_not_tried_in_passing() -> None:
    slot = Slot(A, Rank.FIRST)
    slot.steps = 1
    slot.want(Body("rich", fallback=Body("poor")))
    assert slot.wanted == Body("poor")
    slot.want(B)
    assert slot.wanted == B
    slot.finish(Body("rich", fallback=Body("poor")))
    assert slot.wanted == Body("rich", fallback=Body("poor"))


def test_what_an_earlier_attempt_may_have_sent_is_remembered() -> None:
    slot = Slot(A, Rank.FIRST)
    slot.lost(A)
    slot.lost(A)
    slot.sent("m1", A)
    assert slot.shown == A
    slot.send_anew()
    slot.lost(A)
    slot.sent("m2", B)
    assert slot.shown is None


async def test_done_says_where_it_is() -> None:
    slot = Slot(A, Rank.FINAL)
    slot.ref = "m1"
    slot.end()
    assert await slot.done() == "m1"
    dropped = Slot(A, Rank.FIRST, ref="m2")
    dropped.finish(None)
    dropped.end()
    assert await dropped.done() is None
    failed = Slot(A, Rank.FINAL, ref="m3")
    failed.end(OSError())
    assert await failed.done() is None
