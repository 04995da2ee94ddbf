"""One suite for every cluster: in memory and on a real Valkey. How time ends things is tested beside each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from halext.accounts.types import Counters
from halext.cluster.connect import open_cluster
from halext.cluster.types import Cluster
from halext.testing.clock import ManualClock


@pytest.fixture(params=["memory", "valkey"])
async def cluster(request: pytest.FixtureRequest) -> AsyncIterator[Cluster]:
    url = None if request.param == "memory" else request.getfixturevalue("valkey").url
    cluster = open_cluster(url, ManualClock())
    yield cluster
    await cluster.close()


@pytest.fixture
def key() -> str:
    return "a key with a space, a colon: and \N{SNOWMAN}"


async def test_hits_add_up(cluster: Cluster, key: str) -> None:
    counters: Counters = cluster  # what the rooms ask for
    assert [await counters.hit(key, 60) for _ in range(3)] == [1, 2, 3]
    assert await counters.hit(key, 60, by=5) == 8
    assert await counters.hit(key, 60, by=0) == 8
    assert await counters.hit(key, 60, by=-2) == 6
    await counters.reset(key)
    assert await counters.hit(key, 60) == 1


async def test_looking_is_no_hit(cluster: Cluster, key: str) -> None:
    assert await cluster.hit(key, 60, by=0) == 0
    assert await cluster.hit(key, 60) == 1


async def test_no_hit_is_lost(cluster: Cluster, key: str) -> None:
    counts = await asyncio.gather(*(cluster.hit(key, 60) for _ in range(100)))
    assert sorted(counts) == list(range(1, 101))


async def test_values_are_kept_for_a_while(cluster: Cluster, key: str) -> None:
    assert await cluster.get(key) is None
    await cluster.set(key, b"\x00\xff", 60)
    assert await cluster.get(key) == b"\x00\xff"
    await cluster.set(key, b"", 60)
    assert await cluster.get(key) == b""


async def test_a_value_is_deleted(cluster: Cluster, key: str) -> None:
    await cluster.set(key, b"x", 60)
    await cluster.delete(key)
    await cluster.delete(key)
    assert await cluster.get(key) is None


async def test_counts_and_values_do_not_meet(cluster: Cluster, key: str) -> None:
    await cluster.hit(key, 60)
    assert await cluster.get(key) is None
    await cluster.set(key, b"x", 60)
    assert await cluster.hit(key, 60) == 2
