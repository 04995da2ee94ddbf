"""A document laid out as lines of styled runs: what is cut into messages, and what renderers dress."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from halext_bots.shared.boundaries import is_blank
from halext_bots.shared.document import (
    Align,
    Block,
    Break,
    CodeBlock,
    CodeSpan,
    Emphasis,
    Heading,
    Inline,
    Link,
    List,
    Paragraph,
    Quote,
    Rule,
    Strike,
    Strong,
    Table,
    Text,
    words,
)
from halext_bots.shared.links import is_deceptive

INDENTS_MAX = 8
"""Levels of lists that are indented further; deeper ones stay there, or nothing of a narrow screen is left."""

Kind = Literal["text", "heading", "code", "row", "rule"]


@dataclass(frozen=True, slots=True)
class Run:
    """Words of one look."""

    text: str
    strong: bool = False
    emphasis: bool = False
    strike: bool = False
    code: bool = False
    url: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line. In a row of a table each run is a cell."""

    runs: tuple[Run, ...]
    kind: Kind = "text"
    rank: int = 0
    """What begins here: 2 a block of the document, 1 a smaller one, 0 nothing."""
    has_gap: bool = False
    """Whether a blank line belongs in front of it."""
    is_quoted: bool = False
    indent: int = 0
    markers: tuple[int | None, ...] = ()
    """The items of lists that begin here: their numbers, None for a bullet."""
    level: int = 0
    """Of a heading."""
    language: str = ""
    aligns: tuple[Align, ...] = ()
    is_header: bool = False

    @property
    def text(self) -> str:
        """The words alone."""
        return "".join(run.text for run in self.runs)

    @property
    def opens(self) -> bool:
        """Whether it is the first of its block, so that it never continues the code or table above."""
        return self.rank > 0

    @property
    def is_blank(self) -> bool:
        """Whether it shows nothing."""
        return self.kind != "rule" and not self.markers and is_blank(self.text)

    def head(self, count: int) -> Line:
        """The first characters."""
        if count >= sum(len(run.text) for run in self.runs):
            return self
        taken: list[Run] = []
        for run in self.runs:
            if count <= 0:
                break
            taken.append(replace(run, text=run.text[:count]))
            count -= len(run.text)
        return replace(self, runs=tuple(taken))

    def tail(self, count: int) -> Line:
        """What follows the first characters: the same kind of line, with nothing that begins."""
        left: list[Run] = []
        for run in self.runs:
            if count < len(run.text) or (count <= 0 and left):
                left.append(replace(run, text=run.text[max(count, 0) :]))
            count -= len(run.text)
        indent = self.indent + len(self.markers)
        return replace(self, runs=tuple(left), rank=0, has_gap=False, markers=(), indent=indent, is_header=False)

    def bare(self) -> Line:
        """The words as plain text."""
        return Line((Run(self.text),), rank=self.rank, has_gap=self.has_gap)


def lay_out(blocks: Iterable[Block]) -> list[Line]:
    """The lines of these blocks. Appending blocks appends lines; `Line.has_gap` of the first says how it joins on."""
    layout = _Layout()
    previous: Block | None = None
    for block in blocks:
        layout.add(block, _Frame(rank=2, has_gap=not isinstance(previous, Heading)))
        previous = block
    return layout.lines


@dataclass(frozen=True, slots=True)
class _Frame:
    """What stands around a block."""

    rank: int
    has_gap: bool
    is_quoted: bool = False
    depth: int = 0
    markers: tuple[int | None, ...] = ()


