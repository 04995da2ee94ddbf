from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest

from halext.runtime import log
from halext.runtime.redaction import HIDDEN


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    root = logging.getLogger()
    before, level, hook = root.handlers[:], root.level, sys.excepthook
    log.configure("json", "info")
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    sys.excepthook = hook


def test_one_event_is_one_json_line(lines: io.StringIO) -> None:
    logging.getLogger("someone").warning("two\nlines \x1b[31mred %s", "\u202eevil")
    (line,) = lines.getvalue().splitlines()
    event = json.loads(line)
    assert event["event"] == "two\\nlines \\x1b[31mred \\u202eevil"
    assert event["level"] == "warning"
    assert event["logger"] == "someone"
    assert "timestamp" in event


def test_fields_and_tracebacks_are_redacted(lines: io.StringIO) -> None:
    token = "hx_0123456789abcdefghijABCDEFGHIJ"
    try:
        raise ValueError(token)
    except ValueError:
        logging.getLogger("x").exception("failed with %s", token, extra={"password": "p", "url": {"t": token}})
    event = json.loads(lines.getvalue())
    assert token not in lines.getvalue()
    assert event["password"] == HIDDEN
    assert "ValueError" in event["exception"]


def test_chatty_libraries_are_quiet(lines: io.StringIO) -> None:
    logging.getLogger("httpx").info("HTTP Request: GET https://api.telegram.org/bot1:x/getMe")
    logging.getLogger("halext.nodes").info("NodeSeen")
    assert len(lines.getvalue().splitlines()) == 1


def test_equal_troubles_collapse(lines: io.StringIO) -> None:
    for number in range(50):
        logging.getLogger("x").error("request %d failed", number)
    assert len(lines.getvalue().splitlines()) == 1
    log.tell_counts(1e12)
    assert "49 more like this" in lines.getvalue()


@pytest.fixture
def console(lines: io.StringIO) -> io.StringIO:
    log.configure("console", "info")
    return lines


EVIL = "x\r\n2026-01-01T00:00:00Z [info     ] forged\x1b[31m\u202e\x85\u2028\x07"


def test_nothing_from_outside_begins_a_line_or_speaks_to_the_terminal(console: io.StringIO) -> None:
    try:
        raise ValueError(EVIL) from KeyError(EVIL)
    except ValueError:
        logging.getLogger("x").exception(EVIL, extra={"path": EVIL, "list": [EVIL]})
    text = console.getvalue()
    assert not any(line.startswith("2026-01-01") for line in text.splitlines())
    assert all(character.isprintable() or character == "\n" for character in text)
    assert all(line.startswith("  | ") for line in text.split("\n")[1:-1])


def test_long_texts_are_cut_and_no_half_of_a_secret_stays(lines: io.StringIO) -> None:
    secret = "hx_" + "Q" * 40
    for shift in range(len(secret) + 1):
        logging.getLogger("x").info("%s%s", "a" * shift, f" {secret}" * 300)
    try:
        raise ValueError("y" * 500_000 + secret)
    except ValueError:
        logging.getLogger("x").exception("z" * 500_000)
    assert "QQQQ" not in lines.getvalue()
    assert max(map(len, lines.getvalue().splitlines())) < log.TRACE_MAX * 2


def test_a_line_that_cannot_be_made_is_not_quoted(lines: io.StringIO) -> None:
    args = ("hunter-two-is-my-password",)
    logging.getLogger().handlers[0].handle(logging.LogRecord("x", logging.ERROR, "f.py", 1, "%d of them", args, None))
    assert "could not be written" in lines.getvalue()
    assert "hunter" not in lines.getvalue()


def test_the_last_line_of_a_crash_is_redacted_too(lines: io.StringIO) -> None:
    error = RuntimeError("postgresql://u:hunter-two@host/db")
    sys.excepthook(RuntimeError, error, None)
    assert "RuntimeError" in lines.getvalue()
    assert "hunter" not in lines.getvalue()
