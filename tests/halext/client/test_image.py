"""Pictures with their recipes, and how they show themselves."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from PIL import Image as Pillow

from halext.client.image import Image, Images
from halext.client.sheet import PREVIEW_BYTES
from halext.images.inscription import inscribe, recipe_of
from halext.pictures import Picture, Recipe
from halext.testing.pictures import draw
from halext.types import ModelName, NodeName

RECIPE = Recipe("a lighthouse", model=ModelName("dreamshaper_8"), width=768, height=512, sampler="Euler a", seed=7)
PNG = inscribe(Picture(draw("a lighthouse", 768, 512), RECIPE, NodeName("pc")))


@pytest.fixture
def image() -> Image:
    return Image(PNG, RECIPE, "pc")


def shown(value: object) -> dict[str, Any]:
    """What IPython itself would put into the notebook."""
    shell: Any = InteractiveShell.instance(history_length=0)
    try:
        data, _ = shell.display_formatter.format(value)
        return dict(data)
    finally:
        shell.history_manager.enabled = False
        InteractiveShell.clear_instance()


def test_what_it_says_of_itself(image: Image) -> None:
    assert (image.seed, image.model, image.size, image.node) == (7, "dreamshaper_8", (768, 512), "pc")
    assert image.pil.size == image.size
    assert repr(image) == "<Image: 768×512, seed 7, dreamshaper_8 on pc>"
    assert "lighthouse" not in repr(image)


def test_the_saved_file_holds_the_recipe(image: Image, tmp_path: Path) -> None:
    assert recipe_of(image.save(tmp_path / "a.png").read_bytes()) == image.recipe


def test_a_notebook_shows_a_preview_and_nothing_larger(image: Image) -> None:
    data = shown(image)
    assert set(data) == {"text/plain", "image/png"}
    assert data["text/plain"] == repr(image)
    assert len(data["image/png"]) <= PREVIEW_BYTES


def test_several_show_themselves_together(image: Image) -> None:
    images = Images([image, image, image])
    data = shown(images)
    assert set(data) == {"text/plain", "image/png"}
    assert data["text/plain"].count("seed 7") == 3
    assert len(data["image/png"]) <= PREVIEW_BYTES
    with Pillow.open(io.BytesIO(data["image/png"])) as preview:
        assert max(preview.size) <= 512
    assert images[1] is image


def test_one_alone_shows_itself(image: Image) -> None:
    assert shown(Images([image])) == shown(image)


def test_none_and_no_pillow(image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(Images()) == {"text/plain": "<Images: none>"}
    monkeypatch.setitem(sys.modules, "PIL", None)
    for value in (image, Images([image]), Images([image, image])):
        assert shown(value) == {"text/plain": repr(value)}
