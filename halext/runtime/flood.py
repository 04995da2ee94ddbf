"""A trouble that comes a thousand times a minute is one line and a count."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass

WINDOW_S = 60.0
BUDGET = 60
"""Different troubles of one logger in a window that have lines of their own; more are counted together."""
_NUMBERS = re.compile(r"\b(?=[0-9a-f-]*\d)[0-9a-f][0-9a-f-]*\b|\d+")
"""Ids, ports, times: two lines that differ in them only say the same."""


@dataclass(slots=True)
class _Trouble:
    first: logging.LogRecord
    until: float
    last: str
    more: int = 0


class Flood(logging.Filter):
    """Lets the first of equal warnings and errors pass, and tells of the others once a minute.

    Counts are told with the next line after their minute, whatever it is about, or by `tell`.
    """

    def __init__(self, handler: logging.Handler) -> None:
        super().__init__()
        self._handler = handler
        self._troubles: dict[tuple[str, int, str], _Trouble] = {}
        self._different: dict[str, int] = {}
        self._window_ends = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this record has a line of its own."""
        self.tell(record.created)
        if record.levelno < logging.WARNING:
            return True
        text = _text(record)
        key = (record.name, record.levelno, _NUMBERS.sub("#", text[:500]) + _fault(record))
        if key not in self._troubles and self._different.get(record.name, 0) >= BUDGET:
            key = (record.name, record.levelno, "")
        if (known := self._troubles.get(key)) is not None:
            known.more, known.last = known.more + 1, text
            return False
        self._troubles[key] = _Trouble(record, record.created + WINDOW_S, text)
        self._different[record.name] = self._different.get(record.name, 0) + 1
        return True

    def tell(self, now: float) -> None:
        """Write the counts whose minute is over."""
        if now >= self._window_ends:
            self._different.clear()
            self._window_ends = now + WINDOW_S
        over = [key for key, trouble in self._troubles.items() if trouble.until <= now]
        for trouble in [self._troubles.pop(key) for key in over]:
            if trouble.more:
                self._handler.emit(_count(trouble))


def _text(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001  (a mistake in a log line must not reach who logs; the handler says it)
        return str(record.msg)


def _fault(record: logging.LogRecord) -> str:
    """What kind of exception and where, since one sentence may stand over many faults."""
    if not record.exc_info or record.exc_info[0] is None:
        return ""
    kind, _, trace = record.exc_info
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{kind.__name__} {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else kind.__name__


def _count(trouble: _Trouble) -> logging.LogRecord:
    first = trouble.first
    text = "%d more like this within a minute, the last one: %s"
    args = (trouble.more, trouble.last)
    return logging.LogRecord(first.name, first.levelno, first.pathname, first.lineno, text, args, None)
