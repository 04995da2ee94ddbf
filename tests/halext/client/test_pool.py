"""The window over the items: who takes what, and when it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from halext.client.pool import Item, Pool


def item(number: int, *tried: str) -> Item:
    return Item(number, b"", str(number), tried=list(tried))


async def take(pool: Pool, node: str = "mac", others: Iterable[str] = ("mac", "pc")) -> int | None:
    taken = await pool.take(node, lambda: others, lambda: True)
    return taken.position if taken else None


async def test_in_order_and_then_the_end() -> None:
    pool = Pool(10)
    await pool.fill([item(0), item(1)])
    await pool.end()
    assert [await take(pool), await take(pool)] == [0, 1]
    await pool.settle()
    await pool.settle()
    assert await take(pool) is None
    await pool.emptied()


async def test_the_reader_waits_for_room() -> None:
    pool = Pool(2)
    filling = asyncio.get_running_loop().create_task(pool.fill(item(n) for n in range(3)))
    assert await take(pool) == 0
    assert not filling.done()
    assert await take(pool) == 1
    await filling


async def test_an_item_that_is_given_back_comes_first_and_keeps_everyone() -> None:
    pool = Pool(10)
    first = item(0)
    await pool.fill([first, item(1)])
    await pool.end()
    assert [await take(pool), await take(pool)] == [0, 1]
    waiting = asyncio.get_running_loop().create_task(take(pool))
    await pool.settle()
    await pool.give_back(first)
    assert await waiting == 0
    await pool.settle()
    assert await take(pool) is None


@pytest.mark.parametrize(
    ("tried", "others", "taken"),
    [
        (("mac",), ("mac", "pc"), 1),
        (("mac", "pc"), ("mac", "pc"), 0),
        (("mac",), ("mac",), 0),
        (("pc",), ("mac", "pc"), 0),
    ],
)
async def test_what_a_node_failed_at_is_for_the_others(
    tried: tuple[str, ...], others: tuple[str, ...], taken: int
) -> None:
    pool = Pool(10)
    await pool.fill([item(0, *tried), item(1)])
    assert await take(pool, others=others) == taken


async def test_who_may_not_work_stops() -> None:
    pool = Pool(10)
    allowed = [True]
    waiting = asyncio.get_running_loop().create_task(pool.take("mac", lambda: (), lambda: allowed[0]))
    await asyncio.sleep(0)
    allowed[0] = False
    await pool.wake()
    assert await waiting is None


async def test_whether_anyone_is_needed() -> None:
    empty, full = Pool(10), Pool(10)
    await empty.end()
    await full.fill([item(0)])
    assert not await empty.needed()
    assert await full.needed()
