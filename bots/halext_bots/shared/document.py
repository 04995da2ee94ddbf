"""What a model said, as a small tree that knows no platform: blocks that hold inlines.

Every value is frozen and compares by what it holds. Nothing in here is markup: a renderer decides what a thing looks
like, and escapes what its platform would take for a command.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

Align = Literal["", "left", "center", "right"]


@dataclass(frozen=True, slots=True)
class Text:
    """Words without a style."""

    text: str


@dataclass(frozen=True, slots=True)
class Strong:
    """Bold."""

    inlines: tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Emphasis:
    """Italic."""

    inlines: tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Strike:
    """Struck out."""

    inlines: tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class CodeSpan:
    """Code inside a line."""

    text: str


@dataclass(frozen=True, slots=True)
class Link:
    """An http, https or mailto address behind words; pictures are links too."""

    inlines: tuple[Inline, ...]
    url: str


@dataclass(frozen=True, slots=True)
class Break:
    """A new line inside a block."""


Inline = Text | Strong | Emphasis | Strike | CodeSpan | Link | Break


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text."""

    inlines: tuple[Inline, ...]
    settled: int = 0
    """How many of the inlines stay as they are whatever is written after them."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A title."""

    level: int
    """1 to 6."""
    inlines: tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class List:
    """Items, each made of blocks."""

    items: tuple[tuple[Block, ...], ...]
    start: int | None = None
    """The first number; None for bullets."""


@dataclass(frozen=True, slots=True)
class Quote:
    """What somebody else said."""

    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """Lines of code; the last one ends without a line break."""

    text: str
    language: str = ""


Cell = tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells; the first row is the header. Rows may be longer or shorter than it."""

    rows: tuple[tuple[Cell, ...], ...]
    aligns: tuple[Align, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across."""


Block = Paragraph | Heading | List | Quote | CodeBlock | Table | Rule
Document = tuple[Block, ...]


def content(blocks: Iterable[Block]) -> str:
    """All the words in their order, one leaf a line, without anything that says what they look like."""
    return "\n".join(part for block in blocks for part in _parts(block))


def _parts(block: Block) -> Iterator[str]:
    match block:
        case Paragraph(inlines) | Heading(_, inlines):
            yield words(inlines)
        case List(items):
            yield from (part for item in items for inner in item for part in _parts(inner))
        case Quote(blocks):
            yield from (part for inner in blocks for part in _parts(inner))
        case CodeBlock(text):
            yield text
        case Table(rows):
            yield from (words(cell) for row in rows for cell in row)
        case Rule():
            pass


def words(inlines: Iterable[Inline]) -> str:
    """The words of a line or a cell."""
    return "".join(_words(inline) for inline in inlines)


def _words(inline: Inline) -> str:
    match inline:
        case Text(text) | CodeSpan(text):
            return text
        case Break():
            return "\n"
        case Strong(inlines) | Emphasis(inlines) | Strike(inlines) | Link(inlines):
            return words(inlines)
