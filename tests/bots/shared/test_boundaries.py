"""Cuts are where a reader would make them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext_bots.shared.boundaries import best_break, is_blank, is_boundary, utf16


@pytest.mark.parametrize(
    ("text", "most", "head"),
    [
        ("One. Two. Three four", 16, "One. Two. "),
        ("One two three", 9, "One two "),
        ("One two three", 7, "One two"),
        ("abcdefgh", 5, "abcde"),
        ("你好。再见了吧", 5, "你好。"),
        ("ab👩‍👩‍👧cd", 5, "ab"),
        ("e\u0301e\u0301e\u0301", 3, "e\u0301"),
        ("🇩🇪🇫🇷🇮🇹", 3, "🇩🇪"),
        ("👍🏽👍🏽", 3, "👍🏽"),
        ("a" + "\u0301" * 9, 4, "a" + "\u0301" * 3),
    ],
)
def test_the_best_place(text: str, most: int, head: str) -> None:
    assert text[: best_break(text, most)] == head


def test_code_has_no_sentences() -> None:
    assert best_break("a.b. c d e", 9, sentences=False) == 9
    assert best_break("aaaa. c = ddddd", 8, sentences=False) == 8


@given(st.text(min_size=2), st.data())
def test_it_needs_no_more_than_the_next_character(text: str, data: st.DataObject) -> None:
    most = data.draw(st.integers(1, len(text) - 1))
    at = best_break(text, most)
    assert 1 <= at <= most
    assert best_break(text[: most + 1], most) == at


def test_both_ends_are_boundaries() -> None:
    assert is_boundary("ab", 0)
    assert is_boundary("ab", 2)
    assert not is_boundary("\u1100\u1161", 1)


@pytest.mark.parametrize(("text", "units"), [("", 0), ("abc", 3), ("ä", 1), ("😀", 2), ("\ud800", 1)])
def test_units(text: str, units: int) -> None:
    assert utf16(text) == units


@pytest.mark.parametrize(("text", "blank"), [("", True), (" \n\t\u200b\u3164", True), ("\u0301", True), (".", False)])
def test_blank(text: str, blank: bool) -> None:
    assert is_blank(text) is blank
