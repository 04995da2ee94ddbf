"""JSON from strangers: every way in which it can be wrong becomes one declared error.

Typed msgspec decoders do the work: unknown fields are skipped, the last of two equal keys wins, and NaN, infinite
numbers and broken UTF-8 are refused.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from halext.errors import BadAnswer, BadRequest, InvalidInput
from halext.types import Json

T = TypeVar("T")

MAX_DEPTH = 64
"""Levels of lists and objects. No real request comes near it, and all of our encoders and those of the nodes manage
it."""
BRACKETS_MAX = 100_000
COMMAS_MAX = 1_000_000
"""What a body may hold. Each list, object and member costs many times its few bytes once it is read; a conversation of
a thousand turns has some thousands, and a megabyte of numbers half a million."""
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_ROUND = bytes.maketrans(b"[]{}", b"()()")
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")


def from_client(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """A client's body, typed. Raises `BadRequest` when it is no JSON.

    Raises `InvalidInput` when a field has a wrong type, or anything in it, known or not, is nested too deeply, and
    before it is read when it has too many parts.
    """
    brackets = body.count(b"[") + body.count(b"{")
    if brackets > BRACKETS_MAX or body.count(b",") > COMMAS_MAX:
        raise InvalidInput("The request's JSON has too many lists, objects or members.")
    try:
        found = decoder.decode(body)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"The request has a field of the wrong type: {error}.") from error
    except RecursionError as error:
        raise InvalidInput("The request's JSON is nested too deeply.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"The request's body is not valid JSON: {error}.") from error
    if brackets > MAX_DEPTH and _is_deep(body):
        raise InvalidInput("The request's JSON is nested too deeply.")
    return found


def _is_deep(body: bytes) -> bool:
    """Whether valid JSON is nested too deeply."""
    brackets = _STRING.sub(b"", body).translate(_ROUND, _NOT_BRACKETS)
    for _ in range(MAX_DEPTH):
        brackets = brackets.replace(b"()", b"")  # takes exactly the innermost level away
        if not brackets:
            return False
    return True


def from_node(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """A node's bytes, typed. Raises `BadAnswer`, which never quotes them: they may hold somebody's text."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise BadAnswer(f"The node's answer has a field of an unexpected type: {error}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswer("The node's answer is not valid JSON.") from error


def require(value: str | None, name: str) -> str:
    """A text field that must be there. Raises `InvalidInput` when it is missing or empty."""
    if not value:
        raise InvalidInput(f"The field `{name}` is missing or empty.")
    return value


def whole_number(value: float | None, name: str) -> int | None:
    """A number that clients may send as 5 or as 5.0. Raises `InvalidInput` when it has a fraction."""
    if value is None or isinstance(value, int):
        return value
    if not value.is_integer():
        raise InvalidInput(f"The field `{name}` must be a whole number.")
    return int(value)


def is_shallow(value: object) -> bool:
    """Whether `value` is nested at most `MAX_DEPTH` deep."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH + 1):
        if not level:
            return True
        level = [inner for outer in level for inner in _children(outer)]
    return not level


def _children(value: Json) -> list[Json]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


_OBJECT = msgspec.json.Decoder(dict[str, Any])


def tool_arguments(value: dict[str, Any] | str | None) -> dict[str, Any] | None:
    """A tool call's arguments, which some send as an object and some as a JSON text; None when they can't be read."""
    if value is None or value == "":
        return {}
    try:
        found = _OBJECT.decode(value) if isinstance(value, str) else value
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return found if is_shallow(found) else None
