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
    before, level = root.handlers[:], root.level
    log.configure("json", "info")
    yield stream
    root.handlers[:] = before
    root.setLevel(level)


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
