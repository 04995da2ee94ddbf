"""Log lines: one per event, to standard error, without secrets.

Every line of every library passes the same redaction, also those that are not ours: some libraries log whole URLs.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Literal, TextIO

import structlog

from halext.runtime.flood import Flood
from halext.runtime.redaction import HIDDEN, one_line, redact

QUIET = (
    "httpx",
    "httpcore",
    "aiosqlite",
    "apscheduler",
    "alembic",
    "asyncio",
    "uvicorn",
    "aiohttp",
    "multipart",
    "telegram",
    "discord",
)
"""Libraries whose chatter below a warning helps nobody, and may hold URLs with tokens."""
TEXT_MAX = 4_000
"""Characters of one field: nobody reads more, and what is logged may come from anywhere."""
TRACE_MAX = 20_000
MARGIN = 256
"""Characters before a cut that may hold half of a secret, which nobody would recognise."""

_NAMES = re.compile(r"(?i)password|passwd|secret|token|api_?key|authorization|cookie|master_key|credential")
_EDGE = "  | "
"""In front of every line of a traceback, so that none of them looks like a line of the log."""
_log = logging.getLogger("halext")


def _redact_event(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    for key, value in event.items():
        if _NAMES.search(key):
            event[key] = HIDDEN
        elif key in {"exception", "stack"} and isinstance(value, str):
            event[key] = _traceback(value)
        elif isinstance(value, str):
            event[key] = _text(value)
        elif not isinstance(value, int | float | bool | type(None)):
            event[key] = _text(repr(value))
    return event


def _text(value: str) -> str:
    if len(value) > TEXT_MAX:
        shown = one_line(redact(value[: TEXT_MAX * 2]))
        return shown[: min(TEXT_MAX, len(shown) - MARGIN)] + "…"
    return one_line(redact(value))


def _traceback(value: str) -> str:
    """A traceback's end says what went wrong, so a long one loses its middle."""
    value = redact(value if len(value) <= TRACE_MAX * 4 else value[: TRACE_MAX * 2] + "\n" + value[-TRACE_MAX * 2 :])
    if len(value) > TRACE_MAX:
        value = f"{value[: TRACE_MAX // 2]}\n…\n{value[-TRACE_MAX // 2 :]}"
    return "\n".join(_EDGE + one_line(line) for line in value.split("\n"))


class _Stderr(logging.StreamHandler[TextIO]):
    """What it can't write it does not quote: logging's own way would print every argument as it is."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (logging's name)
        """Say where the mistake is, if that can be said."""
        place = f"{record.pathname}:{record.lineno}"
        with suppress(OSError, ValueError):
            self.stream.write(f"a line of {one_line(record.name)} could not be written ({place})\n")


def formatter(log_format: Literal["console", "json"], *, colours: bool = False) -> logging.Formatter:
    """Makes a line of any record; every handler that writes somewhere has one."""
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact_event,
    ]
    if log_format == "json":
        renderer: structlog.types.Processor = structlog.processors.JSONRenderer()
    else:
        plain = structlog.dev.plain_traceback
        renderer = structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=plain)
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )


def configure(log_format: Literal["console", "json"], level: str) -> None:
    """Send the whole process's log lines to standard error, also its last one; called once, at start."""
    handler = _Stderr(sys.stderr)
    handler.setFormatter(formatter(log_format, colours=sys.stderr.isatty()))
    handler.addFilter(Flood(handler))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    sys.excepthook = _crashed


def tell_counts(now: float) -> None:
    """Say how often troubles came again, in a house where nothing else is logged; called once a minute."""
    for handler in logging.getLogger().handlers:
        for each in handler.filters:
            if isinstance(each, Flood):
                each.tell(now)


def _crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    _log.critical("halext has stopped by a fault", exc_info=(kind, error, trace))
