"""What goes to the terminal: answers to standard output, remarks and errors to standard error.

Text from nodes and people may hold escape codes that repaint a terminal, retitle it or turn the writing direction. On
a terminal they are shown as harmless signs; into a file or a pipe every character goes as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Literal, TextIO

MARKS = {True: "✓", False: "✗"}
Colour = Literal["green", "yellow", "red", "dim"]
_CODES: dict[Colour, str] = {"green": "32", "yellow": "33", "red": "31", "dim": "2"}

_KEPT = "\n\t"
_STRANGE = "\N{REPLACEMENT CHARACTER}"
_HARMLESS = {
    **{code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in _KEPT},  # the pictures of control codes
    0x0D: None,  # the first half of Windows' line ends
    0x7F: "\N{SYMBOL FOR DELETE}",
    **dict.fromkeys(range(0x80, 0xA0), _STRANGE),  # C1: a second set of escape codes
    **dict.fromkeys([0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)], _STRANGE),  # direction
}
_ONE_LINE = {**_HARMLESS, 0x0A: " ", 0x09: " ", 0x2028: " ", 0x2029: " "}


def harmless(text: str) -> str:
    """The text with every code that a terminal would obey shown as a sign; line ends and tabs stay."""
    return text.translate(_HARMLESS)


def one_line(text: str) -> str:
    """The same, and on one line."""
    return text.translate(_ONE_LINE)


def out(text: str, end: str = "\n") -> None:
    """Write to standard output, at once."""
    _write(sys.stdout, text, end)


def err(text: str, end: str = "\n") -> None:
    """Write to standard error, at once."""
    _write(sys.stderr, text, end)


def aside(text: str, end: str = "\n") -> None:
    """A remark on standard error that steps back behind the answer."""
    if sys.stderr.isatty():
        sys.stderr.write(coloured(harmless(text), "dim") + end)
        sys.stderr.flush()
    else:
        err(text, end)


def _write(stream: TextIO, text: str, end: str) -> None:
    stream.write((harmless(text) if stream.isatty() else text) + end)
    stream.flush()


def coloured(text: str, colour: Colour) -> str:
    """The text, in colour."""
    return f"\x1b[{_CODES[colour]}m{text}\x1b[0m"


def step(*, ok: bool, text: str) -> None:
    """One line with a mark in front."""
    mark = coloured(MARKS[ok], "green" if ok else "red") if sys.stdout.isatty() else MARKS[ok]
    sys.stdout.write(f"  {mark} {one_line(text)}\n")
    sys.stdout.flush()


def json(value: object) -> None:
    """A value as indented JSON."""
    import msgspec

    out(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows under their titles. On a terminal they are fitted to its width; elsewhere nothing is cut or wrapped."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    on_terminal = sys.stdout.isatty()
    grid = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for title in titles:
        grid.add_column(title.upper(), no_wrap=not on_terminal, overflow="fold")
    for row in rows:
        grid.add_row(*(Text(one_line(cell)) for cell in row))
    console = Console(width=None if on_terminal else 10_000, highlight=False, markup=False, emoji=False)
    with console.capture() as captured:
        console.print(grid)
    for line in captured.get().splitlines():
        sys.stdout.write(line.rstrip() + "\n")
    sys.stdout.flush()
