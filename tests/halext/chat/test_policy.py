from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.accounts.types import LOCAL
from halext.chat import policy
from halext.chat.types import Conversation, ConversationId, Outcome, Turn, TurnId, TurnState
from halext.errors import InvalidInput, TooLarge
from halext.messages import Message
from halext.types import UserId

CONVERSATION = Conversation(ConversationId(1), UserId(1), "", "", "", 0.0, 0.0)


def turn(number: int, text: str, parent: int | None = None) -> Turn:
    """Odd ones are questions; each follows the one before unless told otherwise."""
    before = TurnId(number - 1 if parent is None else parent) or None
    outcome = Outcome(TurnState.DONE, text)
    return Turn(TurnId(number), ConversationId(1), before, "user" if number % 2 else "assistant", 0.0, outcome)


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
    turns = [turn(1, "a"), turn(2, "b"), turn(3, "c"), turn(4, ""), turn(5, "d")]
    seen = (Message("user", "a"), Message("assistant", "b"), Message("user", "c"), Message("user", "d"))
    assert policy.context(CONVERSATION, turns, {}) == seen
    terse = replace(CONVERSATION, system="Be terse.")
    assert policy.context(terse, turns, {}) == (Message("system", "Be terse."), *seen)
    assert policy.context(CONVERSATION, turns[:1], {}) == (Message("user", "a"),)


def test_what_does_not_fit_falls_off_the_front_and_a_question_stays_first() -> None:
    turns = [*(turn(number, "x" * 20_000) for number in range(1, 5)), turn(5, "now")]
    shown = policy.context(CONVERSATION, turns, {})
    assert [message.role for message in shown] == ["user", "assistant", "user"]
    long = [turn(1, "x" * 60_000), turn(2, "y"), turn(3, "now")]
    assert policy.context(CONVERSATION, long, {}) == (Message("user", "now"),)
    assert policy.context(CONVERSATION, [turn(1, "x" * 60_000)], {})[0].content == "x" * 60_000


def test_a_model_sees_the_latest_pictures() -> None:
    turns = [turn(1, "a"), turn(2, "b"), turn(3, "c")]
    shown = policy.context(CONVERSATION, turns, {TurnId(1): ("p1", "p2"), TurnId(3): ("p3", "p4", "p5")})
    assert [message.images for message in shown] == [("p1",), (), ("p3", "p4", "p5")]


def picture(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize("start", [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"RIFF\0\0\0\0WEBP"])
def test_pictures_are_known_by_their_first_bytes(start: bytes) -> None:
    image = picture(start + b"rest of the picture")
    assert policy.pictures([image]) == (image,)


@pytest.mark.parametrize(
    "image", ["", "no base64!", picture(b"%PDF-1.7 and so on"), "data:image/png;base64,iVBORw0KGgo="]
)
def test_what_is_no_picture_is_refused(image: str) -> None:
    with pytest.raises(InvalidInput, match="no picture"):
        policy.pictures([image])


def test_too_many_pictures_and_too_large_ones() -> None:
    image = picture(b"GIF89a" + b"x" * 20)
    with pytest.raises(InvalidInput, match="at most 4"):
        policy.pictures([image] * 5)
    with pytest.raises(TooLarge):
        policy.pictures([image + "A" * 12_000_000])


@pytest.mark.parametrize("name", ["", "  ", "x" * 201])
def test_places_have_names(name: str) -> None:
    with pytest.raises(InvalidInput):
        policy.place(name)
    assert policy.place("discord:channel:1") == "discord:channel:1"


def test_the_owner_of_the_machine_has_no_conversations() -> None:
    with pytest.raises(InvalidInput, match="belong to a person"):
        policy.owner(LOCAL)


def test_the_path_leads_to_the_latest_turn() -> None:
    turns = [turn(1, "a"), turn(2, "first"), turn(3, "b"), turn(4, "c"), turn(6, "second", parent=1)]
    assert [known.id for known in policy.path(turns)] == [1, 6]
    assert [known.id for known in policy.path(turns, TurnId(3))] == [1, 2, 3]
    assert [known.id for known in policy.path(turns[2:4])] == [3, 4]
    assert policy.path(turns, TurnId(99)) == policy.path([]) == ()


def cut(*pieces: str) -> tuple[list[str], str]:
    cutter = policy.Cutter()
    blocks = [block for piece in pieces for block in cutter.feed(piece)]
    return blocks, cutter.tail


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
        ("```one line```\n\nx", ["```one line```\n\n"], "x"),
        ("``two``\n\nx", ["``two``\n\n"], "x"),
        ("\n\nx", [], "\n\nx"),
        ("a\x0c\r\n\r\nb", ["a\x0c\r\n\r\n"], "b"),
    ],
)
def test_where_a_growing_text_is_cut(text: str, blocks: list[str], rest: str) -> None:
    assert cut(text) == (blocks, rest)


@given(st.lists(st.text("ab`~\n \r", max_size=12), max_size=30))
def test_pieces_are_the_text_however_it_comes(pieces: list[str]) -> None:
    blocks, rest = cut(*pieces)
    assert "".join(blocks) + rest == "".join(pieces)
    assert (blocks, rest) == cut("".join(pieces))
