from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.dialects.openai.images import images_reply, read_images
from halext.errors import InvalidInput, UsageError
from halext.pictures import Picture, Recipe
from halext.types import ModelName, NodeName


def read(**fields: Any) -> Recipe:
    return read_images(json.dumps({"prompt": "a lighthouse", **fields}).encode())


def test_openais_own_fields() -> None:
    assert read() == Recipe("a lighthouse")
    full = read(model="dreamshaper_8", n=2, size="640x512", response_format="b64_json", quality="high", user="x")
    assert full == Recipe("a lighthouse", model=ModelName("dreamshaper_8"), n=2, width=640)
    assert read(size="auto", output_format="png", background="auto") == Recipe("a lighthouse")


def test_fields_that_stable_diffusion_has_beside_them() -> None:
    wish = read(seed=0, steps=4, negative_prompt="fog", cfg_scale=5.5, sampler="Euler a")
    assert wish == Recipe("a lighthouse", "fog", steps=4, cfg=5.5, sampler="Euler a", seed=0)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"response_format": "url"}, "b64_json"),
        ({"output_format": "jpeg"}, "png"),
        ({"background": "transparent"}, "transparent"),
        ({"stream": True}, "stream"),
        ({"size": "big"}, "512x768"),
        ({"size": "512x"}, "512x768"),
        ({"n": "two"}, "wrong type"),
    ],
)
def test_what_is_not_offered_is_said(fields: dict[str, Any], word: str) -> None:
    with pytest.raises(InvalidInput, match=word):
        read(**fields)


def test_the_reply() -> None:
    picture = Picture(b"\x89PNG...", Recipe("a", width=640, seed=7), NodeName("pc"))
    body = json.loads(images_reply([picture, picture], 12, {"node": "pc"}))
    assert [base64.b64decode(item["b64_json"]) for item in body["data"]] == [picture.png] * 2
    assert (body["created"], body["size"], body["output_format"]) == (12, "640x512", "png")
    assert body["halext"] == {"node": "pc"}
    assert "halext" not in json.loads(images_reply([picture], 12))


NAMES = st.sampled_from(["prompt", "size", "n", "seed"])
FIELDS: st.SearchStrategy[Any] = st.dictionaries(NAMES, st.none() | st.text() | st.integers())


@given(st.binary(max_size=40) | FIELDS.map(lambda value: json.dumps(value).encode()))
def test_nothing_but_declared_errors_comes_out(body: bytes) -> None:
    with suppress(UsageError):
        read_images(body)
