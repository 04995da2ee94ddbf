from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.testing import words


@given(st.text(), st.text(), st.integers(0, 50))
def test_the_same_question_gets_the_same_answer(seed: str, prompt: str, count: int) -> None:
    tokens = words.answer(seed, prompt, count)
    assert tokens == words.answer(seed, prompt, count)
    assert len(tokens) == count
    assert words.count_tokens("".join(tokens)) == count


def test_answers_hold_letters_of_every_length() -> None:
    text = "".join(words.answer("", "", 500))
    assert {len(letter.encode()) for letter in text} == {1, 2, 3, 4}


@given(st.lists(st.text(max_size=5)), st.lists(st.text(max_size=3), max_size=3))
def test_an_answer_ends_before_the_first_stop_word(tokens: list[str], stops: list[str]) -> None:
    text, kept = "".join(tokens), "".join(words.cut_at_stop(tokens, stops))
    ends = [text.find(stop) for stop in stops if stop and stop in text]
    assert kept == text[: min(ends, default=len(text))]


@given(st.text(), st.integers(1, 64))
def test_vectors_have_length_one_and_follow_the_text(text: str, length: int) -> None:
    vector = words.vector(text, length)
    assert len(vector) == length
    assert math.hypot(*vector) == pytest.approx(1)
    assert vector == words.vector(text, length)
    assert vector != words.vector(text + "!", length) or length == 1


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ("json", {"answer": "yes"}),
        ({"type": "array", "items": {"type": "number"}}, [1.5]),
        ({"type": "array"}, ["text"]),
        ({"const": 7}, 7),
        ({"enum": ["b", "a"]}, "b"),
        ({"type": ["string", "null"]}, "text"),
        ({"type": "null"}, None),
        ({"properties": {"deep": {"properties": {"n": {"type": "integer"}}}}}, {"deep": {"n": 1}}),
    ],
)
def test_json_fits_its_schema(schema: object, value: object) -> None:
    assert json.loads("".join(words.json_tokens(schema))) == value
