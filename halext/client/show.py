"""Showing an answer while it comes: in a notebook's cell, on a terminal, or not at all."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

from halext.client import notebook
from halext.client.markdown import safe_markdown
from halext.runtime.clock import SystemClock
from halext.types import Clock

if TYPE_CHECKING:
    from halext.client.reply import Reply

UPDATE_S = 0.1
"""A notebook takes a millisecond or more per update; ten in a second read as flowing text."""


class Show(Protocol):
    """Told of every piece, and of the end."""

    def piece(self, text: str) -> None:
        """A piece has come; the reply holds it already."""

    def end(self) -> None:
        """No more will come."""


class Cell:
    """Shows the answer in the output of a notebook's cell."""

    def __init__(self, reply: Reply, clock: Clock) -> None:
        self._reply = reply
        self._clock = clock
        self._slot = notebook.Slot({"text/plain": "…"})
        self._updated_at = clock.monotonic()

    def piece(self, _text: str) -> None:
        """Show what there is, at most ten times a second."""
        now = self._clock.monotonic()
        if now - self._updated_at >= UPDATE_S:
            self._updated_at = now
            self._update()

    def end(self) -> None:
        """Show all of it."""
        self._update()
        self._reply.was_shown()

    def _update(self) -> None:
        text = self._reply.text
        self._slot.update({"text/plain": text, "text/markdown": safe_markdown(text)})


class Terminal:
    """Writes the answer as it comes."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def piece(self, text: str) -> None:
        """Write it at once, without what a terminal would take for a command."""
        self._out.write("".join(char for char in text if char.isprintable() or char in "\n\t"))
        self._out.flush()

    def end(self) -> None:
        """End the line."""
        self._out.write("\n")
        self._out.flush()


class Silent:
    """Shows nothing."""

    def piece(self, text: str) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""


@contextmanager
def showing(stream: bool | None, reply: Reply, clock: Clock | None = None) -> Iterator[Show]:  # noqa: FBT001 - as in ask
    """Shows `reply` until the block ends, however it ends. None means: in a notebook, and nowhere else."""
    show = _show(stream, reply, clock or SystemClock())
    try:
        yield show
    finally:
        show.end()


def _show(stream: bool | None, reply: Reply, clock: Clock) -> Show:  # noqa: FBT001
    if stream is False:
        return Silent()
    if notebook.shell() is not None:
        return Cell(reply, clock)
    return Terminal(sys.stdout) if stream else Silent()
