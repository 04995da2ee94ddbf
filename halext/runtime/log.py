"""Log lines: one per event, to standard error, without secrets.

Every line of every library passes the same redaction, also those that are not ours: some libraries log whole URLs.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal

import structlog

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

_SECRETS = (
    re.compile(r"hx[a-z]?_[A-Za-z0-9_-]{8,}"),  # halext's own tokens, sessions and codes
    re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),  # JWTs
    re.compile(r"(?i)(?<=bearer )[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(r"(?i)(?<=basic )[A-Za-z0-9+/=]{8,}"),
    re.compile(r"sk-[A-Za-z0-9_-]{8,}"),  # what API keys of other services look like
    re.compile(r"\d{6,12}:[A-Za-z0-9_-]{30,}"),  # Telegram bot tokens, which stand in URLs
    re.compile(r"[A-Za-z0-9_-]{23,28}\.[A-Za-z0-9_-]{6,7}\.[A-Za-z0-9_-]{27,}"),  # Discord bot tokens
    re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"),  # user:password in a URL
    re.compile(r"[A-Za-z0-9_-]{43}=(?![A-Za-z0-9_=-])"),  # Fernet keys
)
_NAMES = re.compile(r"(?i)password|passwd|secret|token|api_?key|authorization|cookie|master_key|credential")
HIDDEN = "[hidden]"


def redact(text: str) -> str:
    """`text` without anything that looks like a secret."""
    for pattern in _SECRETS:
        text = pattern.sub(HIDDEN, text)
    return text


def _redact_event(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    for key, value in event.items():
        if _NAMES.search(key):
            event[key] = HIDDEN
        elif isinstance(value, str):
            event[key] = _one_line(redact(value)) if key != "exception" else redact(value)
        elif not isinstance(value, int | float | bool | type(None)):
            event[key] = _one_line(redact(repr(value)))
    return event


def _one_line(text: str) -> str:
    """Text from outside can't start a line of its own, colour the terminal or turn the writing direction."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def configure(log_format: Literal["console", "json"], level: str) -> None:
    """Send the whole process's log lines to standard error; called once, at start."""
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
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
