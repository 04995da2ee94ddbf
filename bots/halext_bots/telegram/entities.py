"""Lines as Telegram's text with entities: no markup at all, so there is nothing to escape.

Entities obey the Bot API: inside the text, counted in UTF-16 units, never empty, one inside another or apart, nothing
inside code, no white space at their ends (but for the indentation of code).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import dropwhile, groupby
from operator import attrgetter
from typing import Literal

from halext_bots.shared.boundaries import utf16
from halext_bots.shared.lines import Line, Run, groups, trimmed
from halext_bots.shared.tables import aligned

MESSAGE_MAX = 4_096
"""In UTF-16 units."""
ENTITIES_MAX = 100
LINES_KEPT = 1_024
"""Drawn lines that are kept: cutting measures the same lines again and again."""

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
        page = _page(lines)
        return Formatted(page.text, _most_useful(page.entities))

    def length(self, lines: Sequence[Line]) -> int:
        """Its length in UTF-16 units."""
        return _page(lines).length


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
        self.entities: list[Entity] = []
        self.length = 0

    @property
    def text(self) -> str:
        return "".join(self._parts)

    def write(self, text: str) -> None:
        self._parts.append(text)
        self.length += utf16(text)

    def mark(self, kind: Type, begin: int, end: int, *, url: str | None = None, language: str | None = None) -> None:
        if end > begin:
            self.entities.append(Entity(kind, begin, end - begin, url, language))

    def add(self, piece: Formatted) -> None:
        self.entities += [replace(entity, offset=entity.offset + self.length) for entity in piece.entities]
        self.write(piece.text)


def _page(lines: Sequence[Line]) -> _Page:
    page = _Page()
    quote, quote_end = -1, 0
    for group in groups(lines):
        first = group[0]
        if page.length:
            page.write("\n\n" if first.has_gap else "\n")
        is_pre = first.kind in {"code", "row"}
        if quote >= 0 and (is_pre or not first.is_quoted):
            page.mark("blockquote", quote, quote_end)
            quote = -1
        # Telegram takes white space off both ends of a message, and would have to move the entities.
        piece = _code(group) if is_pre else _drawn(first if page.length else replace(first, indent=0))
        if quote < 0 and first.is_quoted and not is_pre:
            quote = page.length + len(piece.text) - len(piece.text.lstrip())
        page.add(piece)
        quote_end = page.length
    if quote >= 0:
        page.mark("blockquote", quote, quote_end)
    return page


def _code(group: Sequence[Line]) -> Formatted:
    rows = aligned(group) if group[0].kind == "row" else [line.text for line in group]
    text = "\n".join(dropwhile(_is_empty, rows)).rstrip()
    language = group[0].language if _LANGUAGE.fullmatch(group[0].language) else None
    return Formatted(text, (Entity("pre", 0, utf16(text), language=language),) if text else ())


def _is_empty(row: str) -> bool:
    return not row.strip()


@lru_cache(LINES_KEPT)
def _drawn(line: Line) -> Formatted:
    page = _Page()
    _, runs, _ = trimmed(line.runs)
    prefix = _prefix(line)
    if line.kind == "rule":
        return Formatted(f"{prefix}———")
    page.write(prefix if runs else prefix.rstrip())
    if line.kind == "heading":
        runs = tuple(replace(run, strong=True) for run in runs)
    _dress(page, runs, 0)
    return Formatted(page.text, tuple(page.entities))


def _dress(page: _Page, runs: Sequence[Run], depth: int) -> None:
    if depth == len(_STYLES):
        for run in runs:
            page.write(plain(run.text))
        return
    name, kind = _STYLES[depth]
    for value, group in groupby(runs, key=attrgetter(name)):
        same = tuple(group)
        if value:
            _style(page, same, kind, depth)
        else:
            _dress(page, same, depth + 1)


def _style(page: _Page, runs: Sequence[Run], kind: Type, depth: int) -> None:
    front, inner, behind = trimmed(runs)
    page.write(front)
    begin = page.length
    if kind == "code":
        page.write("".join(run.text for run in inner))
    else:
        if kind == "text_link":  # code may be in nothing that has an address
            inner = tuple(replace(run, code=False, url="") for run in inner)
        _dress(page, inner, depth + 1)
    page.mark(kind, begin, page.length, url=runs[0].url if kind == "text_link" else None)
    page.write(behind)


def _prefix(line: Line) -> str:
    marks = "".join("• " if number is None else f"{number}. " for number in line.markers)
    return "  " * line.indent + marks
