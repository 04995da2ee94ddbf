"""What OpenAI's clients ask for when they want pictures, and what they get."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from halext.dialects import reading
from halext.dialects.openai.answers import Extension
from halext.errors import InvalidInput
from halext.pictures import Picture, Recipe
from halext.types import ModelName

_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})")
_encode = msgspec.json.encode


class _Asked(msgspec.Struct):
    prompt: str | None = None
    model: str | None = None
    n: int | None = None
    size: str | None = None
    response_format: str | None = None
    output_format: str | None = None
    background: str | None = None
    stream: bool | None = None
    seed: int | None = None
    steps: int | None = None
    negative_prompt: str | None = None
    cfg_scale: float | None = None
    sampler: str | None = None


_ASKED = msgspec.json.Decoder(_Asked)


def read_images(body: bytes) -> Recipe:
    """A body of POST /v1/images/generations.

    Beside OpenAI's fields it may have `seed`, `steps`, `negative_prompt`, `cfg_scale` and `sampler`.
    Raises `BadRequest` or `InvalidInput`.
    """
    asked = reading.from_client(_ASKED, body)
    _refuse_what_is_not_offered(asked)
    usual = Recipe(reading.require(asked.prompt, "prompt"))
    width, height = _size(asked.size, usual)
    return Recipe(
        prompt=usual.prompt,
        negative=asked.negative_prompt or "",
        model=ModelName(asked.model or ""),
        width=width,
        height=height,
        steps=usual.steps if asked.steps is None else asked.steps,
        cfg=usual.cfg if asked.cfg_scale is None else asked.cfg_scale,
        sampler=asked.sampler or "",
        seed=asked.seed,
        n=1 if asked.n is None else asked.n,
    )


def _refuse_what_is_not_offered(asked: _Asked) -> None:
    if asked.response_format not in {None, "b64_json"}:
        raise InvalidInput("`response_format` must be `b64_json`: halext sends pictures inside its answer.")
    if asked.output_format not in {None, "png"}:
        raise InvalidInput("`output_format` must be `png`: the recipe stands in the file.")
    if asked.background == "transparent":
        raise InvalidInput("A transparent `background` is not offered here.")
    if asked.stream:
        raise InvalidInput("`stream` is not offered for pictures; `/hx/images/{id}` tells how far they are.")


def _size(text: str | None, usual: Recipe) -> tuple[int, int]:
    if text in {None, "", "auto"}:
        return usual.width, usual.height
    found = _SIZE.fullmatch(text or "")
    if found is None:
        raise InvalidInput("`size` must be `auto` or like 512x768.")
    return int(found[1]), int(found[2])


def images_reply(pictures: Sequence[Picture], created: int, extension: Extension = None) -> bytes:
    """The body that answers /v1/images/generations; `created` is in seconds since the epoch."""
    used = pictures[0].recipe
    body: dict[str, Any] = {
        "created": created,
        "data": [{"b64_json": picture.png} for picture in pictures],
        "output_format": "png",
        "size": f"{used.width}x{used.height}",
    }
    return _encode(body | ({"halext": extension} if extension else {}))
