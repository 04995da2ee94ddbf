"""MarkdownV2, as strict as Telegram reads it: one reserved character without its backslash and nothing is sent."""

from __future__ import annotations

from dataclasses import dataclass

from halext.testing.botapi.links import emoji_or_time, link
from halext.testing.botapi.text import Entity, ParseError, Text, ordered, utf16

RESERVED = frozenset("_*[]()~`>#+-=|{}.!\n")
NAMES = {
    "bold": "Bold",
    "italic": "Italic",
    "underline": "Underline",
    "strikethrough": "Strikethrough",
    "spoiler": "Spoiler",
    "code": "Code",
    "pre": "Pre",
    "text_link": "TextUrl",
    "custom_emoji": "CustomEmoji",
    "blockquote": "BlockQuote",
}
"""How error messages call the entities."""
MARKS = {
    "bold": "*",
    "underline": "__",
    "italic": "_",
    "strikethrough": "~",
    "spoiler": "||",
    "pre": "```",
    "code": "`",
}
"""What opens and closes them; longer marks stand before the shorter ones that begin alike."""


def parse(source: str) -> Text:
    """The text and its entities. Raises ParseError in Telegram's words."""
    return _Parser(source).parse()


@dataclass(slots=True)
class _Open:
    kind: str
    source_at: int
    offset: int
    text_at: int
    language: str = ""


class _Parser:
    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0
        self.out: list[str] = []
        self.offset = 0
        self.stack: list[_Open] = []
        self.entities: list[Entity] = []
        self.at_line_start = True

    def parse(self) -> Text:
        while self.at < len(self.source):
            self._step()
        if self._inner == "blockquote":
            self._close()
        if self.stack:
            raise self._no_end()
        return Text("".join(self.out), tuple(ordered(self.entities)))

    @property
    def _inner(self) -> str:
        return self.stack[-1].kind if self.stack else ""

    @property
    def _in_quote(self) -> bool:
        return any(one.kind == "blockquote" for one in self.stack)

    def _sees(self, mark: str, ahead: int = 0) -> bool:
        return self.source.startswith(mark, self.at + ahead)

    def _step(self) -> None:
        character = self.source[self.at]
        following = self.source[self.at + 1 : self.at + 2]
        if character == "\\" and following and "\0" < following <= "~":
            self.at += 1
            self._emit(following)
        elif character not in (RESERVED if self._inner not in {"code", "pre"} else "`"):
            self._emit(character)
        elif character == "\n":
            self._new_line()
        elif self._closes():
            self._close()
        else:
            self._open()

    def _emit(self, character: str) -> None:
        self.out.append(character)
        self.offset += utf16(character)
        self.at += 1
        self.at_line_start = False

    def _new_line(self) -> None:
        goes_on = self._sees(">", 1)
        if self._in_quote and not goes_on:
            if self._inner != "blockquote":
                raise self._no_end()
            self._close()
        self._emit("\n")
        self.at_line_start = True
        if self._in_quote:
            self.at += 1

    def _closes(self) -> bool:
        inner = self._inner
        if inner in {"text_link", "custom_emoji"}:
            return self._sees("]")
        if inner == "blockquote":
            return self._sees("||") and self._ends_quote(self.at + 2)
        if inner == "italic" and self._sees("__"):
            return False  # it opens underline
        return inner in MARKS and self._sees(MARKS[inner])

    def _ends_quote(self, at: int) -> bool:
        return at == len(self.source) or (self.source[at] == "\n" and not self.source.startswith(">", at + 1))

    def _open(self) -> None:
        start = self.at
        kind, language = self._opened()
        self.stack.append(_Open(kind, start, self.offset, len(self.out), language))

    def _opened(self) -> tuple[str, str]:
        """What begins here, and its language; moves behind its mark."""
        if self._sees(">") and self.at_line_start and not self._in_quote:
            self.at += 1
            return "blockquote", ""
        for mark, kind in (("[", "text_link"), ("![", "custom_emoji")):
            if self._sees(mark):
                self.at += len(mark)
                return kind, ""
        for kind, mark in MARKS.items():
            if self._sees(mark):
                self.at += len(mark)
                return kind, self._language() if kind == "pre" else ""
        character = self.source[self.at]
        raise ParseError(f"Character '{character}' is reserved and must be escaped with the preceding '\\'")

    def _language(self) -> str:
        """The word behind the three backticks, unless the block ends there; skips one line end."""
        end = self.at
        while end < len(self.source) and not self.source[end].isspace() and self.source[end] != "`":
            end += 1
        language = ""
        if end < len(self.source) and self.source[end] != "`":
            language, self.at = self.source[self.at : end], end
        for line_end in ("\r\n", "\n\r", "\n", "\r"):
            if self._sees(line_end):
                self.at += len(line_end)
                break
        return language

    def _close(self) -> None:
        one = self.stack.pop()
        if one.kind in {"text_link", "custom_emoji"}:
            entity = self._link(one)
        elif one.kind == "blockquote":
            is_folded = self._sees("||")
            self.at += 2 * is_folded
            entity = {"type": "expandable_blockquote" if is_folded else "blockquote"}
        else:
            self.at += len(MARKS[one.kind])
            entity = {"type": one.kind} | ({"language": one.language} if one.language else {})
        if entity and self.offset > one.offset:
            self.entities.append({**entity, "offset": one.offset, "length": self.offset - one.offset})

    def _link(self, one: _Open) -> Entity | None:
        self.at += 1
        url = self._url() if self._sees("(") else None
        if one.kind == "custom_emoji":
            return emoji_or_time(url)
        return link("".join(self.out[one.text_at :]) if url is None else url)

    def _url(self) -> str:
        start = self.at
        self.at += 1
        url = []
        while self.at < len(self.source) and not self._sees(")"):
            if self._sees("\\") and "\0" < self.source[self.at + 1 : self.at + 2] <= "~":
                self.at += 1
            url.append(self.source[self.at])
            self.at += 1
        if self.at == len(self.source):
            raise ParseError(f"Can't find end of a URL at byte offset {self._bytes(start)}")
        self.at += 1
        return "".join(url)

    def _no_end(self) -> ParseError:
        one = self.stack[-1]
        name = "PreCode" if one.language else NAMES[one.kind]
        return ParseError(f"Can't find end of {name} entity at byte offset {self._bytes(one.source_at)}")

    def _bytes(self, at: int) -> int:
        return len(self.source[:at].encode("utf-8", "surrogatepass"))
