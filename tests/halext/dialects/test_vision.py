"""Pictures that clients send: a head that tells of a bomb is enough to refuse one."""

from __future__ import annotations

import base64
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.dialects.vision import sound
from halext.errors import InvalidInput
from halext.testing import pictures

PNG = pictures.draw("a", 64, 32)


def text(file: bytes) -> str:
    return base64.b64encode(file).decode()


def sized(width: int, height: int) -> bytes:
    return PNG[:16] + width.to_bytes(4, "big") + height.to_bytes(4, "big") + PNG[24:]


@pytest.mark.parametrize(
    "picture", [text(PNG), text(sized(4096, 4096)), " \n" + text(PNG), "", "/9j/4AAQ", "no base64"]
)
def test_what_passes_is_not_changed(picture: str) -> None:
    assert sound(picture) is picture


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        (sized(4097, 1), "4097 x 1 pixels"),
        (sized(1, 0), "1 x 0 pixels"),
        (sized(2**31, 2**31), "pixels"),
        (PNG[:20], "cut off"),
        (PNG[:8] + PNG[33:], "no head"),
    ],
)
def test_a_bomb_is_refused(file: bytes, sentence: str) -> None:
    for picture in (text(file), "\n" + text(file)):
        with pytest.raises(InvalidInput, match=sentence):
            sound(picture)


def test_a_head_with_other_signs_in_it_is_refused() -> None:
    with pytest.raises(InvalidInput):
        sound(text(PNG)[:20] + "!" + text(PNG)[21:])


@given(st.text(max_size=80))
def test_any_text_passes_or_is_refused(picture: str) -> None:
    for candidate in (picture, text(PNG)[:12] + picture):
        with suppress(InvalidInput):
            assert sound(candidate) is candidate
