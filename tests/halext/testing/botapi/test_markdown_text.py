from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telegram.helpers import escape_markdown

from halext.testing.botapi.markdown_text import parse
from halext.testing.botapi.text import ParseError

TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("_*[]()~`>#+-=|{}.!\\\n\r&<"), max_size=60)


def marks(source: str) -> tuple[str, list[tuple[str, int, int]]]:
    text = parse(source)
    return text.text, [(mark["type"], mark["offset"], mark["length"]) for mark in text.entities]


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        ("*b* _i_ __u__", "b i u", ["bold 0 1", "italic 2 1", "underline 4 1"]),
        ("~s~ ||h||", "s h", ["strikethrough 0 1", "spoiler 2 1"]),
        ("*a _b_ c*", "a b c", ["bold 0 5", "italic 2 1"]),
        ("__a _b_ c__", "a b c", ["underline 0 5", "italic 2 1"]),
        ("🙂 *é*", "🙂 é", ["bold 3 1"]),
        ("`a*b_c.`", "a*b_c.", ["code 0 6"]),
        ("`a\\`b`", "a`b", ["code 0 3"]),
        ("```py\nx = [1]\n```", "x = [1]\n", ["pre 0 8"]),
        ("```\nx```", "x", ["pre 0 1"]),
        ("```x```", "x", ["pre 0 1"]),
        ("[a](https://example.org/\\))", "a", ["text_link 0 1"]),
        ("[example\\.org]", "example.org", ["text_link 0 11"]),
        ("[a](nowhere)", "a", []),
        ("![👍](tg://emoji?id=5)", "👍", ["custom_emoji 0 2"]),
        (">a\n>b\nc", "a\nb\nc", ["blockquote 0 3"]),
        ("a\n>b", "a\nb", ["blockquote 2 1"]),
        (">a\n>b||\n**>c", "a\nb\nc", ["expandable_blockquote 0 3", "blockquote 4 1"]),
        (">||a|| b||", "a b", ["expandable_blockquote 0 3", "spoiler 0 1"]),
        ("**", "", []),
        ("a\n\nb", "a\n\nb", []),
        ("\\é", "\\é", []),
    ],
)  # fmt: skip
def test_marks(source: str, text: str, expected: list[str]) -> None:
    found, entities = marks(source)
    assert found == text
    assert [f"{kind} {offset} {length}" for kind, offset, length in entities] == expected


def test_languages_and_addresses_are_kept() -> None:
    assert parse("```py\nx```").entities[0]["language"] == "py"
    assert parse("[a](https://example.org/\\))").entities[0]["url"] == "https://example.org/)"
    assert parse("[a](tg://user?id=4)").entities[0]["user"] == {"id": 4}


@pytest.mark.parametrize("character", list("_*[~`"))
def test_what_begins_must_end(character: str) -> None:
    with pytest.raises(ParseError, match=r"Can't find end of \w+ entity at byte offset 3"):
        parse(f"é {character}a")


@pytest.mark.parametrize("character", list("])(>#+-=|{}.!"))
def test_reserved_characters_need_their_backslash(character: str) -> None:
    error = f"Character '{character}' is reserved and must be escaped with the preceding '\\'"
    with pytest.raises(ParseError, match=re.escape(error)):
        parse(f"a {character} b")


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("||a", "Can't find end of Spoiler entity at byte offset 0"),
        ("__a", "Can't find end of Underline entity at byte offset 0"),
        ("```py\na", "Can't find end of PreCode entity at byte offset 0"),
        ("```a", "Can't find end of Pre entity at byte offset 0"),
        ("[a](b", "Can't find end of a URL at byte offset 3"),
        (">*a\nb*", "Can't find end of Bold entity at byte offset 1"),
        ("![a]", "Custom emoji entity must contain a tg://emoji URL"),
        ("*a [b*](c.org)", "Character '\\]'"),
        ("a >b", "Character '>' is reserved"),
    ],
)
def test_errors(source: str, error: str) -> None:
    with pytest.raises(ParseError, match=error):
        parse(source)


@given(TEXTS)
def test_escaped_text_survives_unchanged(text: str) -> None:
    parsed = parse(escape_markdown(text, version=2))
    assert (parsed.text, parsed.entities) == (text, ())


@given(TEXTS)
def test_escaped_code_survives_unchanged(text: str) -> None:
    escaped = escape_markdown(text, version=2, entity_type="code")
    assert parse(f"` {escaped} `").text == f" {text} "


@given(TEXTS)
def test_anything_is_parsed_or_refused_with_a_reason(source: str) -> None:
    with contextlib.suppress(ParseError):
        parsed = parse(source)
        units = len(parsed.text.encode("utf-16-le")) // 2
        assert all(0 <= mark["offset"] < mark["offset"] + mark["length"] <= units for mark in parsed.entities)
