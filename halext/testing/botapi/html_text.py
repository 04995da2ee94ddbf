"""Telegram's HTML, as strict as it reads it: a handful of tags, and a bare "<" is an error."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field

from halext.testing.botapi.links import emoji, link, moment
from halext.testing.botapi.text import Entity, ParseError, Text, ordered, utf16

TAGS = {
    **dict.fromkeys(("b", "strong"), "bold"),
    **dict.fromkeys(("i", "em"), "italic"),
    **dict.fromkeys(("u", "ins"), "underline"),
    **dict.fromkeys(("s", "strike", "del"), "strikethrough"),
    **dict.fromkeys(("tg-spoiler", "span"), "spoiler"),
    "code": "code",
    "pre": "pre",
    "a": "text_link",
    "blockquote": "blockquote",
    "tg-emoji": "custom_emoji",
    "tg-time": "date_time",
}
REFERENCE = re.compile(r"&(?:#x[0-9a-fA-F]{1,6}|#[0-9]{1,7}|lt|gt|amp|quot);?")
"""The only character references that Telegram knows; any other text behind "&" stays as it is."""
SPACE = " \t\n\r\f\v"


def parse(source: str) -> Text:
    """The text and its entities. Raises ParseError in Telegram's words."""
    return _Parser(source).parse()


@dataclass(slots=True)
class _Open:
    tag: str
    offset: int
    text_at: int
    attributes: dict[str, str] = field(default_factory=dict)


class _Parser:
    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0
        self.begin = 0
        self.out: list[str] = []
        self.offset = 0
        self.stack: list[_Open] = []
        self.entities: list[Entity] = []

    def parse(self) -> Text:
        while self.at < len(self.source):
            self.begin = self.at
            if self.source.startswith("</", self.at):
                self._end_tag()
            elif self._now == "<":
                self._start_tag()
            else:
                self._emit(self._character())
        if self.stack:
            raise ParseError(f'Can\'t find end tag corresponding to start tag "{self.stack[-1].tag}"')
        for entity in self.entities:
            if entity["type"] == "code":
                entity.pop("language", None)  # only a block shows it
        return Text("".join(self.out), tuple(ordered(self.entities)))

    @property
    def _now(self) -> str:
        return self.source[self.at : self.at + 1]

    def _emit(self, character: str) -> None:
        self.out.append(character)
        self.offset += utf16(character)

    def _character(self) -> str:
        """The character here, a reference resolved; moves behind it."""
        if self._now == "&" and (match := REFERENCE.match(self.source, self.at)):
            character = _resolved(match.group())
            if character:
                self.at = match.end()
                return character
        self.at += 1
        return self.source[self.at - 1]

    def _skip_space(self) -> None:
        while self._now and self._now in SPACE:
            self.at += 1

    def _word(self, ends: str) -> str:
        start = self.at
        while self._now and self._now not in ends:
            self.at += 1
        return self.source[start : self.at]

    def _error(self, text: str) -> ParseError:
        return ParseError(f"{text} at byte offset {len(self.source[: self.begin].encode('utf-8', 'surrogatepass'))}")

    def _start_tag(self) -> None:
        self.at += 1
        tag = self._word(SPACE + ">").lower()
        if not self._now:
            raise self._error("Unclosed start tag")
        if tag not in TAGS:
            raise self._error(f'Unsupported start tag "{tag}"')
        attributes = self._attributes(tag)
        if tag == "span" and attributes.get("class") != "tg-spoiler":
            raise self._error('Tag "span" must have class "tg-spoiler"')
        self.stack.append(_Open(tag, self.offset, len(self.out), attributes))

    def _attributes(self, tag: str) -> dict[str, str]:
        found: dict[str, str] = {}
        while True:
            self._skip_space()
            if self._now == ">":
                self.at += 1
                return found
            name = self._word(SPACE + "=>" if tag == "blockquote" else SPACE + "=").lower()
            if not name:
                raise self._error(f'Empty attribute name in the tag "{tag}"')
            found[name] = self._value(tag, name)
            if not self._now:
                raise self._error("Unclosed start tag")

    def _value(self, tag: str, name: str) -> str:
        self._skip_space()
        if self._now != "=":
            if (tag, name) == ("blockquote", "expandable"):
                return ""
            raise self._error(f'Expected equal sign in declaration of an attribute of the tag "{tag}"')
        self.at += 1
        self._skip_space()
        quote = self._now
        if quote in {'"', "'"}:
            return self._quoted(quote)
        word = re.compile(r"[A-Za-z0-9.-]*").match(self.source, self.at)
        assert word
        self.at = word.end()
        if self._now and self._now not in SPACE + ">":
            self.begin = word.start()
            raise self._error("Unexpected end of name token")
        return word.group().lower()

    def _quoted(self, quote: str) -> str:
        self.at += 1
        value = []
        while self._now and self._now != quote:
            value.append(self._character())
        self.at += 1
        return "".join(value)

    def _end_tag(self) -> None:
        self.at += 2
        tag = self._word(SPACE + ">").lower()
        self._skip_space()
        if not self.stack:
            raise self._error("Unexpected end tag")
        if self._now != ">":
            raise self._error("Unclosed end tag")
        self.at += 1
        one = self.stack.pop()
        if tag and tag != one.tag:
            raise ParseError(f'{self._error("Unmatched end tag")}, expected "</{one.tag}>", found "</{tag}>"')
        if self.offset > one.offset and (entity := self._entity(one)):
            self._add({**entity, "offset": one.offset, "length": self.offset - one.offset})

    def _entity(self, one: _Open) -> Entity | None:
        kind, attributes = TAGS[one.tag], one.attributes
        match kind:
            case "text_link":
                return link(attributes.get("href") or "".join(self.out[one.text_at :]))
            case "custom_emoji":
                return emoji(attributes.get("emoji-id", ""))
            case "date_time":
                return moment(attributes.get("unix", ""), attributes.get("format", ""))
            case "blockquote" if "expandable" in attributes:
                return {"type": "expandable_blockquote"}
            case "code" if attributes.get("class", "").startswith("language-"):
                return {"type": "code", "language": attributes["class"].removeprefix("language-")}
        return {"type": kind}

    def _add(self, entity: Entity) -> None:
        """Keep it; `<pre>` and `<code class="language-…">` around the same text are one block."""
        last = self.entities[-1] if self.entities else {}
        is_same_place = (last.get("offset"), last.get("length")) == (entity["offset"], entity["length"])
        if is_same_place and {last["type"], entity["type"]} == {"pre", "code"} and "language" in {**last, **entity}:
            self.entities[-1] = {**last, **entity, "type": "pre"}
            return
        self.entities.append(entity)


def _resolved(reference: str) -> str:
    """The character that a reference stands for; nothing for one that Telegram leaves alone."""
    name = reference[1:].rstrip(";")
    if not name.startswith("#"):
        return html.unescape(f"&{name};")
    number = int(name.removeprefix("#x"), 16) if name[1] == "x" else int(name[1:])
    is_character = 0 < number < 0x10FFFF and not 0xD800 <= number <= 0xDFFF
    return chr(number) if is_character else ""
