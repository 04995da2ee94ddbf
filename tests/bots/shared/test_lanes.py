from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from halext.runtime.background import Background
from halext_bots.shared.lanes import Lanes, settled


def says(what: str, to: list[str], after: asyncio.Event | None = None) -> Callable[[], Awaitable[None]]:
    async def work() -> None:
        if after is not None:
            await after.wait()
        to.append(what)

    return work


async def test_one_after_the_other_in_a_lane_and_no_lane_waits_for_another() -> None:
    said, gate = list[str](), asyncio.Event()
    async with Background() as work:
        lanes = Lanes(work.spawn)
        slow = [lanes.add("a", says("a1", said, gate)), lanes.add("a", says("a2", said))]
        await settled([lanes.add("b", says("b1", said))], 5)
        assert said == ["b1"]
        assert (lanes.waiting("a"), lanes.waiting("b"), len(lanes), lanes.ends) == (2, 0, 2, slow[1:])
        gate.set()
        await settled(slow, 5)
        assert said == ["b1", "a1", "a2"]
        assert (lanes.waiting("a"), len(lanes), lanes.ends) == (0, 0, [])


async def test_one_that_fails_holds_up_nothing() -> None:
    said = list[str]()

    async def fail() -> None:
        raise RuntimeError("a bug")

    async with Background() as work:
        lanes = Lanes(work.spawn)
        await settled([lanes.add("a", fail), lanes.add("a", says("next", said))], 5)
    assert said == ["next"]
    assert len(lanes) == 0


async def test_patience_has_an_end() -> None:
    began = asyncio.get_running_loop().time()
    await settled([asyncio.Event()], 0.01)
    assert asyncio.get_running_loop().time() - began < 5
