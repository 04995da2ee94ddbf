from __future__ import annotations

import asyncio

from halext.chat.arrivals.store import KEPT_S, ArrivalStore
from halext.storage.scope import Scope

FIRST = 5_000_000_000
"""Larger than a 32-bit number: nobody promises that they stay small."""


async def test_what_was_dealt_with_is_known_until_the_platform_knows(scope: Scope) -> None:
    store = ArrivalStore(scope, "telegram:1")
    await asyncio.gather(*(store.note(number, 10.0) for number in (FIRST, FIRST + 1, FIRST + 1, FIRST + 3)))
    wanted = [FIRST + step for step in range(5)]
    assert await store.known(wanted, 11.0) == {FIRST, FIRST + 1, FIRST + 3}
    assert await ArrivalStore(scope, "telegram:1").known([FIRST + 1], 11.0) == {FIRST + 1}
    await store.forget(FIRST + 3, 11.0)
    assert await store.known(wanted, 11.0) == {FIRST + 3}
    assert await store.known([], 11.0) == set()


async def test_bots_have_their_own(scope: Scope) -> None:
    one, other = ArrivalStore(scope, "telegram:1"), ArrivalStore(scope, "telegram:2")
    await one.note(7, 0.0)
    await other.forget(100, 0.0)
    assert (await one.known([7], 0.0), await other.known([7], 0.0)) == ({7}, set())


async def test_old_ones_are_forgotten_since_numbers_may_come_again(scope: Scope) -> None:
    store = ArrivalStore(scope, "telegram:1")
    await store.note(7, 0.0)
    await store.note(8, KEPT_S)
    assert await store.known([7, 8], KEPT_S) == {8}
    await store.forget(1, KEPT_S)
    assert await store.known([7, 8], 0.5) == {8}
