"""Discord's ids: the milliseconds since 2015 in their upper bits, so that age can be read off them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

DISCORD_EPOCH_MS = 1_420_070_400_000
SHIFT = 22


class Snowflakes:
    """Hands out ids that only grow. `date` is real seconds since 1970: clients compare ids with their own clock."""

    def __init__(self, date: Callable[[], float]) -> None:
        self._date = date
        self._last = 0

    def next(self) -> int:
        """An id of now."""
        now = (int(self._date() * 1000) - DISCORD_EPOCH_MS) << SHIFT
        self._last = max(self._last + 1, now)
        return self._last


def seconds(snowflake: int) -> float:
    """When an id was made, in seconds since 1970."""
    return ((snowflake >> SHIFT) + DISCORD_EPOCH_MS) / 1000


def iso(moment: float) -> str:
    """A moment as Discord writes it."""
    return dt.datetime.fromtimestamp(moment, dt.UTC).isoformat()
