"""A cluster of one process."""

from __future__ import annotations

from typing import Generic, TypeVar

from halext.types import Clock

ENTRIES_MAX = 10_000
"""Beyond that the oldest entries go: keys come from strangers too, such as the addresses that try to sign in."""

_Value = TypeVar("_Value")


class MemoryCluster:
    """Counters and values in this process's memory."""

    def __init__(self, clock: Clock, *, entries_max: int = ENTRIES_MAX) -> None:
        self._counts: _Expiring[int] = _Expiring(clock, entries_max)
        self._values: _Expiring[bytes] = _Expiring(clock, entries_max)

    async def hit(self, key: str, window_s: float, by: int = 1) -> int:
        """Add `by` and return the count."""
        count = self._counts.get(key)
        if count is None:
            if by == 0:
                return 0
            self._counts.put(key, by, window_s)
            return by
        self._counts.change(key, count + by)
        return count + by

    async def reset(self, key: str) -> None:
        """Forget the count."""
        self._counts.drop(key)

    async def get(self, key: str) -> bytes | None:
        """The value, unless it has expired."""
        return self._values.get(key)

    async def set(self, key: str, value: bytes, ttl_s: float) -> None:
        """Keep a value for so long."""
        self._values.put(key, value, ttl_s)

    async def delete(self, key: str) -> None:
        """Forget a value."""
        self._values.drop(key)

    async def close(self) -> None:
        """Nothing to close."""


class _Expiring(Generic[_Value]):
    """A dictionary whose entries end; the one that was put first is the first to make room."""

    def __init__(self, clock: Clock, entries_max: int) -> None:
        self._clock = clock
        self._entries_max = entries_max
        self._entries: dict[str, tuple[_Value, float]] = {}

    def get(self, key: str) -> _Value | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry[1] <= self._clock.monotonic():
            del self._entries[key]
            return None
        return entry[0]

    def put(self, key: str, value: _Value, ttl_s: float) -> None:
        self.drop(key)
        while len(self._entries) >= self._entries_max:
            del self._entries[next(iter(self._entries))]
        self._entries[key] = (value, self._clock.monotonic() + ttl_s)

    def change(self, key: str, value: _Value) -> None:
        self._entries[key] = (value, self._entries[key][1])

    def drop(self, key: str) -> None:
        self._entries.pop(key, None)
