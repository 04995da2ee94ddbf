"""Where the progress of a map is seen: in the notebook's cell that began it, on a terminal, or nowhere."""

from __future__ import annotations

import sys
from typing import Protocol, TextIO

from halext.client import notebook
from halext.client.progress import Progress


class Bar(Protocol):
    """Shows progress; called a few times a second, from any thread."""

    def update(self, progress: Progress) -> None:
        """Show how far it is now."""

    def end(self, progress: Progress) -> None:
        """Show how it ended."""


class CellBar:
    """One place in the output of the cell that began the map; it stays there when the cell has ended."""

    def __init__(self, progress: Progress) -> None:
        self._slot = notebook.Slot(bundle(progress))

    def update(self, progress: Progress) -> None:
        """Replace what is there."""
        self._slot.update(bundle(progress))

    def end(self, progress: Progress) -> None:
        """Leave the last state, also in a saved notebook."""
        self._slot.update(bundle(progress))


class TerminalBar:
    """One line that is written over."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def update(self, progress: Progress) -> None:
        """Write over the line."""
        self._write(progress, "")

    def end(self, progress: Progress) -> None:
        """Write it for the last time."""
        self._write(progress, "\n")

    def _write(self, progress: Progress, after: str) -> None:
        told = "".join(char for char in progress.text if char.isprintable())  # names come from elsewhere
        self._out.write(f"\r\x1b[K{told}{after}")
        self._out.flush()


class NoBar:
    """Shows nothing."""

    def update(self, progress: Progress) -> None:
        """Nothing."""

    def end(self, progress: Progress) -> None:
        """Nothing."""


def bar_for(progress: Progress, *, shown: bool | None) -> Bar:
    """None means: in a notebook and on a terminal, where somebody sees it, and nowhere else."""
    if shown is False:
        return NoBar()
    if notebook.shell() is not None:
        return CellBar(progress)
    return TerminalBar(sys.stderr) if shown or sys.stderr.isatty() else NoBar()


def bundle(progress: Progress) -> dict[str, str]:
    """The progress in both forms."""
    return {"text/plain": progress.text, "text/html": progress.html}
