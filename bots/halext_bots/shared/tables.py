"""Tables as columns of characters, for platforms that have none."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from halext_bots.shared.document import Align
from halext_bots.shared.lines import Line

PADDED_MAX = 28
"""Columns of the screen that a cell is filled up to; longer ones push what follows to the right."""


def aligned(rows: Sequence[Line]) -> list[str]:
    """The rows of one table as lines of equal columns, with a line under the header."""
    columns = max(len(row.runs) for row in rows)
    widths = [max(_width(row, column) for row in rows) for column in range(columns)]
    drawn = []
    for row in rows:
        drawn.append(" | ".join(_cell(row, column, width) for column, width in enumerate(widths)).rstrip())
        if row.is_header:
            drawn.append("-+-".join("-" * width for width in widths))
    return drawn


def screen_width(text: str) -> int:
    """Columns that a text takes in a font of fixed width."""
    return sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    if unicodedata.category(char) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _width(row: Line, column: int) -> int:
    return min(screen_width(_words(row, column)), PADDED_MAX)


def _words(row: Line, column: int) -> str:
    return row.runs[column].text if column < len(row.runs) else ""


def _cell(row: Line, column: int, width: int) -> str:
    text = _words(row, column)
    missing = max(width - screen_width(text), 0)
    align: Align = row.aligns[column] if column < len(row.aligns) else ""
    left = {"right": missing, "center": missing // 2}.get(align, 0)
    return " " * left + text + " " * (missing - left)
