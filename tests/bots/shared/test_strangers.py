from __future__ import annotations

from halext.testing.clock import ManualClock
from halext_bots.shared.strangers import AGAIN_S, KEPT, Strangers


async def test_each_is_told_once_in_a_while(manual_clock: ManualClock) -> None:
    strangers = Strangers(manual_clock)
    assert [strangers.is_due("eve"), strangers.is_due("eve"), strangers.is_due("bob")] == [True, False, True]
    await manual_clock.advance(AGAIN_S - 1)
    assert not strangers.is_due("eve")
    await manual_clock.advance(1)
    assert [strangers.is_due("eve"), strangers.is_due("eve")] == [True, False]


def test_only_so_many_are_remembered(manual_clock: ManualClock) -> None:
    strangers = Strangers(manual_clock)
    for number in range(KEPT + 1):
        strangers.is_due(str(number))
    assert not strangers.is_due(str(KEPT))
    assert strangers.is_due("0")
