"""The real clock."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """This machine's time; fulfils `halext.types.Clock`."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait that long."""
        await asyncio.sleep(seconds)
