from __future__ import annotations

import pytest

from halext.runtime import redaction


@pytest.mark.parametrize(
    "secret",
    [
        "hx_0123456789abcdefghijABCDEFGHIJ-_xyz",
        "hxs_0123456789abcdefghijABCDEFGHIJ",
        "sk-proj-0123456789abcdef",
        "MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcdE.abcdefghijklmnopqrstuvwxyz0123456789AB",
        "123456789:AAF0123456789abcdefghijklmnopqrstuv",
        "Zm9vYmFyYmF6Zm9vYmFyYmF6Zm9vYmFyYmF6Zm9vYmE=",
    ],
)
def test_what_looks_like_a_secret_is_hidden(secret: str) -> None:
    for text in (secret, f"GET /bot{secret}/x", f"key={secret};", f"({secret})"):
        assert secret not in redaction.redact(text)


def test_credentials_in_headers_and_urls_are_hidden() -> None:
    text = redaction.redact(
        "Authorization: Bearer abc.def-ghi123; postgresql://user:pass-word@host/db; Basic dXNlcjpwdw=="
    )
    assert "abc.def" not in text
    assert "pass-word" not in text
    assert "dXNlcjpwdw" not in text
    assert "@host/db" in text


def test_ordinary_text_stays() -> None:
    text = "mac: 2.1 s (warm, 1 of 4 slots taken); request 9f3ab2c1d0-1f; http://mac.local:11434/api/chat"
    assert redaction.redact(text) == text


@pytest.mark.parametrize(
    "line",
    [
        "Authorization: Bearer {}",
        "authorization: Basic {}",
        "Authorization: {}",
        "x-api-key: {}",
        "{{'authorization': 'Bearer {}', 'a': 'b'}}",
        "[(b'authorization', b'Bearer {}'), (b'a', b'b')]",
        '{{"Authorization":"token {}"}}',
        "Cookie: hx_session={}; theme=dark",
        "curl -H 'X-Api-Key: {}' http://mac",
    ],
)
def test_values_of_headers_are_hidden(line: str) -> None:
    text = redaction.redact(line.format("Xq7-plain.word"))
    assert "Xq7" not in text
    assert redaction.HIDDEN in text


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("redis://:pa-ss@host:6379/0", "pa-ss"),
        ("postgresql://user:pa/ss@word@host/db", "pa/ss"),
        ("postgresql://user:pa/ss@word@host/db", "word"),
        ("https://discord.com/api/webhooks/123456789/abcdefghij_klmnopqrstuv-wxyz", "klmnop"),
        ("https://hooks.slack.com/services/T000/B000/abcdef", "abcdef"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "c2lnbmF0dXJl"),
    ],
)
def test_addresses_and_tokens_that_are_keys(text: str, secret: str) -> None:
    assert secret not in redaction.redact(f"POST {text} failed")


def test_what_is_known_is_hidden_in_every_form() -> None:
    redaction.remember("open/sesame it's")
    for form in ("open/sesame it's", "open%2Fsesame%20it%27s", repr({"k": "open/sesame it's"})):
        assert "sesame" not in redaction.redact(f"a {form} b")
    redaction.remember("short")
    assert redaction.redact("shorter") == "shorter"


def test_what_is_known_is_bounded() -> None:
    for number in range(redaction.KNOWN_MAX * 2):
        redaction.remember(f"a-secret-number-{number:06d}")
    assert len(redaction._known) == redaction.KNOWN_MAX
    assert redaction.redact(f"a-secret-number-{redaction.KNOWN_MAX * 2 - 1:06d}") == redaction.HIDDEN


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text", ["a" * 200_000, "authorization:" * 10_000, "://:" * 50_000, "eyJ." * 50_000, "1:" * 9_000]
)
def test_no_text_takes_long(text: str) -> None:
    redaction.redact(text)


def test_a_text_is_one_line() -> None:
    assert redaction.one_line("a\r\nb\x1b[31m\u202e\u2028") == "a\\r\\nb\\x1b[31m\\u202e\\u2028"
    assert redaction.one_line("plain ünïcode") == "plain ünïcode"
