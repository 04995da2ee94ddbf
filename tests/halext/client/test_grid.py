"""Pictures side by side."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from PIL import Image as Pillow

import halext
from halext.client.grid import GAP, LINE, grid
from halext.client.image import Image
from halext.errors import InvalidInput, MissingExtra
from halext.pictures import Recipe
from halext.testing.pictures import draw

WHITE = (255, 255, 255)


def picture(seed: int, width: int = 64, height: int = 32) -> Image:
    return Image(draw(str(seed), width, height), Recipe("x", width=width, height=height, seed=seed), "pc")


@pytest.mark.parametrize(("count", "cols", "size"), [(4, 2, (2, 2)), (4, None, (2, 2)), (3, 2, (2, 2)), (2, 5, (2, 1))])
def test_each_has_its_place(count: int, cols: int | None, size: tuple[int, int]) -> None:
    images = [picture(seed) for seed in range(count)]
    sheet = halext.grid(images, cols=cols)
    columns, rows = size
    assert sheet.pil.size == (columns * (64 + GAP) + GAP, rows * (32 + GAP) + GAP)
    for at, image in enumerate(images):
        x, y = GAP + at % columns * (64 + GAP), GAP + at // columns * (32 + GAP)
        assert sheet.pil.getpixel((x, y)) == image.pil.convert("RGB").getpixel((0, 0))
    assert repr(sheet) == f"<Grid: {count} pictures in {columns} columns>"


def test_different_sizes_and_an_empty_place() -> None:
    sheet = grid([picture(1), picture(2, 32, 128), picture(3)], cols=2).pil
    assert sheet.size == (2 * (64 + GAP) + GAP, 2 * (128 + GAP) + GAP)
    assert sheet.getpixel((sheet.width - GAP - 1, sheet.height - GAP - 1)) == WHITE


def test_large_ones_are_made_smaller_and_stay_as_they_are() -> None:
    large = picture(1, 640, 320)
    assert grid([large], side=64).pil.size == (64 + 2 * GAP, 32 + 2 * GAP)
    assert large.pil.size == (640, 320)


def test_captions() -> None:
    images = [picture(7), picture(8)]
    plain, seeds, texts = (grid(images, captions=words).pil for words in (None, "seed", ["seed 7", "seed 8"]))
    assert seeds.height == plain.height + LINE
    assert seeds.tobytes() == texts.tobytes()
    band = seeds.crop((GAP, GAP + 32, GAP + 64, GAP + 32 + LINE))
    assert len(set(band.convert("L").tobytes())) > 2, "there is ink"


def test_pictures_of_pillow_do_too() -> None:
    assert grid([Pillow.new("RGBA", (64, 64)), picture(1)]).pil.mode == "RGB"


@pytest.mark.parametrize(
    ("images", "options", "sentence"),
    [
        ([], {}, "from 1 to 64"),
        ([picture(1)] * 65, {}, "not 65"),
        ([picture(1)], {"cols": 0}, "at least one column"),
        ([picture(1)], {"side": 5}, "from 16 to 1024"),
        ([picture(1)], {"captions": ["a", "b"]}, "2 captions for 1"),
        ([picture(1)], {"captions": "colour"}, "'colour', which is no field"),
        ([Pillow.new("RGB", (8, 8))], {"captions": "seed"}, "no field"),
    ],
)
def test_what_can_not_be_drawn(images: list[Any], options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        grid(images, **options)


def test_without_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    image = picture(1)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtra, match="pip install"):
        grid([image])
