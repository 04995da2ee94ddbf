from __future__ import annotations

import io
import sys
from typing import Any

import pytest
import typer

from halext.cli import entry
from halext.errors import TooLarge
from tests.halext.cli.conftest import Terminal


def pipe(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))


def test_a_piped_secret_is_the_first_line(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe(monkeypatch, b" pass word \r\nmore\n")
    assert entry.read_secret("Password") == " pass word "


def test_an_empty_secret_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe(monkeypatch, b"\n")
    with pytest.raises(typer.BadParameter, match="Password is empty"):
        entry.read_secret("Password")


@pytest.mark.parametrize("twice", [True, False])
def test_a_person_is_asked_without_an_echo(monkeypatch: pytest.MonkeyPatch, twice: bool) -> None:
    asked: dict[str, Any] = {}

    def prompt(label: str, **options: Any) -> str:
        asked.update(options, label=label)
        return "typed"

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(typer, "prompt", prompt)
    assert entry.read_secret("Password", twice=twice) == "typed"
    assert asked == {"label": "Password", "hide_input": True, "confirmation_prompt": twice, "err": True}


def test_all_of_a_pipe_is_read_without_its_last_line_end(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe(monkeypatch, "eins\nzwei ü\n\n".encode())
    assert entry.read_piped() == "eins\nzwei ü"


def test_bytes_that_are_no_text_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe(monkeypatch, b"a\xffb")
    assert entry.read_piped() == "a\N{REPLACEMENT CHARACTER}b"


@pytest.mark.parametrize("stdin", [Terminal("not read"), None])
def test_nothing_is_read_from_a_person_or_from_nothing(monkeypatch: pytest.MonkeyPatch, stdin: Terminal | None) -> None:
    monkeypatch.setattr(sys, "stdin", stdin)
    assert entry.read_piped() == ""


def test_an_endless_pipe_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe(monkeypatch, b"x" * entry.INPUT_MAX_BYTES)
    assert len(entry.read_piped()) == entry.INPUT_MAX_BYTES
    pipe(monkeypatch, b"x" * (entry.INPUT_MAX_BYTES + 1))
    with pytest.raises(TooLarge, match="1000 kB"):
        entry.read_piped()
