"""What a node's refusal means, whichever dialect it speaks.

The status counts first and the text second, because texts vary by route and version.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from halext.errors import (
    BadAnswer,
    KeyRefused,
    ModelMissing,
    RateLimited,
    RequestRefused,
    Unreachable,
    UpstreamError,
)

MAX_TEXT = 300
"""Characters of a node's own words that are passed on: enough for every text of Ollama's and llama.cpp's."""

_TUNNEL = frozenset({502, 504, *range(520, 528), 530})
"""Statuses by which proxies and tunnels say that the server behind them is gone."""
_UNAUTHORIZED = 401
_REDIRECT = range(300, 400)
_REFUSED = range(400, 500)
_ANY = msgspec.json.Decoder()


def parse_failure(
    status: int, body: bytes, retry_after: str | None = None, *, embedding: bool = False
) -> UpstreamError:
    """The error for an answer of `status` (other than 2xx) with its whole body and its Retry-After header.

    With `embedding`, a 400 may be the node's own trouble: Ollama answers so when it runs out of memory on this route.
    The caller fills in `node` and `endpoint`.
    """
    text = failure_text(body)
    because = f": {text}" if text else ""
    match status:
        case 401 | 403:
            return KeyRefused(_refusal(status, text))
        case _ if status in _REDIRECT:
            return BadAnswer(f"The node redirects elsewhere (status {status}); register the address it points to.")
        case 429 | 503 if text is not None or not _is_page(body):
            return RateLimited(f"The node says that it is busy{because}", retry_after_s=parse_retry_after(retry_after))
        case _ if text is None and (status in _TUNNEL or _is_page(body)):
            return Unreachable(f"A proxy answers in place of the node (status {status}); the node is off or away.")
        case 404:
            return _missing(text)
        case 400 if embedding:
            return BadAnswer(f"The node could not embed this{because}")
        case _ if status in _REFUSED:
            return RequestRefused(f"The node refused the request (status {status}){because}")
        case _:
            return BadAnswer(f"The node failed (status {status}){because}")


def parse_failure_line(text: str) -> UpstreamError:
    """The error for a failure that came as a line or event of a stream, where its status is lost."""
    lowered = text.lower()
    if "not found" in lowered and "model" in lowered:
        return ModelMissing(clipped(text))
    if "server busy" in lowered or "maximum pending requests" in lowered or "loading model" in lowered:
        return RateLimited(f"The node says that it is busy: {clipped(text)}")
    return BadAnswer(f"The node failed: {clipped(text)}")


def parse_retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header; None for a date, which would need a clock, and for anything unreadable."""
    try:
        seconds = float(value or "")
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def failure_text(body: bytes) -> str | None:
    """The sentence in a JSON error body, of whichever shape; None when it holds none."""
    try:
        found = _ANY.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return said(found)


def said(value: Any) -> str | None:
    """The sentence in a decoded error: a text, or an object with one under `error`, `message` or `detail`."""
    for _ in range(3):
        if isinstance(value, str):
            return clipped(value) or None
        if not isinstance(value, dict):
            return None
        value = value.get("error") or value.get("message") or value.get("detail")
    return None


def clipped(text: str) -> str:
    """The text on one line, printable and short enough for a message."""
    line = "".join(char if char.isprintable() else " " for char in text[: MAX_TEXT + 1]).strip()
    return line if len(line) <= MAX_TEXT else line[: MAX_TEXT - 1] + "…"


def _is_page(body: bytes) -> bool:
    return body.lstrip()[:1] == b"<"


def _missing(text: str | None) -> UpstreamError:
    if text is None:
        return BadAnswer("The node does not know this address (status 404); is another kind of server listening there?")
    return ModelMissing(f"The node says: {text}")


def _refusal(status: int, text: str | None) -> str | None:
    if text is None and status != _UNAUTHORIZED:
        return (
            "The node refuses the Host or Origin it is asked under (status 403); for Ollama behind a proxy or tunnel "
            "set it with `halext node add NAME URL --header Host=localhost:11434`."
        )
    return f"The node refused halext's key: {text}" if text else None
