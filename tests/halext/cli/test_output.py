from __future__ import annotations

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.cli import output
from halext.runtime.shapes import Step
from tests.halext.cli.conftest import Terminal


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ünï, 漢字, 👩‍👩‍👧\n\tindented", "plain, ünï, 漢字, 👩‍👩‍👧\n\tindented"),
        ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
        ("\x1b]0;title\x07", "␛]0;title␇"),
        ("\x9b2J", "\N{REPLACEMENT CHARACTER}2J"),
        ("one\r\ntwo", "one\ntwo"),
        ("over\rwritten", "overwritten"),
        ("abc\x08\x08", "abc␈␈"),
        ("\u202eevil", "\N{REPLACEMENT CHARACTER}evil"),
        ("\x7f", "\N{SYMBOL FOR DELETE}"),
    ],
)
def test_escape_codes_become_harmless_signs(text: str, shown: str) -> None:
    assert output.harmless(text) == shown


@given(st.text())
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    assert all(c in "\n\t" or not (ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0) for c in output.harmless(text))
    assert len(output.one_line(text).splitlines()) <= 1


def test_a_terminal_gets_harmless_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", screen := Terminal())
    output.out("\x1b[2Jgone", end="")
    assert screen.getvalue() == "␛[2Jgone"


def test_a_pipe_gets_every_character_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    output.out("\x1b[2J\x07", end="")
    output.err("\x1b[1m")
    said = capsys.readouterr()
    assert said.out == "\x1b[2J\x07"
    assert said.err == "\x1b[1m\n"


def test_an_aside_is_dim_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output.aside("by the way")
    assert capsys.readouterr().err == "by the way\n"
    monkeypatch.setattr(sys, "stderr", screen := Terminal())
    output.aside("\x1bby the way")
    assert screen.getvalue() == "\x1b[2m␛by the way\x1b[0m\n"


def test_steps_have_marks_and_on_a_terminal_colours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output.step(ok=True, text="connect")
    output.step(ok=False, text="auth\nrefused")
    assert capsys.readouterr().out == "  ✓ connect\n  ✗ auth refused\n"
    monkeypatch.setattr(sys, "stdout", screen := Terminal())
    output.step(ok=False, text="auth")
    assert screen.getvalue() == "  \x1b[31m✗\x1b[0m auth\n"


def test_json_is_what_the_api_speaks(capsys: pytest.CaptureFixture[str]) -> None:
    output.json([Step(name="connect", ok=True, detail="“fine”")])
    assert json.loads(capsys.readouterr().out) == [{"name": "connect", "ok": True, "detail": "“fine”", "seconds": None}]


def test_a_piped_table_cuts_and_wraps_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 300
    output.table(["name", "what"], [("mac", long), ("[bold]pc[/]", "two\nlines \x1b[31m")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["NAME", "WHAT"]
    assert lines[1].split() == ["mac", long]
    assert lines[2].split() == ["[bold]pc[/]", "two", "lines", "␛[31m"]
    assert all(line == line.rstrip() for line in lines)


def test_a_table_fits_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(sys, "stdout", screen := Terminal())
    output.table(["name", "what"], [("mac", "word " * 30)])
    assert len(screen.getvalue().splitlines()) > 3
    assert "word " * 10 not in screen.getvalue()
