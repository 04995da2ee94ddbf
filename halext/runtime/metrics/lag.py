"""How late the event loop is."""

from __future__ import annotations

from collections import deque

from halext.types import Clock

SAMPLE_S = 5.0
"""How often the schedule takes a sample."""
_NAP_S = 0.02
_KEPT = 12


class Lag:
    """The last minute's samples of how late a short timer came: what keeps the loop from everyone shows here."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._samples: deque[float] = deque(maxlen=_KEPT)

    async def sample(self) -> None:
        """Take one sample."""
        begun = self._clock.monotonic()
        await self._clock.sleep(_NAP_S)
        self._samples.append(max(0.0, self._clock.monotonic() - begun - _NAP_S))

    @property
    def worst_s(self) -> float | None:
        """The largest of them; None before there is one."""
        return max(self._samples, default=None)
