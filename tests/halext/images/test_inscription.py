from __future__ import annotations

import pytest

from halext.images import png
from halext.images.inscription import inscribe, recipe_of
from halext.pictures import Picture, Recipe
from halext.testing import pictures
from halext.types import ModelName, NodeName

USED = Recipe(
    "a lighthouse, 富士山", "fog", ModelName("dreamshaper_8"), 640, 512, steps=4, cfg=6.5, sampler="Euler a", seed=7
)
FILE = pictures.draw("a", 32, 32, texts={"parameters": "a lighthouse"})


def test_the_recipe_comes_back_from_the_file() -> None:
    written = inscribe(Picture(FILE, USED, NodeName("pc")))
    assert recipe_of(written) == USED
    assert png.texts(written)["parameters"] == "a lighthouse"
    assert "pc" not in png.texts(written)["halext"]  # where it was made is nobody's business who gets the file


@pytest.mark.parametrize("text", ["{}", "[]", "hello", '{"prompt": 3}'])
def test_a_file_with_something_else_under_our_name_has_none(text: str) -> None:
    assert recipe_of(png.with_text(FILE, "halext", text)) is None


def test_other_files_have_none() -> None:
    assert recipe_of(FILE) is None
    with pytest.raises(ValueError, match="no PNG"):
        recipe_of(b"GIF89a")
