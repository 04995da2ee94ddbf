"""From what a caller writes to the request that is sent."""

from __future__ import annotations

import base64
import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, TypedDict

from halext.errors import InvalidInput
from halext.messages import ChatRequest, Message, Sampling, Think
from halext.types import Json, ModelName


class Options(TypedDict, total=False):
    """How to answer. What is left out is as the node would do it by itself."""

    temperature: float
    top_p: float
    top_k: int
    min_p: float
    seed: int
    max_tokens: int
    stop: str | Sequence[str]
    presence_penalty: float
    frequency_penalty: float
    repeat_penalty: float
    num_ctx: int
    think: Think
    format: Literal["json"] | Mapping[str, Json]
    """The word "json", or a JSON schema that the answer must follow."""
    images: Sequence[bytes | Path]
    """Pictures for the last message: their bytes, or their files."""


_SAMPLING = frozenset(field.name for field in fields(Sampling))


def question(prompt: str, options: Options) -> Message:
    """The user's turn, with its pictures."""
    pictures = options.get("images", ())
    return Message("user", prompt, images=tuple(_base64(picture) for picture in pictures))


def chat_request(model: str, messages: Iterable[Message], options: Options) -> ChatRequest:
    """The request. Raises `TypeError` for an option that there is not, as a function of Python does."""
    for name in options:
        if name not in Options.__annotations__:
            near = difflib.get_close_matches(name, Options.__annotations__, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"there is no option {name!r}{hint}")
    stop = options.get("stop", ())
    sampling: dict[str, Any] = {name: value for name, value in options.items() if name in _SAMPLING}
    sampling["stop"] = (stop,) if isinstance(stop, str) else tuple(stop)
    return ChatRequest(
        model=ModelName(model),
        messages=tuple(messages),
        sampling=Sampling(**sampling),
        format=options.get("format"),
        think=options.get("think"),
    )


def opening(system: str) -> tuple[Message, ...]:
    """What a conversation begins with."""
    return (Message("system", system),) if system else ()


def texts_of(texts: str | Iterable[str]) -> list[str]:
    """The texts to embed; a single string is one text. Raises `InvalidInput` that names the first that is none."""
    found = [texts] if isinstance(texts, str) else list(texts)
    for number, text in enumerate(found):
        if not isinstance(text, str):
            raise InvalidInput(f"Item {number} is of the type {type(text).__name__}; only texts can be embedded.")
    return found


def _base64(picture: bytes | Path) -> str:
    return base64.b64encode(picture.read_bytes() if isinstance(picture, Path) else picture).decode("ascii")
