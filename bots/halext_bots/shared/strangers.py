"""Whoever is not linked is told so, once in a while and not for every message."""

from __future__ import annotations

from collections import OrderedDict

from halext.types import Clock

AGAIN_S = 600.0
KEPT = 1_000


class Strangers:
    """Remembers for a while who was told how to link."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told: OrderedDict[str, float] = OrderedDict()

    def is_due(self, account: str) -> bool:
        """Whether this account should be told now; then it counts as told."""
        now = self._clock.monotonic()
        if now - self._told.get(account, -AGAIN_S) < AGAIN_S:
            return False
        self._told[account] = now
        self._told.move_to_end(account)
        if len(self._told) > KEPT:
            self._told.popitem(last=False)
        return True
