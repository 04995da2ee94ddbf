from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.chat import policy
from halext.chat.types import ConversationId, Outcome, Turn, TurnId, TurnState
from halext.errors import InvalidInput
from halext.messages import Message


def turn(number: int, text: str) -> Turn:
    role = "user" if number % 2 else "assistant"
    return Turn(TurnId(number), ConversationId(1), role, 0.0, Outcome(TurnState.DONE, text))  # type: ignore[arg-type]  # one of the two


@pytest.mark.parametrize("text", ["", " \n", "x" * 100_001])
def test_questions_that_are_none(text: str) -> None:
    with pytest.raises(InvalidInput):
        policy.question(text)


def test_titles_are_short_and_on_one_line() -> None:
    assert policy.title("Why is\nthe sky  blue?") == "Why is the sky blue?"
    long = policy.title("word " * 50)
    assert len(long) <= policy.TITLE_MAX
    assert long.endswith("word…")


def test_a_model_sees_the_conversation_and_the_question() -> None:
    turns = [turn(1, "a"), turn(2, "b"), turn(3, "c"), turn(4, "")]
    assert policy.context(turns, "d") == (
        Message("user", "a"),
        Message("assistant", "b"),
        Message("user", "c"),
        Message("user", "d"),
    )
    assert policy.context([], "d") == (Message("user", "d"),)


def test_what_does_not_fit_falls_off_the_front_and_a_question_stays_first() -> None:
    turns = [turn(number, "x" * 20_000) for number in range(1, 5)]
    shown = policy.context(turns, "now")
    assert [message.role for message in shown] == ["user", "assistant", "user"]
    assert policy.context([turn(1, "x" * 60_000), turn(2, "y")], "now") == (Message("user", "now"),)


@pytest.mark.parametrize(
    ("text", "blocks", "rest"),
    [
        ("", [], ""),
        ("one", [], "one"),
        ("one\n", [], "one\n"),
        ("one\n\ntwo", ["one\n\n"], "two"),
        ("one\n \n\ntwo\n\n", ["one\n \n", "\ntwo\n\n"], ""),
        ("```py\na\n\nb\n```\n\nafter", ["```py\na\n\nb\n```\n\n"], "after"),
        ("```\na\n\nb", [], "```\na\n\nb"),
        ("````\n```\n\n````\n\nx", ["````\n```\n\n````\n\n"], "x"),
        ("~~~\n```\n\n~~~\n\nx", ["~~~\n```\n\n~~~\n\n"], "x"),
        ("\n\nx", [], "\n\nx"),
    ],
)
def test_where_a_growing_text_is_cut(text: str, blocks: list[str], rest: str) -> None:
    assert policy.cut(text) == (blocks, rest)


@given(st.text("ab`~\n ", max_size=200), st.integers(0, 200))
def test_pieces_are_the_text_however_it_comes(text: str, split: int) -> None:
    whole, tail = policy.cut(text)
    assert "".join(whole) + tail == text
    blocks, rest = policy.cut(text[:split])
    more, last = policy.cut(rest + text[split:])
    assert "".join(blocks + more) + last == text
