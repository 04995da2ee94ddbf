"""What happens when Redis goes away and comes back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Protocol

import pytest

from halext.cluster.redis import AWAY_S, TIMEOUT_S, RedisCluster
from halext.testing.clock import ManualClock

PASSWORD = "tell-nobody"


class Valkey(Protocol):
    url: str

    def kill(self) -> None: ...

    def start(self) -> None: ...


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def cluster(valkey: Valkey, clock: ManualClock) -> AsyncIterator[RedisCluster]:
    cluster = RedisCluster(valkey.url, clock)
    yield cluster
    await cluster.close()


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "halext.cluster.redis"]


async def test_everything_lives_under_one_prefix(cluster: RedisCluster) -> None:
    await cluster.hit("a", 60)
    await cluster.set("b", b"x", 60)
    assert sorted(await cluster._redis.keys()) == [b"halext:count:a", b"halext:value:b"]


async def test_a_window_begins_with_its_first_hit_and_a_value_ends(cluster: RedisCluster) -> None:
    await cluster.hit("a", 60)
    await cluster.hit("a", 600)
    await cluster.set("b", b"x", 5)
    assert 0 < await cluster._redis.pttl("halext:count:a") <= 60_000
    assert 0 < await cluster._redis.pttl("halext:value:b") <= 5_000


async def test_a_count_without_an_end_gets_one(cluster: RedisCluster) -> None:
    await cluster._redis.set("halext:count:a", 7)
    assert await cluster.hit("a", 60) == 8
    assert 0 < await cluster._redis.pttl("halext:count:a") <= 60_000


async def test_while_redis_is_away_values_miss_and_counts_go_on(
    cluster: RedisCluster, valkey: Valkey, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    await cluster.set("v", b"x", 60)
    await cluster.hit("c", 60)
    valkey.kill()
    assert await cluster.get("v") is None
    assert [await cluster.hit("c", 60) for _ in range(3)] == [1, 2, 3]
    await cluster.set("v", b"y", 60)
    await cluster.delete("v")
    await cluster.reset("c")
    assert await cluster.hit("c", 60) == 1
    assert len(warnings(caplog)) == 1
    assert "Redis is away" in warnings(caplog)[0]


async def test_it_recovers_alone_and_says_so_once(
    cluster: RedisCluster, valkey: Valkey, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        valkey.kill()
        assert await cluster.get("v") is None
        valkey.start()
        assert await cluster.get("v") is None  # it is left alone for a moment
        await clock.advance(AWAY_S)
        await cluster.set("v", b"x", 60)
        assert await cluster.get("v") == b"x"
    assert [line.split(" (")[0] for line in warnings(caplog)] == ["Redis is away", "Redis is back"] * 2


async def test_a_connection_that_redis_closed_while_idle_is_no_outage(
    cluster: RedisCluster, valkey: Valkey, caplog: pytest.LogCaptureFixture
) -> None:
    await cluster.set("v", b"x", 60)
    valkey.kill()
    valkey.start()
    assert await cluster.hit("c", 60) == 1
    assert warnings(caplog) == []


async def test_a_redis_that_hangs_holds_nobody_for_long(clock: ManualClock, caplog: pytest.LogCaptureFixture) -> None:
    async def say_nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    cluster = RedisCluster(f"redis://:{PASSWORD}@127.0.0.1:{port}/0", clock)
    try:
        async with asyncio.timeout(TIMEOUT_S * 2):
            assert await cluster.hit("c", 60) == 1
            assert await cluster.hit("c", 60) == 2
    finally:
        await cluster.close()
        for writer in writers:
            writer.close()
        server.close()
        await server.wait_closed()
    assert len(warnings(caplog)) == 1
    assert PASSWORD not in caplog.text


def test_the_password_is_never_shown(clock: ManualClock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    assert PASSWORD not in repr(RedisCluster(f"redis://:{PASSWORD}@127.0.0.1:1/0", clock))
