"""How Ollama reads and writes the odd fields: keep_alive, times, versions, Host."""

from __future__ import annotations

import datetime as dt
import ipaddress
import math
import re
from typing import Any

from halext.testing.fake import Refusal

DURATION = re.compile(r"([-+]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h))+)")
DURATION_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)")
UNIT_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
TEXTS = {
    400: "invalid request",
    404: "model not found",
    500: "llama runner process has terminated: exit status 2",
    503: "server busy, please try again.  maximum pending requests exceeded",
}
"""What goes with a status; the two spaces are Ollama's own."""
FOREVER_S = (2**63 - 1) / 1e9
"""Go's longest duration, 292 years: how Ollama writes "for ever"."""
OFFSET = dt.timezone(dt.timedelta(hours=2))
"""Ollama writes `expires_at` in local time; a server in another zone than its reader is the harder case."""


def keep_alive_s(value: Any) -> float | None:
    """Seconds; infinite for ever, None when the request does not say. Refusal for what Go can't read."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Refusal(400, f"Unsupported type: '{type(value).__name__}'")
    seconds = _go_duration(value) if isinstance(value, str) else float(value)
    return math.inf if seconds < 0 else seconds


def _go_duration(text: str) -> float:
    if text.lstrip("+-") == "0":
        return 0.0
    whole = DURATION.fullmatch(text)
    if whole is None:
        missing_unit = re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)", text)
        raise Refusal(400, f'time: {"missing unit in" if missing_unit else "invalid"} duration "{text}"')
    seconds = sum(float(number) * UNIT_S[unit] for number, unit in DURATION_PART.findall(whole[2]))
    return -seconds if whole[1] == "-" else seconds


def utc_stamp(now: float) -> str:
    """`created_at`: UTC with nine fraction digits."""
    moment = dt.datetime.fromtimestamp(now, dt.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}123Z"


def local_stamp(now: float) -> str:
    """`expires_at` and `modified_at`: a local offset, nine fraction digits, and a year near 2318 for "for ever"."""
    moment = dt.datetime.fromtimestamp(0, OFFSET) + dt.timedelta(seconds=min(now, FOREVER_S + 1.8e9))
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}456+02:00"


def nanoseconds(seconds: float) -> int:
    """Durations on the wire."""
    return round(seconds * 1e9)


def version_key(version: str) -> tuple[int, ...]:
    """`0.33.0-rc2` as (0, 33, 0), to compare by."""
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("-")[0])[:3])


def host_allowed(host: str) -> bool:
    """Ollama's rule for the Host header while it listens on loopback."""
    name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
    name = name.strip("[]").lower()
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name in {"", "localhost"} or name.endswith((".local", ".internal", ".localhost"))
    return address.is_loopback or address.is_private or address.is_unspecified
