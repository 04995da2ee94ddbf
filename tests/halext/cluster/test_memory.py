"""Time and room in a cluster of one process; the rest is in contracts/test_cluster.py."""

from __future__ import annotations

from halext.cluster.memory import MemoryCluster
from halext.testing.clock import ManualClock


async def test_a_window_begins_with_its_first_hit_and_then_ends() -> None:
    clock = ManualClock()
    cluster = MemoryCluster(clock)
    assert await cluster.hit("a", 60) == 1
    await clock.advance(59)
    assert await cluster.hit("a", 60) == 2
    await clock.advance(1)
    assert await cluster.hit("a", 60) == 1


async def test_a_value_ends_on_time() -> None:
    clock = ManualClock()
    cluster = MemoryCluster(clock)
    await cluster.set("a", b"x", 10)
    await clock.advance(9.9)
    assert await cluster.get("a") == b"x"
    await clock.advance(0.1)
    assert await cluster.get("a") is None


async def test_setting_again_begins_the_time_again() -> None:
    clock = ManualClock()
    cluster = MemoryCluster(clock)
    await cluster.set("a", b"x", 10)
    await clock.advance(9)
    await cluster.set("a", b"y", 10)
    await clock.advance(9)
    assert await cluster.get("a") == b"y"


async def test_a_flood_of_keys_costs_the_oldest_ones_and_no_more_memory() -> None:
    cluster = MemoryCluster(ManualClock(), entries_max=3)
    for key in "abcd":
        await cluster.hit(key, 60)
        await cluster.set(key, b"x", 60)
    assert [await cluster.hit(key, 60, by=0) for key in "abcd"] == [0, 1, 1, 1]
    assert [await cluster.get(key) for key in "abcd"] == [None, b"x", b"x", b"x"]
    await cluster.close()
