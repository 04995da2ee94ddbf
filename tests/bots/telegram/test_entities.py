"""Entities that Telegram takes, on a text that is only text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given

from halext_bots.shared.boundaries import is_blank, utf16
from halext_bots.shared.lines import lay_out
from halext_bots.shared.reading import read
from halext_bots.shared.splitting import messages, split
from halext_bots.telegram.entities import ENTITIES_MAX, MESSAGE_MAX, Entities, Entity, Formatted, plain
from tests.bots.strategies import limits, texts

J = "\u2060"


def drawn(text: str) -> Formatted:
    (made,) = messages(text, Entities())
    return made


def piece(formatted: Formatted, entity: Entity) -> str:
    raw = formatted.text.encode("utf-16-le")
    return raw[2 * entity.offset : 2 * entity.end].decode("utf-16-le")


@pytest.mark.parametrize(
    ("text", "made", "looks"),
    [
        ("😀 **a *b*** `c`", "😀 a b c", [("bold", "a b"), ("italic", "b"), ("code", "c")]),
        ("**a `b` c**", "a b c", [("bold", "a"), ("code", "b"), ("bold", "c")]),
        ("# T\n~~x~~", "T\nx", [("bold", "T"), ("strikethrough", "x")]),
        ("- a\n  1. b\n\n     c", "• a\n  1. b\n\n    c", []),
        ("> a\n>\n> **b**\n\nc", "a\n\nb\n\nc", [("blockquote", "a\n\nb"), ("bold", "b")]),
        ("- a\n  - > b", "• a\n  • b", [("blockquote", "• b")]),
        ("> a\n> ```\n> x\n> ```\n> b", "a\n\nx\n\nb", [("blockquote", "a"), ("pre", "x"), ("blockquote", "b")]),
        ("```py\n  x\n\n```", "  x", [("pre", "  x")]),
        ("[a `b`](https://e.example)", "a b", [("text_link", "a b")]),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "a | b\n--+--\n1 | 2", [("pre", "a | b\n--+--\n1 | 2")]),
        ("---", "———", []),
        ("@user a@b.example `@user`", f"@{J}user a@b.example @user", [("code", "@user")]),
    ],
)
def test_what_it_looks_like(text: str, made: str, looks: list[tuple[str, str]]) -> None:
    formatted = drawn(text)
    assert formatted.text == made
    assert [(entity.type, piece(formatted, entity)) for entity in formatted.entities] == looks


def test_what_entities_carry() -> None:
    assert drawn("```py\nx\n```").entities == (Entity("pre", 0, 1, language="py"),)
    assert drawn("~~~<b>\nx\n").entities == (Entity("pre", 0, 1),)
    assert drawn("[a](https://e.example)").entities == (Entity("text_link", 0, 1, url="https://e.example"),)


@given(texts, limits)
def test_entities_are_what_telegram_takes(text: str, limit: int) -> None:
    for part in split(lay_out(read(text)), Entities(limit)):
        made = Entities(limit).render(part)
        assert made.text.strip()
        assert utf16(made.text) == Entities(limit).length(part) <= limit
        assert made.text == made.text.rstrip()
        assert made.text == made.text.lstrip() or made.entities[0].type == "pre"
        assert len(made.entities) <= ENTITIES_MAX
        for entity in made.entities:
            inside = piece(made, entity)
            assert inside.strip()
            assert entity.end <= utf16(made.text)
            assert inside == (inside if entity.type == "pre" else inside.strip()).rstrip()
        _nested(made.entities)


def _nested(entities: tuple[Entity, ...]) -> None:
    for one in entities:
        for other in entities:
            if one is other or one.end <= other.offset or other.end <= one.offset:
                continue
            outer, inner = sorted((one, other), key=lambda entity: (entity.offset, -entity.length))
            assert outer.offset <= inner.offset
            assert inner.end <= outer.end or outer.end == inner.end
            assert outer.type not in {"code", "pre"} or outer.length == inner.length
            assert {outer.type, inner.type} & {"code", "pre"} == set() or "blockquote" in {outer.type, inner.type}
            assert outer.type != inner.type


@given(texts)
def test_all_words_are_in_the_text(text: str) -> None:
    for line in lay_out(read(text)):
        if line.kind not in {"row", "rule"} and not line.markers and not line.is_blank:
            assert _seen(Entities(10**6).render([line]).text) == _seen(line.text)


def _seen(text: str) -> str:
    return "".join(char for char in text if not is_blank(char))


@given(texts)
def test_nobody_is_called(text: str) -> None:
    for made in messages(text, Entities()):
        raw = made.text.encode("utf-16-le")
        for entity in reversed(made.entities):
            if entity.type in {"code", "pre"}:
                raw = raw[: 2 * entity.offset] + raw[2 * entity.end :]
        assert not re.search(r"(?<!\w)@\w{5,}", raw.decode("utf-16-le"))


def test_too_many_entities() -> None:
    made = drawn("`a` *b* [c](https://e.example) " * 60)
    kinds = [entity.type for entity in made.entities]
    assert (kinds.count("text_link"), kinds.count("code"), kinds.count("italic")) == (60, 40, 0)
    assert list(made.entities) == sorted(made.entities, key=lambda entity: entity.offset)


def test_the_last_step_of_the_ladder() -> None:
    made = drawn("😀 [**a**](https://e.example) `b`")
    assert made.plain() == Formatted("😀 a (https://e.example) b")
    assert made.plain().plain() == made.plain()
    full = Formatted("x" * MESSAGE_MAX, (Entity("text_link", 0, 1, url="https://e.example"),))
    assert full.plain() == Formatted(full.text)


def test_words_of_others_are_only_words() -> None:
    assert plain("**mac** @user") == f"**mac** @{J}user"
