from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.pictures import ANY_MODEL, PNG_HEAD, SIDE_MAX, Picture, Recipe, check_png
from halext.testing import pictures
from halext.types import ModelName, NodeName


def test_a_wish_leaves_open_what_it_does_not_say() -> None:
    wish = Recipe("a lighthouse")
    assert (wish.model, wish.seed, wish.sampler, wish.n) == (ANY_MODEL, None, "", 1)


def test_a_picture_names_its_model_and_never_prints_its_bytes() -> None:
    picture = Picture(b"\x89PNG secret", Recipe("a", model=ModelName("dreamshaper_8")), NodeName("pc"))
    assert picture.model == "dreamshaper_8"
    assert "secret" not in repr(picture)


HEAD = pictures.draw("a", 40, 30)[:PNG_HEAD]


def test_the_head_of_a_picture_is_enough() -> None:
    check_png(HEAD)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_only_pictures_of_some_size_pass(width: int, height: int) -> None:
    head = HEAD[:16] + width.to_bytes(4, "big") + height.to_bytes(4, "big") + HEAD[24:]
    if 1 <= width <= SIDE_MAX and 1 <= height <= SIDE_MAX:
        check_png(head)
        return
    with pytest.raises(ValueError, match="pixels"):
        check_png(head)


@given(st.binary(max_size=60))
def test_nothing_else_is_raised_for_other_bytes(head: bytes) -> None:
    with pytest.raises(ValueError, match="PNG"):
        check_png(head)
