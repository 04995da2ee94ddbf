"""Forms of answers: what is sent along, what is read back, and what is said of an answer that does not fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

import msgspec
import pydantic
import pytest

from halext.client.schema import Schema
from halext.errors import InvalidInput


@dataclass
class Part:
    name: str


@dataclass
class Mood:
    mood: Literal["good", "bad"]
    parts: list[Part] = field(default_factory=list)


class Told(TypedDict):
    mood: str


class Packed(msgspec.Struct):
    mood: str


class Modelled(pydantic.BaseModel):
    mood: Literal["good", "bad"]


class Tree(msgspec.Struct):
    leaves: list[Tree]


JSON = {
    "type": "object",
    "properties": {
        "mood": {"enum": ["good", "bad"]},
        "score": {"type": "integer", "minimum": 1, "maximum": 5},
        "tags": {"type": "array", "items": {"type": "string", "minLength": 2}, "maxItems": 2},
        "size": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        "kind": {"const": "review"},
    },
    "required": ["mood"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("wanted", "value"),
    [
        (Mood, Mood("good")),
        (Told, {"mood": "good"}),
        (Packed, Packed("good")),
        (Modelled, Modelled(mood="good")),
        (JSON, {"mood": "good"}),
    ],
)
@pytest.mark.parametrize("text", ['{"mood": "good"}', ' ```json\n{"mood": "good"}\n``` ', '```\n{"mood": "good"}```'])
def test_every_form_is_sent_as_an_object_and_read_back(wanted: Any, value: Any, text: str) -> None:
    schema = Schema(wanted)
    assert schema.json["type"] == "object"
    assert schema.read(text) == value


@pytest.mark.parametrize("wanted", [Mood, Modelled, JSON])
@pytest.mark.parametrize("text", ["fine", "", '{"mood": "so-so"}', "{}", "[]", "[" * 100_000])
def test_what_does_not_fit_is_a_value_error(wanted: Any, text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each form says it in its own words
        Schema(wanted).read(text)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("nothing", "not valid JSON"),
        ("[]", r"\$ has to be object"),
        ("{}", r"\$ lacks 'mood'"),
        ('{"mood": "so-so"}', r"\$.mood has to be one of"),
        ('{"mood": "good", "score": 1.5}', r"\$.score has to be integer"),
        ('{"mood": "good", "score": true}', r"\$.score has to be integer"),
        ('{"mood": "good", "score": 0}', "under the least"),
        ('{"mood": "good", "score": 6}', "over the most"),
        ('{"mood": "good", "tags": ["ab", "c"]}', r"\$.tags\[1\] is under"),
        ('{"mood": "good", "tags": ["ab", "cd", "ef"]}', r"\$.tags is over"),
        ('{"mood": "good", "size": "L"}', "none of the 2 forms"),
        ('{"mood": "good", "kind": "x"}', '"review"'),
        ('{"mood": "good", "colour": 1}', "'colour', which is not asked for"),
    ],
)
def test_it_is_said_what_does_not_fit(text: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        Schema(JSON).read(text)


def test_a_good_one_fits() -> None:
    told = '{"mood": "bad", "score": 5.0, "tags": ["ab"], "size": null, "kind": "review"}'
    assert Schema(JSON).read(told)["score"] == 5


def test_what_it_mentions_comes_along() -> None:
    assert msgspec.json.decode(msgspec.json.encode(Schema(Mood).json))["$defs"].keys() == {"Part"}
    assert msgspec.json.decode(msgspec.json.encode(Schema(Tree).json))["$defs"].keys() == {"Tree"}


@pytest.mark.parametrize("wanted", [object(), "a word", 3])
def test_what_is_no_schema(wanted: Any) -> None:
    with pytest.raises(InvalidInput, match="dataclass"):
        Schema(wanted)
