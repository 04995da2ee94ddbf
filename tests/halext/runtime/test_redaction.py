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
