from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.dialects.failures import MAX_TEXT, failure_text, parse_failure, parse_failure_line, parse_retry_after
from halext.errors import (
    BadAnswer,
    KeyRefused,
    ModelMissing,
    RateLimited,
    RequestRefused,
    Unreachable,
    UpstreamError,
)

BUSY = "server busy, please try again.  maximum pending requests exceeded"
PAGE = b"<!DOCTYPE html><html><title>Error</title></html>"


def said(text: str) -> bytes:
    return json.dumps({"error": text}).encode()


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, said("invalid options"), RequestRefused),
        (400, b"", RequestRefused),
        (401, said("unauthorized"), KeyRefused),
        (401, PAGE, KeyRefused),
        (403, b"", KeyRefused),
        (403, PAGE, KeyRefused),
        (404, said("model 'x' not found"), ModelMissing),
        (404, said('model "x" not found, try pulling it first'), ModelMissing),
        (404, b"404 page not found", BadAnswer),
        (404, PAGE, Unreachable),
        (405, b"", RequestRefused),
        (413, said("too large"), RequestRefused),
        (429, said("slow down"), RateLimited),
        (429, b"", RateLimited),
        (499, said("request canceled"), RequestRefused),
        (500, said("llama runner process has terminated"), BadAnswer),
        (500, b"", BadAnswer),
        (500, PAGE, Unreachable),
        (502, PAGE, Unreachable),
        (502, b"error code: 502", Unreachable),
        (502, said("upstream model failed"), BadAnswer),
        (503, said(BUSY), RateLimited),
        (503, b"", RateLimited),
        (503, PAGE, Unreachable),
        (504, b"", Unreachable),
        (521, b"", Unreachable),
        (530, b"error code: 1033", Unreachable),
        (301, b"", BadAnswer),
        (308, PAGE, BadAnswer),
        (600, b"", BadAnswer),
    ],
)
def test_what_a_status_means(status: int, body: bytes, error: type[UpstreamError]) -> None:
    assert type(parse_failure(status, body)) is error


def test_an_embedding_that_fails_with_400_may_work_elsewhere() -> None:
    body = said("llama runner process has terminated: cudaMalloc failed: out of memory")
    failure = parse_failure(400, body, embedding=True)
    assert type(failure) is BadAnswer
    assert failure.retryable
    assert "out of memory" in failure.message
    assert type(parse_failure(404, said("model 'x' not found"), embedding=True)) is ModelMissing


def test_an_empty_403_says_how_to_set_the_host() -> None:
    assert "--header Host=localhost:11434" in parse_failure(403, b"").message
    assert "halext node add" in parse_failure(401, b"").message


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (None, None),
        ("", None),
        ("7", 7.0),
        (" 1.5 ", 1.5),
        ("0", 0.0),
        ("-1", None),
        ("nan", None),
        ("inf", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
    ],
)
def test_retry_after(header: str | None, wanted: float | None) -> None:
    assert parse_retry_after(header) == wanted
    assert parse_failure(503, b"", header).retry_after_s == wanted


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"error": "plain"}, "plain"),
        ({"error": {"message": "in OpenAI's shape", "type": "x", "code": None}}, "in OpenAI's shape"),
        ({"object": "error", "message": "vLLM's older shape"}, "vLLM's older shape"),
        ({"detail": "FastAPI's shape"}, "FastAPI's shape"),
        ("only a text", "only a text"),
        ({"error": {"error": {"error": {"error": "too deep"}}}}, None),
        ({"error": ""}, None),
        ({"status": "ok"}, None),
        ([1], None),
        ({"error": 5}, None),
    ],
)
def test_the_sentence_is_found_in_every_shape(body: object, wanted: str | None) -> None:
    assert failure_text(json.dumps(body).encode()) == wanted


def test_a_nodes_words_become_one_short_printable_line() -> None:
    message = parse_failure(500, said("a\nb\x1b[31mc" + "x" * 10_000)).message
    assert message.isprintable()
    assert len(message) < MAX_TEXT + 50
    assert message.endswith("…")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("model 'x' not found", ModelMissing),
        (BUSY, RateLimited),
        ("Loading model", RateLimited),
        ("an error was encountered while running the model: unexpected EOF", BadAnswer),
        ("file not found", BadAnswer),
        ("", BadAnswer),
    ],
)
def test_what_an_error_line_means(text: str, error: type[UpstreamError]) -> None:
    assert type(parse_failure_line(text)) is error


@given(st.integers(300, 999), st.binary(), st.text() | st.none(), st.booleans())
def test_every_answer_means_something(status: int, body: bytes, header: str | None, embedding: bool) -> None:
    failure = parse_failure(status, body, header, embedding=embedding)
    assert failure.message
    assert failure.message.isprintable()


def test_a_depth_bomb_is_only_an_unreadable_body() -> None:
    assert failure_text(b'{"error":' * 100_000) is None
