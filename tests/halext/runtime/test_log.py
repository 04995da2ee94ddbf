from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest

from halext.runtime import log


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


@pytest.mark.parametrize(
    "secret",
    [
        "hx_0123456789abcdefghijABCDEFGHIJ-_xyz",
        "hxs_0123456789abcdefghijABCDEFGHIJ",
        "hxi_0123456789abcdefghijABCDEFGHIJ",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0abc.c2lnbmF0dXJl-_",
        "sk-proj-0123456789abcdef",
        "MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcdE.abcdefghijklmnopqrstuvwxyz0123456789AB",
        "123456789:AAF0123456789abcdefghijklmnopqrstuv",
        "Zm9vYmFyYmF6Zm9vYmFyYmF6Zm9vYmFyYmF6Zm9vYmE=",
    ],
)
def test_what_looks_like_a_secret_is_hidden(secret: str) -> None:
    for text in (secret, f"GET /bot{secret}/x", f"key={secret};", f"({secret})"):
        assert secret not in log.redact(text)


def test_credentials_in_headers_and_urls_are_hidden() -> None:
    text = log.redact("Authorization: Bearer abc.def-ghi123; postgresql://user:pass-word@host/db; Basic dXNlcjpwdw==")
    assert "abc.def" not in text
    assert "pass-word" not in text
    assert "dXNlcjpwdw" not in text
    assert "@host/db" in text


def test_ordinary_text_stays() -> None:
    text = "mac: 2.1 s (warm, 1 of 4 slots taken); request 9f3ab2c1d0-1f; http://mac.local:11434/api/chat"
    assert log.redact(text) == text


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
    assert event["password"] == log.HIDDEN
    assert "ValueError" in event["exception"]


def test_chatty_libraries_are_quiet(lines: io.StringIO) -> None:
    logging.getLogger("httpx").info("HTTP Request: GET https://api.telegram.org/bot1:x/getMe")
    logging.getLogger("halext.nodes").info("NodeSeen")
    assert len(lines.getvalue().splitlines()) == 1
