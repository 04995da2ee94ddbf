"""Showing: how often, where, and what a terminal never gets."""

from __future__ import annotations

import asyncio
import io
from contextlib import suppress

import pytest

from halext.client import notebook
from halext.client.reply import Reply
from halext.client.show import Cell, Silent, Terminal, showing
from halext.client.sync import Client
from halext.messages import ChatChunk
from halext.testing.clock import ManualClock


class Slot:
    """What a notebook would show."""

    updates: list[dict[str, str]]

    def __init__(self, content: dict[str, str]) -> None:
        type(self).updates = [content]

    def update(self, content: dict[str, str]) -> None:
        self.updates.append(content)


async def test_a_cell_is_updated_ten_times_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "Slot", Slot)
    clock, reply = ManualClock(), Reply()
    cell = Cell(reply, clock)
    for number in range(100):
        reply.take(ChatChunk(text=f"{number} "))
        cell.piece(f"{number} ")
        await clock.advance(0.01)
    cell.end()
    assert len(Slot.updates) <= 1 + 10 + 1
    assert Slot.updates[-1]["text/plain"] == reply.text
    assert reply.text.startswith("0 1 2 ")
    assert reply.text.endswith(" 99 ")


def test_a_terminal_gets_no_commands() -> None:
    out = io.StringIO()
    terminal = Terminal(out)
    terminal.piece("a\x1b[31mb\n\tc\x07\u202e")
    terminal.end()
    assert out.getvalue() == "a[31mb\n\tc\n"


def test_silent_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    silent = Silent()
    silent.piece("a")
    silent.end()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("stream", "kind"), [(None, Silent), (False, Silent), (True, Terminal)])
def test_outside_a_notebook(stream: bool | None, kind: type, capsys: pytest.CaptureFixture[str]) -> None:
    with showing(stream, Reply()) as show:
        assert isinstance(show, kind)


def test_the_end_is_shown_when_it_fails_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "Slot", Slot)
    monkeypatch.setattr(notebook, "shell", object)
    monkeypatch.setattr(notebook, "cell", lambda: 1)
    reply = Reply()
    with suppress(KeyboardInterrupt), showing(None, reply):
        reply.take(ChatChunk(text="so far"))
        raise KeyboardInterrupt
    assert Slot.updates[-1]["text/plain"] == "so far"


async def test_ask_prints_when_told_and_not_otherwise(hx: Client, capsys: pytest.CaptureFixture[str]) -> None:
    await asyncio.to_thread(hx.ask, "hi", model="llama3.2:3b")
    assert capsys.readouterr().out == ""
    await asyncio.to_thread(hx.ask, "hi", model="llama3.2:3b", stream=True)
    assert capsys.readouterr().out == "Hello there\n"
