from __future__ import annotations

from halext.runtime.metrics.lag import Lag


class LateClock:
    """Sleeps for longer than it was asked to."""

    def __init__(self, *late: float) -> None:
        self.late, self.time = list(late), 100.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds + self.late.pop(0)


async def test_the_worst_of_the_last_minute_is_told() -> None:
    lag = Lag(LateClock(2.0, 5.0, *[0.25] * 12))
    assert lag.worst_s is None

    def worst() -> float:
        return round(lag.worst_s or 0, 6)

    await lag.sample()
    assert worst() == 2.0
    for _ in range(12):
        await lag.sample()
    assert worst() == 5.0
    await lag.sample()
    assert worst() == 0.25
