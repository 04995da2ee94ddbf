"""What comes again and again, counted: nobody fills the disk by being refused."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace

from halext.accounts.audit.types import Entry

WINDOW_S = 60.0
"""The same within this time of its first is counted and not written."""
BUDGET_S = 3600.0
BUDGET = 600
"""Entries of their own that one person, or all strangers together, cause in `BUDGET_S`. What comes beyond is counted by
action and outcome alone: an attack that never ends costs some megabytes a day."""


@dataclass(slots=True)
class _Counted:
    until: float
    last: Entry
    times: int = 0

    def add(self, entry: Entry) -> None:
        self.last, self.times = entry, self.times + 1


class Repeats:
    """Decides which entries are written as they are, and counts the others. Its memory is bounded by `BUDGET`."""

    def __init__(self) -> None:
        self._counted: dict[Hashable, _Counted] = {}
        self._spent: dict[Hashable, int] = {}
        self._budget_ends = 0.0

    def is_first(self, entry: Entry) -> bool:
        """Whether to write it now; otherwise it is counted, and comes out of `due` with the others."""
        if entry.at >= self._budget_ends:
            self._spent.clear()
            self._budget_ends = entry.at + BUDGET_S
        who = (entry.user_id, entry.credential)
        key: Hashable = (who, entry.name, entry.action, entry.subject, entry.outcome, entry.address)
        if (known := self._counted.get(key)) is not None:
            known.add(entry)
            return False
        if self._spent.get(who, 0) >= BUDGET:
            self._blur((who, entry.action, entry.outcome), entry)
            return False
        self._spent[who] = self._spent.get(who, 0) + 1
        self._counted[key] = _Counted(entry.at + WINDOW_S, entry)
        return True

    def _blur(self, key: Hashable, entry: Entry) -> None:
        blurred = replace(entry, subject="", address="", request_id="", details={"many": True})
        self._counted.setdefault(key, _Counted(self._budget_ends, blurred)).add(blurred)

    def due(self, now: float, *, everything: bool = False) -> list[Entry]:
        """Counts whose time is over, as entries of their own; the same is a first one again."""
        over = [key for key, counted in self._counted.items() if everything or counted.until <= now]
        gone = [self._counted.pop(key) for key in over]
        return [replace(counted.last, count=counted.times) for counted in gone if counted.times]
