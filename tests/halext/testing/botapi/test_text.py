from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.testing.botapi.text import MAX_ENTITIES, ParseError, Text, check, cut, ordered, tidy, utf16


def mark(kind: str, offset: int, length: int, **more: Any) -> dict[str, Any]:
    return {"type": kind, "offset": offset, "length": length, **more}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_lengths_are_utf16_units(text: str) -> None:
    assert utf16(text) == len(text.encode("utf-16-le")) // 2


def test_pieces_are_cut_by_units() -> None:
    assert cut("🙂 é!", mark("bold", 3, 1)) == "é"


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("see https://example.org/a?b.", ["url 4 23"]),
        ("example.org", ["url 0 11"]),
        ("a@b.org @halext_bot", ["email 0 7", "mention 8 11"]),
        ("/ask@halext_bot why #rain", ["bot_command 0 15", "hashtag 20 5"]),
        ("1/2 a/b #1", []),
    ],
)
def test_what_telegram_finds_by_itself(text: str, kinds: list[str]) -> None:
    assert [f"{m['type']} {m['offset']} {m['length']}" for m in tidy(Text(text)).entities] == kinds


def test_nothing_is_found_in_code() -> None:
    assert tidy(Text("/a /b", (mark("code", 0, 2),))).entities[1:] == (mark("bot_command", 3, 2),)


def test_white_space_around_goes_and_marks_move_along() -> None:
    assert tidy(Text("  a b  ", (mark("bold", 4, 3),))) == Text("a b", (mark("bold", 2, 1),))
    assert tidy(Text("  a", (mark("bold", 0, 3),))).text == "  a"
    assert tidy(Text(" \n ")) == Text("")


def test_styles_stop_at_code() -> None:
    tidied = tidy(Text("abcde", (mark("bold", 0, 5), mark("code", 2, 1), mark("italic", 2, 1))))
    assert tidied.entities == (mark("bold", 0, 2), mark("code", 2, 1), mark("bold", 3, 2))


def test_the_hundred_and_first_mark_is_dropped() -> None:
    many = tuple(mark("bold", 2 * n, 1) for n in range(MAX_ENTITIES + 1))
    assert len(tidy(Text("a " * (MAX_ENTITIES + 1), many)).entities) == MAX_ENTITIES


def test_outer_marks_come_first() -> None:
    marks = [mark("italic", 0, 1), mark("bold", 0, 3), mark("blockquote", 0, 3)]
    assert [m["type"] for m in ordered(marks)] == ["blockquote", "bold", "italic"]


@pytest.mark.parametrize(
    "marks",
    [
        [mark("bold", 0, 4), mark("italic", 1, 2)],
        [mark("bold", 0, 2), mark("bold", 2, 2)],
        [mark("blockquote", 0, 4), mark("code", 1, 1), mark("bold", 2, 1)],
        [mark("text_link", 0, 2, url="https://x.org"), mark("bold", 0, 2)],
        [mark("url", 0, 9)][:0],
    ],
)
def test_marks_that_fit(marks: list[dict[str, Any]]) -> None:
    assert list(check("abcd", marks)) == marks


@pytest.mark.parametrize(
    ("marks", "error"),
    [
        ([mark("bold", 0, 5)], "ends after the end of the text at UTF-16 offset 4"),
        ([mark("bold", -1, 2)], "incorrect offset -1"),
        ([mark("bold", 1, 1)], "begins in a middle of a UTF-16 symbol"),
        ([mark("bold", 0, 1)], "ends in a middle of a UTF-16 symbol"),
        ([mark("bold", 0, 3), mark("italic", 2, 2)], "neither is inside the other"),
        ([mark("bold", 0, 4), mark("code", 2, 1)], "can't be nested"),
        ([mark("pre", 0, 4), mark("bold", 2, 1)], "can't be nested"),
        ([mark("blockquote", 0, 4), mark("expandable_blockquote", 2, 1)], "can't be nested"),
        ([mark("text_link", 0, 4, url="x.org"), mark("text_link", 2, 1, url="y.org")], "can't be nested"),
        ([mark("text_link", 0, 2)], 'Can\'t find field "url"'),
        ([mark("heading", 0, 2)], "Unsupported type specified"),
        (["bold"], "needs a type, an offset and a length"),
    ],
)
def test_marks_that_do_not_fit(marks: list[Any], error: str) -> None:
    with pytest.raises(ParseError, match=error):
        check("🙂ab", marks)
