"""Text as Telegram counts and marks it: lengths in UTF-16 units, and entities that fit the text and each other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Entity = dict[str, Any]
"""A MessageEntity as JSON: type, offset and length, and what its type needs besides."""

MAX_ENTITIES = 100
"""Further ones are dropped in silence."""

STYLES = frozenset({"bold", "italic", "underline", "strikethrough", "spoiler"})
QUOTES = frozenset({"blockquote", "expandable_blockquote"})
MONO = frozenset({"code", "pre"})
LINKS = frozenset({"text_link", "text_mention", "custom_emoji", "date_time"})
FOUND = {
    "url": re.compile(r"(?<![\w@.])(?:https?://[^\s<>\"]+[^\s<>\".,:;!?)\]]|(?:[\w-]+\.)+(?:com|org|net|io|dev)\b)"),
    "email": re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    "mention": re.compile(r"(?<![\w@/.])@\w{3,32}\b", re.ASCII),
    "bot_command": re.compile(r"(?<![\w/<>.])/\w{1,64}(?:@\w{3,32})?\b", re.ASCII),
    "hashtag": re.compile(r"(?<![\w&#])#\w*[^\W\d]\w*"),
}
"""What Telegram finds in a text by itself, in the order in which one wins over another. Close to the real rules."""
GIVEN = STYLES | QUOTES | MONO | LINKS | FOUND.keys() | {"cashtag", "phone_number"}
"""The types that a client may name. Of those that Telegram finds by itself it takes no notice."""


class ParseError(ValueError):
    """Why Telegram can't parse a text, in its words."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text and its marks."""

    text: str = ""
    entities: tuple[Entity, ...] = ()


def utf16(text: str) -> int:
    """The length as Telegram counts it: a character outside the basic plane is two."""
    return len(text) + sum(character > "\uffff" for character in text)


def cut(text: str, entity: Mapping[str, Any]) -> str:
    """The piece of the text that an entity covers."""
    start, end = 2 * entity["offset"], 2 * (entity["offset"] + entity["length"])
    return text.encode("utf-16-le")[start:end].decode("utf-16-le", "replace")


def tidy(text: Text) -> Text:
    """As it is stored: without white space around it, with what Telegram finds in it, at most 100 entities."""
    marks = _without_styles_in_code(text.entities)
    first = min((mark["offset"] for mark in marks), default=utf16(text.text))
    blank = len(text.text) - len(text.text.lstrip())
    skipped = min(blank, first)
    kept = text.text[skipped:].rstrip()
    moved = [{**mark, "offset": mark["offset"] - skipped} for mark in marks]
    inside = _clipped(moved, utf16(kept))
    return Text(kept, tuple(ordered([*inside, *_found(kept, inside)])[:MAX_ENTITIES]))


def ordered(entities: Iterable[Entity]) -> list[Entity]:
    """Outer ones before those inside them."""
    rank = ("expandable_blockquote", "blockquote", "text_link", "bold")
    return sorted(
        entities,
        key=lambda one: (one["offset"], -one["length"], rank.index(one["type"]) if one["type"] in rank else len(rank)),
    )


def check(text: str, entities: Sequence[Any]) -> tuple[Entity, ...]:
    """Entities that a client sent beside its text; ParseError when they don't fit it or each other.

    Telegram mends some overlaps in silence. Here they are refused: they are never what a client means.
    """
    edges = _boundaries(text)
    marks = [_checked(entity, edges) for entity in entities]
    given = ordered(mark for mark in marks if mark["length"] and mark["type"] not in FOUND)
    around: list[Entity] = []
    for mark in given:
        while around and _end(around[-1]) <= mark["offset"]:
            around.pop()
        for outer in around:
            _check_nesting(outer, mark)
        around.append(mark)
    return tuple(given)


def _end(entity: Entity) -> int:
    return int(entity["offset"] + entity["length"])


def _boundaries(text: str) -> set[int]:
    """Where an entity may begin or end: never between the two halves of one character."""
    edges, at = {0}, 0
    for character in text:
        at += utf16(character)
        edges.add(at)
    return edges


def _checked(entity: Any, edges: set[int]) -> Entity:
    match entity:
        case {"type": str(kind), "offset": int(offset), "length": int(length)}:
            pass
        case _:
            raise ParseError("can't parse MessageEntity: it needs a type, an offset and a length")
    if kind not in GIVEN:
        raise ParseError("can't parse MessageEntity: Unsupported type specified")
    needs = {"text_link": "url", "text_mention": "user", "custom_emoji": "custom_emoji_id", "date_time": "unix_time"}
    if kind in needs and not entity.get(needs[kind]):
        raise ParseError(f"can't parse MessageEntity: Can't find field \"{needs[kind]}\"")
    if offset < 0 or length < 0:
        raise ParseError(f"receive an entity with incorrect offset {offset} or length {length}")
    end = max(edges)
    if offset + length > end:
        raise ParseError(
            f"entity beginning at UTF-16 offset {offset} ends after the end of the text at UTF-16 offset {end}"
        )
    if offset not in edges:
        raise ParseError(f"entity begins in a middle of a UTF-16 symbol at offset {offset}")
    if offset + length not in edges:
        raise ParseError(f"entity beginning at UTF-16 offset {offset} ends in a middle of a UTF-16 symbol")
    return dict(entity)


def _check_nesting(outer: Entity, inner: Entity) -> None:
    names = f"{inner['type']} at {inner['offset']} and {outer['type']} at {outer['offset']}"
    if _end(inner) > _end(outer):
        raise ParseError(f"entities overlap and neither is inside the other: {names}")
    kinds = {outer["type"], inner["type"]}
    is_same_family = any(kinds <= family for family in (QUOTES, LINKS)) or len(kinds) == 1
    if is_same_family or (kinds & MONO and not kinds & QUOTES):
        raise ParseError(f"entities can't be nested: {names}")
    if outer["type"] in MONO:
        raise ParseError(f"entities can't be nested: {names}")


def _without_styles_in_code(entities: Sequence[Entity]) -> list[Entity]:
    """Other marks end where code begins and go on behind it: Telegram shows code plain."""
    marks = [dict(entity) for entity in entities]
    for code in [mark for mark in marks if mark["type"] in MONO]:
        others = [mark for mark in marks if mark is not code and mark["type"] not in QUOTES]
        kept = [code, *(mark for mark in marks if mark["type"] in QUOTES)]
        for mark in others:
            before = min(_end(mark), code["offset"]) - mark["offset"]
            behind = max(mark["offset"], _end(code))
            kept += [{**mark, "length": before}] if before > 0 else []
            kept += [{**mark, "offset": behind, "length": _end(mark) - behind}] if _end(mark) > behind else []
        marks = kept
    return marks


def _clipped(entities: Iterable[Entity], end: int) -> list[Entity]:
    clipped = [{**mark, "length": min(_end(mark), end) - mark["offset"]} for mark in entities]
    return [mark for mark in clipped if mark["length"] > 0]


def _found(text: str, given: Sequence[Entity]) -> list[Entity]:
    taken = [(mark["offset"], _end(mark)) for mark in given if mark["type"] in MONO | LINKS]
    found: list[Entity] = []
    for kind, pattern in FOUND.items():
        for match in pattern.finditer(text):
            offset, length = utf16(text[: match.start()]), utf16(match.group())
            if all(end <= offset or offset + length <= start for start, end in taken):
                found.append({"type": kind, "offset": offset, "length": length})
                taken.append((offset, offset + length))
    return found
