from __future__ import annotations

from typing import Any

import pytest

from halext.testing.discordapi import limits
from halext.testing.discordapi.refusal import Refusal

MIB = 2**20


def test_characters_are_counted_as_utf_16_does() -> None:
    limits.check_content("🐢" * 1000)
    with pytest.raises(Refusal, match="Invalid Form Body"):
        limits.check_content("🐢" * 1000 + "x")


@pytest.mark.parametrize(
    ("embeds", "where"),
    [
        ([{"title": "x" * 257}], "title"),
        ([{"description": "x" * 4097}], "description"),
        ([{"footer": {"text": "x" * 2049}}], "text"),
        ([{"author": {"name": "x" * 257}}], "name"),
        ([{"fields": [{"name": "a", "value": "b"}] * 26}], "fields"),
        ([{"fields": [{"name": "a" * 257, "value": "b"}]}], "name"),
        ([{"fields": [{"name": "a", "value": "b" * 1025}]}], "value"),
        ([{"fields": [{"name": "a", "value": ""}]}], "BASE_TYPE_REQUIRED"),
        ([{"title": "x"}] * 11, "embeds"),
        ([{"description": "x" * 3000}, {"description": "x" * 3001}], "MAX_EMBED_SIZE_EXCEEDED"),
    ],
)
def test_embeds_that_are_too_big(embeds: list[dict[str, Any]], where: str) -> None:
    with pytest.raises(Refusal) as refused:
        limits.check_embeds(embeds)
    assert where in str(refused.value.errors)


def test_embeds_that_just_fit() -> None:
    field = {"name": "n" * 256, "value": "v" * 44}
    limits.check_embeds([{"title": "t" * 256, "description": "d" * 4096}, {"fields": [field] * 5}])
    limits.check_embeds([{}] * 10)


@pytest.mark.parametrize(
    ("sizes", "count", "code"),
    [
        ([10 * MIB], 1, 0),
        ([10 * MIB + 1], 1, 40005),
        ([9 * MIB] * 3, 3, 40005),
        ([1], 11, 50035),
        ([8 * MIB] * 3, 3, 0),
    ],
)
def test_files(sizes: list[int], count: int, code: int) -> None:
    try:
        limits.check_files(sizes, file_bytes=limits.FILE_BYTES, count=count)
        got = 0
    except Refusal as refusal:
        got = refusal.code
    assert got == code


def test_nonces() -> None:
    assert (limits.check_nonce(None), limits.check_nonce(7), limits.check_nonce("x" * 25)) == ("", "7", "x" * 25)
    with pytest.raises(Refusal):
        limits.check_nonce("x" * 26)
