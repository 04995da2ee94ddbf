"""The recipe inside the picture: whoever has the file can make it again. Pure."""

from __future__ import annotations

from dataclasses import asdict

import msgspec

from halext.images import png
from halext.pictures import Picture, Recipe
from halext.types import ModelName

KEY = "halext"
"""Under which the recipe stands in the file, beside what the server itself wrote."""


class _Written(msgspec.Struct):
    prompt: str
    negative: str = ""
    model: str = ""
    width: int = 0
    height: int = 0
    steps: int = 0
    cfg: float = 0.0
    sampler: str = ""
    seed: int | None = None


_WRITTEN = msgspec.json.Decoder(_Written)


def inscribe(picture: Picture) -> bytes:
    """The picture's file with its recipe written into it; pixels stay as they are. Raises `ValueError`."""
    fields = {name: value for name, value in asdict(picture.recipe).items() if name != "n"}
    return png.with_text(picture.png, KEY, msgspec.json.encode(fields).decode())


def recipe_of(file: bytes) -> Recipe | None:
    """The recipe in a file that halext has made; None in any other. Raises `ValueError` for what is no PNG."""
    text = png.texts(file).get(KEY)
    if text is None:
        return None
    try:
        found = _WRITTEN.decode(text)
    except msgspec.MsgspecError:
        return None
    fields = msgspec.structs.asdict(found)
    return Recipe(**fields | {"model": ModelName(found.model)})
