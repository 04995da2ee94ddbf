from __future__ import annotations

import struct
import zlib

import pytest

from halext.testing.pictures import draw, texts_of


def pixels(png: bytes) -> tuple[int, int, bytes]:
    """Width, height and the unpacked rows, by the words of the format's own specification."""
    assert png[:8] == bytes([137, 80, 78, 71, 13, 10, 26, 10])
    width, height = struct.unpack_from(">II", png, 16)
    start = png.index(b"IDAT") + 4
    (length,) = struct.unpack_from(">I", png, start - 8)
    return width, height, zlib.decompress(png[start : start + length])


def test_it_is_a_real_picture_of_the_size_asked_for() -> None:
    width, height, rows = pixels(draw("a", 70, 40))
    assert (width, height) == (70, 40)
    assert len(rows) == 40 * (1 + 3 * 70)


def test_it_depends_on_the_text_and_on_nothing_else() -> None:
    assert draw("a", 64, 64) == draw("a", 64, 64) != draw("b", 64, 64)


def test_what_is_not_finished_is_grey() -> None:
    _, _, rows = pixels(draw("a", 64, 64, finished=0.5))
    line = 1 + 3 * 64
    assert rows[63 * line + 1 : 64 * line] == b"\x80" * (3 * 64)
    assert rows[: 32 * line] == pixels(draw("a", 64, 64))[2][: 32 * line]


def test_texts_are_written_and_read_in_any_script() -> None:
    texts = {"parameters": "a café\nSteps: 20", "other": "富士山"}
    assert texts_of(draw("a", 32, 32, texts=texts)) == texts


@pytest.mark.parametrize("damage", [b"GIF89a", draw("a", 32, 32)[:60] + b"x" + draw("a", 32, 32)[61:]])
def test_what_is_no_png_is_refused(damage: bytes) -> None:
    with pytest.raises(ValueError, match="PNG"):
        texts_of(damage)
