"""A cluster of several processes, on Redis or Valkey."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from halext.cluster.memory import MemoryCluster
from halext.types import Clock

PREFIX = "halext:"
TIMEOUT_S = 1.0
"""Whatever Redis holds can be done without: no request waits longer for it."""
AWAY_S = 1.0
"""After a failure Redis is left alone for so long, and nobody waits for it at all."""
CONNECTIONS_MAX = 20

_COUNT = """
local count = redis.call("INCRBY", KEYS[1], ARGV[1])
if redis.call("PTTL", KEYS[1]) < 0 then redis.call("PEXPIRE", KEYS[1], ARGV[2]) end
return count
"""
"""One step, so that a count never loses its end. The window begins with the first hit."""

_log = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")


class RedisCluster:
    """Counters and values in Redis; while it is away, values are not found and counters go on in memory."""

    def __init__(self, url: str, clock: Clock) -> None:
        # `from_url` raises ValueError for a URL that it can't read.
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS_MAX,
            timeout=TIMEOUT_S,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 1),  # once: a connection that Redis has closed while it lay idle
        )
        self._redis = Redis.from_pool(pool)
        self._clock = clock
        self._memory = MemoryCluster(clock)
        self._is_away = False
        self._ask_again_at = 0.0

    def __repr__(self) -> str:
        return "<RedisCluster>"  # the client's own would show the URL with its password

    async def hit(self, key: str, window_s: float, by: int = 1) -> int:
        """Add `by` and return the count."""
        count = await self._ask(lambda: self._hit(PREFIX + "count:" + key, window_s, by))
        return await self._memory.hit(key, window_s, by) if count is None else count

    async def reset(self, key: str) -> None:
        """Forget the count."""
        await self._memory.reset(key)
        await self._ask(lambda: self._redis.delete(PREFIX + "count:" + key))

    async def get(self, key: str) -> bytes | None:
        """The value, unless it has expired or was lost."""
        value = await self._ask(lambda: self._redis.get(PREFIX + "value:" + key))
        return value.encode() if isinstance(value, str) else value

    async def set(self, key: str, value: bytes, ttl_s: float) -> None:
        """Keep a value for so long."""
        await self._ask(lambda: self._redis.set(PREFIX + "value:" + key, value, px=_milliseconds(ttl_s)))

    async def delete(self, key: str) -> None:
        """Forget a value."""
        await self._ask(lambda: self._redis.delete(PREFIX + "value:" + key))

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def _hit(self, key: str, window_s: float, by: int) -> int:
        if by == 0:
            return int(await self._redis.get(key) or 0)
        return int(await self._redis.eval(_COUNT, 1, key, str(by), str(_milliseconds(window_s))))

    async def _ask(self, question: Callable[[], Awaitable[_Answer]]) -> _Answer | None:
        """The answer of Redis, or None if it has none to give."""
        if self._is_away and self._clock.monotonic() < self._ask_again_at:
            return None
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await question()
        except (RedisError, OSError) as error:
            self._ask_again_at = self._clock.monotonic() + AWAY_S
            if not self._is_away:
                self._is_away = True
                _log.warning(
                    "Redis is away (%s); limits are counted per process until it is back", type(error).__name__
                )
            return None
        if self._is_away:
            self._is_away = False
            _log.warning("Redis is back")
        return answer


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
