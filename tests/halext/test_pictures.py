from __future__ import annotations

from halext.pictures import ANY_MODEL, Picture, Recipe
from halext.types import ModelName, NodeName


def test_a_wish_leaves_open_what_it_does_not_say() -> None:
    wish = Recipe("a lighthouse")
    assert (wish.model, wish.seed, wish.sampler, wish.n) == (ANY_MODEL, None, "", 1)


def test_a_picture_names_its_model_and_never_prints_its_bytes() -> None:
    picture = Picture(b"\x89PNG secret", Recipe("a", model=ModelName("dreamshaper_8")), NodeName("pc"))
    assert picture.model == "dreamshaper_8"
    assert "secret" not in repr(picture)