class _Layout:
    def __init__(self) -> None:
        self.lines: list[Line] = []

    def add(self, block: Block, frame: _Frame) -> None:
        match block:
            case Paragraph() | Heading():
                self._text(block, frame)
            case List():
                self._list(block, frame)
            case Quote(blocks):
                self._inner(blocks, replace(frame, is_quoted=True))
            case CodeBlock(text, language):
                frame = self._marked(frame)
                for row in text.split("\n"):
                    self._line((Run(row),), frame, "code", language=language)
                    frame = _later(frame)
            case Table(rows, aligns):
                self._table(rows, aligns, self._marked(frame))
            case Rule():
                self._line((), frame, "rule")

    def _text(self, block: Paragraph | Heading, frame: _Frame) -> None:
        level = block.level if isinstance(block, Heading) else 0
        for row in _rows(block.inlines):
            self._line(row, frame, "heading" if level else "text", level=level)
            frame = _later(frame)

    def _inner(self, blocks: Sequence[Block], frame: _Frame) -> None:
        previous: Block | None = None
        for block in blocks:
            if previous is not None:
                joins = (frame.depth and isinstance(block, List)) or isinstance(previous, Heading)
                frame = replace(frame, rank=1, markers=(), has_gap=not joins)
            self.add(block, frame)
            previous = block

    def _list(self, block: List, frame: _Frame) -> None:
        number = block.start
        for item in block.items:
            inner = replace(frame, depth=frame.depth + 1, markers=(*frame.markers, number))
            self._inner(item, inner)
            if not item:
                self._line((), inner, "text")
            frame = replace(frame, rank=1, has_gap=False, markers=())
            number = None if number is None else number + 1

    def _marked(self, frame: _Frame) -> _Frame:
        """A marker in front of code or a table stands on a line of its own."""
        if not frame.markers:
            return frame
        self._line((), frame, "text")
        return replace(frame, rank=1, has_gap=False, markers=())

    def _table(self, rows: Sequence[Sequence[Sequence[Inline]]], aligns: tuple[Align, ...], frame: _Frame) -> None:
        for index, row in enumerate(rows):
            cells = tuple(Run(words(cell).replace("\n", " ")) for cell in row)
            self._line(cells, frame, "row", aligns=aligns, is_header=index == 0)
            frame = _later(frame)

    def _line(
        self,
        runs: tuple[Run, ...],
        frame: _Frame,
        kind: Kind,
        *,
        level: int = 0,
        language: str = "",
        aligns: tuple[Align, ...] = (),
        is_header: bool = False,
    ) -> None:
        self.lines.append(
            Line(
                runs,
                kind,
                frame.rank,
                frame.has_gap,
                frame.is_quoted,
                min(frame.depth - len(frame.markers), INDENTS_MAX),
                frame.markers[-INDENTS_MAX:],
                level,
                language,
                aligns,
                is_header,
            )
        )


def _later(frame: _Frame) -> _Frame:
    return replace(frame, rank=0, has_gap=False, markers=())


def _rows(inlines: Sequence[Inline]) -> list[tuple[Run, ...]]:
    rows: list[list[Run]] = [[]]
    _flatten(inlines, Run(""), rows)
    return [tuple(row) for row in rows]


def _flatten(inlines: Sequence[Inline], style: Run, rows: list[list[Run]]) -> None:
    for inline in inlines:
        match inline:
            case Text(text):
                _put(replace(style, text=text), rows[-1])
            case CodeSpan(text):
                _put(replace(style, text=text, code=True), rows[-1])
            case Break():
                rows.append([])
            case Strong(inner) | Emphasis(inner) | Strike(inner):
                _flatten(inner, _styled(style, inline), rows)
            case Link():
                _link(inline, style, rows)


def _styled(style: Run, inline: Strong | Emphasis | Strike) -> Run:
    match inline:
        case Strong():
            return replace(style, strong=True)
        case Emphasis():
            return replace(style, emphasis=True)
        case Strike():
            return replace(style, strike=True)


def _put(run: Run, row: list[Run]) -> None:
    # Neighbours of one look become one: a renderer must see "@" and "everyone" together to take care of them.
    if row and replace(row[-1], text="") == replace(run, text=""):
        run = replace(run, text=row.pop().text + run.text)
    row.append(run)


def _link(link: Link, style: Run, rows: list[list[Run]]) -> None:
    shown = words(link.inlines)
    if style.url or is_blank(shown) or is_deceptive(shown, link.url):
        _flatten(link.inlines, style, rows)
        _put(replace(style, text=f" ({link.url})"), rows[-1])
    elif shown == link.url:
        _put(replace(style, text=link.url), rows[-1])
    else:
        _flatten(link.inlines, replace(style, url=link.url), rows)


def trimmed(runs: Sequence[Run]) -> tuple[str, tuple[Run, ...], str]:
    """White space in front, the runs without it, white space behind."""
    if runs and all(run.text for run in runs) and not (runs[0].text[0].isspace() or runs[-1].text[-1].isspace()):
        return "", tuple(runs), ""
    text = "".join(run.text for run in runs)
    inner = text.strip()
    front = text[: len(text) - len(text.lstrip())] if inner else text
    kept = Line(tuple(runs)).head(len(front) + len(inner)).tail(len(front)).runs
    return front, tuple(run for run in kept if run.text), text[len(front) + len(inner) :]


def groups(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """Lines that are drawn together: those of one code block or table; any other line for itself."""
    group: list[Line] = []
    for line in lines:
        goes_on = group and line.kind in {"code", "row"} and line.kind == group[-1].kind and not line.opens
        if group and not goes_on:
            yield group
            group = []
        group.append(line)
    if group:
        yield group
