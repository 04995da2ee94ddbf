"""How far a map is: counts, speed and what is left, as a line and as HTML that says the same."""

from __future__ import annotations

import html
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Literal

State = Literal["running", "done", "stopped", "failed"]

LOOKED_BACK_S = 30.0
"""The speed is that of so many last seconds: nodes come and go."""
FEWEST_MARKS = 2
WIDTH = 24
"""Characters of the bar."""


@dataclass(slots=True)
class Progress:
    """The state of one map. Times are those of a monotonic clock, passed in."""

    name: str = ""
    total: int | None = None
    state: State = "running"
    done: int = 0
    """Items with an answer, those that were known before among them."""
    hits: int = 0
    """Items whose answer was known before."""
    failed: int = 0
    nodes: Counter[str] = field(default_factory=Counter)
    """Answers of this run, by node."""
    note: str = ""
    """Why it does not go on just now."""
    _marks: deque[tuple[float, int]] = field(default_factory=deque)

    @property
    def ended(self) -> int:
        """Items that nothing more is done for."""
        return self.done + self.failed

    def mark(self, now: float) -> None:
        """So far it was at this time; what is long ago is forgotten."""
        self._marks.append((now, self.ended - self.hits))
        while len(self._marks) > FEWEST_MARKS and now - self._marks[0][0] > LOOKED_BACK_S:
            self._marks.popleft()

    @property
    def items_per_s(self) -> float | None:
        """How fast it goes; None before that can be said."""
        if len(self._marks) < FEWEST_MARKS:
            return None
        (since, before), (now, count) = self._marks[0], self._marks[-1]
        return (count - before) / (now - since) if now > since and count > before else None

    @property
    def left_s(self) -> float | None:
        """About how long it will take; None where that can't be said."""
        rate = self.items_per_s
        if self.total is None or rate is None or self.state != "running":
            return None
        return (self.total - self.ended) / rate

    @property
    def line(self) -> str:
        """Everything in one line, without the bar."""
        parts = [
            self.count,
            f"{self.hits:,} known before" if self.hits else "",
            f"{self.failed:,} failed" if self.failed else "",
            f"{self.items_per_s:.1f}/s" if self.items_per_s else "",
            f"{duration(self.left_s)} left" if self.left_s is not None else "",
            ", ".join(f"{node} {count:,}" for node, count in self.nodes.most_common()),
            self._ending,
        ]
        told = " · ".join(part for part in parts if part)
        return f"{self.name}: {told}" if self.name else told

    @property
    def count(self) -> str:
        """`1,204 of 2,000 done`."""
        of = "" if self.total is None else f" of {self.total:,}"
        return f"{self.done:,}{of} done"

    @property
    def text(self) -> str:
        """The line with a bar before it, where the end is known."""
        if not self.total:
            return self.line
        full = WIDTH * min(self.ended, self.total) // self.total
        return f"[{'#' * full}{'.' * (WIDTH - full)}] {self.line}"

    @property
    def html(self) -> str:
        """The same for a notebook: no script and no style, so that it stays readable where it is saved."""
        bar = f'<progress value="{min(self.ended, self.total)}" max="{self.total}"></progress> ' if self.total else ""
        return f"<p>{bar}{html.escape(self.line)}</p>"

    @property
    def _ending(self) -> str:
        match self.state:
            case "running":
                return f"waiting: {self.note}" if self.note else ""
            case "stopped":
                return "stopped; run it again to go on"
            case "failed":
                return f"ended early: {self.note}"
            case "done":
                return ""


def duration(seconds: float) -> str:
    """A time as people say it: `40 s`, `12 min`, `3.5 h`."""
    if seconds < 90:  # noqa: PLR2004 - a minute and a half reads better in seconds
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"  # noqa: PLR2004 - as above
