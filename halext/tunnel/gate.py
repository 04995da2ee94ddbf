"""How many may stand at the door before they have shown a key."""

from __future__ import annotations

from collections import Counter

TOTAL = 64
PER_ADDRESS = 8
"""A home has one address, and seldom more computers than this; those turned away come again two seconds later."""


class Gate:
    """Counts connections that have not logged in yet, so that a flood of them costs next to nothing."""

    def __init__(self, total: int = TOTAL, per_address: int = PER_ADDRESS) -> None:
        self._total = total
        self._per_address = per_address
        self._waiting: Counter[str] = Counter()

    def enter(self, address: str) -> bool:
        """Whether one more may come in from there; who may is counted until `leave`."""
        if self._waiting.total() >= self._total or self._waiting[address] >= self._per_address:
            return False
        self._waiting[address] += 1
        return True

    def leave(self, address: str) -> None:
        """One has logged in or gone."""
        self._waiting[address] -= 1
        if self._waiting[address] <= 0:
            del self._waiting[address]
