"""Where progress is seen."""

from __future__ import annotations

import io
import sys

import pytest

from halext.client import notebook
from halext.client.bar import CellBar, NoBar, TerminalBar, bar_for, bundle
from halext.client.progress import Progress


class Slot:
    """What a notebook would show."""

    shown: list[dict[str, str]]

    def __init__(self, content: dict[str, str]) -> None:
        type(self).shown = [content]

    def update(self, content: dict[str, str]) -> None:
        self.shown.append(content)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_cell_keeps_the_last_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "Slot", Slot)
    monkeypatch.setattr(notebook, "shell", object)
    progress = Progress(total=2)
    bar = bar_for(progress, shown=None)
    assert isinstance(bar, CellBar)
    progress.done = 1
    bar.update(progress)
    progress.state = "stopped"
    bar.end(progress)
    assert [content["text/plain"].partition("] ")[2] for content in Slot.shown] == [
        "0 of 2 done",
        "1 of 2 done",
        "1 of 2 done · stopped; run it again to go on",
    ]
    assert Slot.shown[-1] == bundle(progress)


def test_a_terminal_has_one_line_and_gets_no_commands() -> None:
    out = io.StringIO()
    bar = TerminalBar(out)
    bar.update(Progress("a\x1b[31mb"))
    bar.end(Progress(done=1))
    assert out.getvalue() == "\r\x1b[Ka[31mb: 0 done\r\x1b[K1 done\n"


def test_nothing_is_shown_where_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert isinstance(bar_for(Progress(), shown=None), NoBar)
    assert isinstance(bar_for(Progress(), shown=True), TerminalBar)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert isinstance(bar_for(Progress(), shown=None), TerminalBar)
    quiet = bar_for(Progress(), shown=False)
    quiet.update(Progress())
    quiet.end(Progress())
    assert terminal.getvalue() == ""
