"""Lines as Telegram's text with entities: no markup at all, so nothing has to be escaped and nothing can be refused as wrong.

Entities obey the Bot API: inside the text, counted in UTF-16 units, never empty, one inside another or apart, nothing inside
code, no white space at their ends.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Literal

from halext_bots.shared.boundaries import utf16
from halext_bots.shared.lines import Line, Run, groups, trimmed
from halext_bots.shared.tables import aligned

MESSAGE_MAX = 4_096
"""In UTF-16 units."""
ENTITIES_MAX = 100

Type = Literal["bold", "italic", "strikethrough", "code", "pre", "text_link", "blockquote"]

_WORTH: tuple[Type, ...] = ("text_link", "pre", "blockquote", "code", "bold", "strikethrough", "italic")
"""Which entities stay when there are too many."""
_JOINER = "\u2060"
_MENTION = re.compile(r"(?<!\w)@(?!\s)")
_LANGUAGE = re.compile(r"[A-Za-z0-9_+#.-]{1,24}")
_STYLES: tuple[tuple[str, Type], ...] = (
    ("url", "text_link"),
    ("code", "code"),
    ("strong", "bold"),
    ("strike", "strikethrough"),
    ("emphasis", "italic"),
)


@dataclass(frozen=True, slots=True)
class Entity:
    """How a piece of the text looks. Its fields are those of the Bot API."""

    type: Type
    offset: int
    """In UTF-16 units, as is the length."""
    length: int
    url: str | None = None
    language: str | None = None

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.offset + self.length


@dataclass(frozen=True, slots=True)
class Formatted:
    """A text and how its pieces look."""

    text: str
    entities: tuple[Entity, ...] = ()

    def plain(self) -> Formatted:
        """The last step of the ladder: the same words without any look. Addresses behind words are written out."""
        raw = self.text.encode("utf-16-le")
        made, at = "", 0
        for link in (entity for entity in self.entities if entity.url):
            made += raw[2 * at : 2 * link.end].decode("utf-16-le") + f" ({link.url})"
            at = link.end
        made += raw[2 * at :].decode("utf-16-le")
        return Formatted(made if utf16(made) <= MESSAGE_MAX else self.text)


class Entities:
    """The renderer for Telegram."""

    def __init__(self, limit: int = MESSAGE_MAX) -> None:
        self.limit = limit

    def render(self, lines: Sequence[Line]) -> Formatted:
        """These lines as one message. Of more than 100 entities the least useful are left out."""
        page = _Page()
        for group in groups(lines):
            page.add(group)
        return Formatted(page.text, _most_useful(page.finish()))

    def length(self, lines: Sequence[Line]) -> int:
        """Its length in UTF-16 units."""
        page = _Page()
        for group in groups(lines):
            page.add(group)
        return page.length


def plain(text: str) -> str:
    """Words of ours or of anybody, such as the name of a node: shown as they are, calling nobody."""
    return _MENTION.sub(f"@{_JOINER}", text)


def _most_useful(entities: list[Entity]) -> tuple[Entity, ...]:
    kept = sorted(entities, key=lambda entity: _WORTH.index(entity.type))[:ENTITIES_MAX]
    return tuple(sorted(kept, key=lambda entity: (entity.offset, -entity.length)))


class _Page:
    """Text and entities, written from front to back."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._entities: list[Entity] = []
        self._quote: int | None = None
        """Where the quote begins that is being written."""
        self._quote_end = 0
        self.length = 0

    @property
    def text(self) -> str:
        return "".join(self._parts)

    def add(self, group: Sequence[Line]) -> None:
        first = group[0]
        if self._parts:
            self._write("\n\n" if first.has_gap else "\n")
        is_pre = first.kind in {"code", "row"}
        self._quoted(first.is_quoted and not is_pre)
        match first.kind:
            case "code":
                self._pre([line.text for line in group], first.language)
            case "row":
                self._pre(aligned(group), "")
            case "rule":
                self._write(f"{_prefix(first)}———")
            case _:
                self._words(first)
        if self._quote is not None:
            self._quote_end = self.length

    def finish(self) -> list[Entity]:
        self._quoted(is_quoted=False)
        return self._entities

    def _quoted(self, is_quoted: bool) -> None:  # noqa: FBT001
        if is_quoted and self._quote is None:
            self._quote = self.length
        elif not is_quoted and self._quote is not None:
            self._mark("blockquote", self._quote, self._quote_end)
            self._quote = None

    def _write(self, text: str) -> None:
        self._parts.append(text)
        self.length += utf16(text)

    def _mark(self, kind: Type, begin: int, end: int, *, url: str | None = None, language: str | None = None) -> None:
        if end > begin:
            self._entities.append(Entity(kind, begin, end - begin, url, language))

    def _pre(self, rows: Sequence[str], language: str) -> None:
        begin = self.length
        shown = [row for index, row in enumerate(rows) if any(map(str.strip, rows[: index + 1]))]
        self._write("\n".join(shown).rstrip())
        self._mark("pre", begin, self.length, language=language if _LANGUAGE.fullmatch(language) else None)

    def _words(self, line: Line) -> None:
        _, runs, _ = trimmed(line.runs)
        prefix = _prefix(line)
        # Telegram takes white space off both ends of a message, and would have to move the entities.
        self._write((prefix if self._parts else prefix.lstrip()) if runs else prefix.strip())
        if line.kind == "heading":
            runs = tuple(Run(run.text, True, run.emphasis, run.strike, run.code, run.url) for run in runs)
        self._dress(runs, 0)

    def _dress(self, runs: Sequence[Run], depth: int) -> None:
        if depth == len(_STYLES):
            for run in runs:
                self._write(plain(run.text))
            return
        name, kind = _STYLES[depth]
        for value, grouped in groupby(runs, key=attrgetter(name)):
            self._style(tuple(grouped), kind if value else None, depth)

    def _style(self, runs: tuple[Run, ...], kind: Type | None, depth: int) -> None:
        if kind is None:
            self._dress(runs, depth + 1)
            return
        front, inner, behind = trimmed(runs)
        self._write(front)
        begin = self.length
        if kind == "code":
            self._write("".join(run.text for run in inner))
        else:
            if kind == "text_link":  # code may hold nothing and be in nothing, so a link is no code
                inner = tuple(Run(run.text, run.strong, run.emphasis, run.strike) for run in inner)
            self._dress(inner, depth + 1)
        self._mark(kind, begin, self.length, url=runs[0].url if kind == "text_link" else None)
        self._write(behind)


def _prefix(line: Line) -> str:
    marks = "".join("• " if number is None else f"{number}. " for number in line.markers)
    return "  " * line.indent + marks
