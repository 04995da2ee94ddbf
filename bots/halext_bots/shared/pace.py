"""How often a chat may be spoken to: decisions about time, made of values."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import IntEnum
from math import inf


class Rank(IntEnum):
    """What goes first."""

    FINAL = 0
    """Last words of an answer, and errors."""
    ACK = 1
    FIRST = 2
    """The first words of an answer."""
    EDIT = 3
    """More of them: only these are paced."""
    TYPING = 4


@dataclass(frozen=True, slots=True)
class Pace:
    """The limits of a platform, as far as they are known; each is a parameter."""

    gap_s: float = 1.25
    """From any call to the next edit that is only cosmetic. Discord allows about five calls in five seconds."""
    budget: int | None = None
    """Calls of any kind in a window; None for no limit."""
    window_s: float = 60.0
    reserve: int = 0
    """Of the budget, kept for finals."""
    typing_gap_s: float = 5.0
    retry_s: float = 1.0
    """The first pause after a failure; each further one is twice as long."""
    retry_max_s: float = 60.0
    tries: int = 8
    """Failures in a row until a body is given up."""

    def __post_init__(self) -> None:
        if self.budget is not None and self.reserve >= self.budget:
            raise ValueError("reserve must be below budget")

    def pause_s(self, failures: int) -> float:
        """How long to wait after so many failures in a row."""
        return min(self.retry_s * 2.0 ** (failures - 1), self.retry_max_s)


DISCORD = Pace(typing_gap_s=9.0)
TELEGRAM = Pace(gap_s=1.25)
TELEGRAM_GROUP = Pace(gap_s=3.0, budget=20, reserve=6)


class Calls:
    """The calls of one chat, and when the next one of a rank may follow.

    A call counts from its beginning until a window after its end: whenever in between it arrived at the platform, there
    are never more than the budget in any window there.
    """

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._ends: deque[float] = deque(maxlen=pace.budget or 1)
        self._typed = -inf
        self.stopped_until = -inf

    def ended(self, rank: Rank, now: float) -> None:
        """A call is over, however it went."""
        self._ends.append(now)
        if rank is Rank.TYPING:
            self._typed = now

    def stop(self, until: float) -> None:
        """Nothing more until then."""
        self.stopped_until = max(self.stopped_until, until)

    def free_at(self, rank: Rank) -> float:
        """When a call of this rank may begin, on the clock of `ended`."""
        due = max(self.stopped_until, self._budget_at(rank))
        if rank is Rank.EDIT and self._ends:
            due = max(due, self._ends[-1] + self._pace.gap_s)
        if rank is Rank.TYPING:
            due = max(due, self._typed + self._pace.typing_gap_s)
        return due

    def _budget_at(self, rank: Rank) -> float:
        if self._pace.budget is None:
            return -inf
        allowed = self._pace.budget
        if rank is not Rank.FINAL:
            allowed -= self._pace.reserve
        if rank is Rank.TYPING:  # the first to be left out when things get tight
            allowed = max(allowed // 2, 1)
        return self._ends[-allowed] + self._pace.window_s if len(self._ends) >= allowed else -inf
