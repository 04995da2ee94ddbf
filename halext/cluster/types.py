"""What processes of one halext share beside the database: small things that may be lost."""

from __future__ import annotations

from typing import Protocol


class Cluster(Protocol):
    """Counters and short-lived values, in this process's memory or in Redis.

    No method fails because Redis is away: values are then not found, and counters go on in memory.
    """

    async def hit(self, key: str, window_s: float, by: int = 1) -> int:
        """Add `by` and return the count; the window begins with the first hit, and at its end the count is 0 again.

        0 only looks, and a negative number takes hits back.
        """

    async def reset(self, key: str) -> None:
        """Forget the count."""

    async def get(self, key: str) -> bytes | None:
        """The value, unless it has expired or was lost."""

    async def set(self, key: str, value: bytes, ttl_s: float) -> None:
        """Keep a value for so long."""

    async def delete(self, key: str) -> None:
        """Forget a value."""

    async def close(self) -> None:
        """Close the connections."""
