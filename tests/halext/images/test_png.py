from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.images.png import texts, with_text
from halext.testing import pictures

PNG = pictures.draw("a", 48, 40, texts={"parameters": "a café\nSteps: 20"})


@given(st.text(), st.text())
def test_a_text_stands_in_the_file_once(first: str, second: str) -> None:
    assert texts(with_text(PNG, "halext", first)) == {"parameters": "a café\nSteps: 20", "halext": first}
    twice = with_text(with_text(PNG, "halext", first), "halext", second)
    assert twice == with_text(PNG, "halext", second)


def test_others_can_read_it_and_the_pixels_stay() -> None:
    written = with_text(PNG, "halext", "富士山")
    assert pictures.texts_of(written)["halext"] == "富士山"  # checks every checksum
    assert PNG[PNG.index(b"IDAT") :] == written[written.index(b"IDAT") :]


def test_what_stands_behind_the_end_is_left_out() -> None:
    assert with_text(PNG + b"<script>", "halext", "x") == with_text(PNG, "halext", "x")


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        (b"", "no PNG"),
        (b"GIF89a", "no PNG"),
        (PNG[:8], "cut off"),
        (PNG[:-6], "cut off"),
        (PNG[:60], "cut off"),
        (PNG[:8] + PNG[33:], "no head"),
    ],
)
def test_what_is_no_whole_png(file: bytes, sentence: str) -> None:
    for work in (lambda: texts(file), lambda: with_text(file, "halext", "x")):
        with pytest.raises(ValueError, match=sentence):
            work()


@given(st.binary(max_size=40), st.integers(0, len(PNG)))
def test_damage_is_never_more_than_a_value_error(junk: bytes, at: int) -> None:
    for file in (junk, PNG[:8] + junk, PNG[:at] + junk + PNG[at:]):
        with suppress(ValueError):
            texts(file)


def test_a_bomb_gets_no_text() -> None:
    huge = PNG[:16] + (100_000).to_bytes(4, "big") * 2 + PNG[24:]
    with pytest.raises(ValueError, match="100000 x 100000 pixels"):
        with_text(huge, "halext", "x")


def test_a_file_of_crumbs_is_not_read_to_its_end() -> None:
    crumbs = PNG[:33] + (b"\0\0\0\0teSt" + b"\0" * 4) * 20_000 + PNG[33:]
    with pytest.raises(ValueError, match="too many parts"):
        with_text(crumbs, "halext", "x")
