"""Durations, sizes and moments as people write and read them. Pure.

Every reader raises `ValueError` with a sentence that shows the right form.
"""

from __future__ import annotations

import re
from datetime import datetime, tzinfo
from fractions import Fraction

SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
BYTES: dict[str, int] = {
    "b": 1,
    **{f"{prefix}b": 1000**power for power, prefix in enumerate("kmgt", start=1)},
    **{f"{prefix}ib": 1024**power for power, prefix in enumerate("kmgt", start=1)},
}
LONGEST_S = 100 * 365 * 86_400
"""A hundred years: more is a slip of the finger, and dates far beyond it can't be shown."""
LARGEST_BYTES = 10**15
"""A petabyte: no node has so much memory."""

_PART = re.compile(r"(\d{1,12}(?:\.\d{1,6})?) *([a-z]+) *", re.ASCII)


def parse_duration(text: str) -> float:
    """Seconds in `90s`, `15m`, `2h`, `1h30m`, `30d` or `2w`; always more than none."""
    wrong = f"{text!r} is no duration; write it like 90s, 15m, 2h, 1h30m, 30d or 2w."
    total, position, written = Fraction(0), 0, text.strip().casefold()
    while position < len(written):
        part = _PART.match(written, position)
        if part is None or part[2] not in SECONDS:
            raise ValueError(wrong)
        total += Fraction(part[1]) * SECONDS[part[2]]
        position = part.end()
    if not 0 < total <= LONGEST_S:
        raise ValueError(wrong)
    return float(total)


def parse_size(text: str) -> int:
    """Bytes in `16GB` (thousands), `16GiB` (1024s) or `512MB`; always at least one."""
    wrong = f"{text!r} is no size; write it like 16GB, 24GiB or 512MB."
    part = _PART.fullmatch(text.strip().casefold())
    if part is None or part[2] not in BYTES:
        raise ValueError(wrong)
    size = round(Fraction(part[1]) * BYTES[part[2]])
    if not 0 < size <= LARGEST_BYTES:
        raise ValueError(wrong)
    return size


def parse_picture_size(text: str) -> tuple[int, int]:
    """Width and height in `512x768`, in pixels."""
    found = re.fullmatch(r"(\d{1,5}) *[x×] *(\d{1,5})", text.strip().casefold(), re.ASCII)
    if found is None:
        raise ValueError(f"{text!r} is no size of a picture; write it like 512x768.")
    return int(found[1]), int(found[2])


def show_duration(seconds: float) -> str:
    """A duration in the unit that suits it: `12 ms`, `3.4 s`, `5 min`, `2.5 h`, `30 d`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < SECONDS["m"]:
        return f"{seconds:.1f} s"
    for unit, label in (("d", "d"), ("h", "h"), ("m", "min")):
        if seconds >= SECONDS[unit]:
            return f"{_short(seconds / SECONDS[unit])} {label}"
    raise AssertionError("a minute or more is at least a minute")


def show_size(size: int) -> str:
    """A size in thousands, as Ollama shows models: `2.0 GB`; `-` where it is not known."""
    if size <= 0:
        return "-"
    for prefix in ("T", "G", "M", "k"):
        if size >= BYTES[f"{prefix.casefold()}b"]:
            return f"{size / BYTES[f'{prefix.casefold()}b']:.1f} {prefix}B"
    return f"{size} B"


def show_time(epoch_s: float | None, zone: tzinfo | None = None) -> str:
    """A moment on the clock of `zone` (None: of this machine), to the minute; `-` for never."""
    if epoch_s is None:
        return "-"
    return datetime.fromtimestamp(epoch_s, zone).astimezone(zone).strftime("%Y-%m-%d %H:%M")


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
