from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.dialects import reading
from halext.errors import BadAnswer, BadRequest, InvalidInput


class Thing(msgspec.Struct):
    number: int = 0
    anything: Any = None


THING = msgspec.json.Decoder(Thing)


def nested(depth: int) -> dict[str, Any] | list[Any] | int:
    value: dict[str, Any] | list[Any] | int = 1
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", BadRequest),
        (b"{", BadRequest),
        (b"\xef\xbb\xbf{}", BadRequest),
        (b"{} {}", BadRequest),
        (b'{"number": NaN}', BadRequest),
        (b'{"anything": Infinity}', BadRequest),
        (b'{"anything": "\\ud800"}', BadRequest),
        (b'{"anything": "\xff"}', BadRequest),
        (b"[]", InvalidInput),
        (b'{"number": "1"}', InvalidInput),
        (b'{"number": null}', InvalidInput),
        (b'{"anything": 1e999}', InvalidInput),
        (b'{"anything": ' + b"[" * 50_000, InvalidInput),
        (b'{"skipped": ' + b"[" * 50_000, InvalidInput),
    ],
)
def test_each_kind_of_wrong_body_has_its_error(body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        reading.from_client(THING, body)
    with pytest.raises(BadAnswer):
        reading.from_node(THING, body)


def test_a_wrong_type_is_named_with_its_place() -> None:
    with pytest.raises(InvalidInput, match=r"\$\.number"):
        reading.from_client(THING, b'{"number": "1"}')


def test_a_nodes_bytes_are_not_quoted() -> None:
    with pytest.raises(BadAnswer) as caught:
        reading.from_node(THING, b"somebody's text")
    assert "somebody" not in caught.value.message


def test_unknown_fields_are_skipped_and_the_last_of_equal_keys_wins() -> None:
    body = b'{"number": 1, "new": {"deep": []}, "number": 2}'
    assert reading.from_client(THING, body) == reading.from_node(THING, body) == Thing(2)


@given(st.binary())
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    with suppress(BadRequest, InvalidInput):
        reading.from_client(THING, body)
    with suppress(BadAnswer):
        reading.from_node(THING, body)


def test_require() -> None:
    assert reading.require("m", "model") == "m"
    for missing in (None, ""):
        with pytest.raises(InvalidInput, match="`model`"):
            reading.require(missing, "model")


def test_whole_number() -> None:
    assert reading.whole_number(None, "seed") is None
    assert reading.whole_number(5, "seed") == 5
    found = reading.whole_number(5.0, "seed")
    assert (found, type(found)) == (5, int)
    with pytest.raises(InvalidInput, match="`seed`"):
        reading.whole_number(5.5, "seed")


@pytest.mark.parametrize(("depth", "fits"), [(0, True), (reading.MAX_DEPTH, True), (reading.MAX_DEPTH + 1, False)])
def test_depth(depth: int, *, fits: bool) -> None:
    value = nested(depth)
    assert reading.is_shallow(value) is fits


BODY_DEPTHS = [(reading.MAX_DEPTH, True), (reading.MAX_DEPTH + 1, False), (900, False)]


@pytest.mark.parametrize(("depth", "fits"), BODY_DEPTHS)
@pytest.mark.parametrize("beside", ["", "[" * 500, '\\"[[{', "\\", "]" * 70])
@pytest.mark.parametrize("field", ["anything", "skipped"])
def test_the_depth_of_a_body_whatever_stands_in_its_texts(depth: int, *, fits: bool, beside: str, field: str) -> None:
    body = json.dumps({"text": beside, field: nested(depth - 1), "more": [beside] * 80}).encode()
    if fits:
        reading.from_client(THING, body)
        return
    with pytest.raises(InvalidInput, match="deeply"):
        reading.from_client(THING, body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"skipped": [' + b"[]," * reading.BRACKETS_MAX + b"1]}",
        b'{"skipped": [' + b"1," * (reading.COMMAS_MAX + 1) + b"1]}",
        b"[" * (reading.BRACKETS_MAX + 1),
    ],
)
def test_more_parts_than_any_request_needs_are_not_even_read(body: bytes) -> None:
    with pytest.raises(InvalidInput, match="too many"):
        reading.from_client(THING, body)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (None, {}),
        ("", {}),
        ("{}", {}),
        ({"a": 1}, {"a": 1}),
        ('{"a": [1, null]}', {"a": [1, None]}),
        ("[]", None),
        ("nothing", None),
        ("\ud800", None),
        ('{"a":' * 50_000, None),
        (json.dumps({"a": nested(reading.MAX_DEPTH)}), None),
    ],
)
def test_tool_arguments(value: dict[str, Any] | str | None, wanted: dict[str, Any] | None) -> None:
    assert reading.tool_arguments(value) == wanted
