"""Cutting a document into messages.

Between blocks if that leaves no message half empty, else between lines, sentences, words, and only then inside a word;
never inside what people see as one character, unless it alone is longer than a message.

The parts are lines, so a renderer dresses each message for itself: code opened anew keeps its language, items their
numbers. Whatever a renderer adds is part of what is measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from halext_bots.shared.boundaries import best_break, is_blank
from halext_bots.shared.document import CodeBlock, Document, Paragraph, Text
from halext_bots.shared.lines import Line, lay_out
from halext_bots.shared.reading import read

FILE_AFTER = 3
"""Messages that one piece of code may fill; more of it is a file."""

Body_co = TypeVar("Body_co", covariant=True)
Body = TypeVar("Body")


class Renderer(Protocol[Body_co]):
    """How a platform writes lines, and how it counts them. Adding a line never makes the whole shorter."""

    @property
    def limit(self) -> int:
        """The longest message, in the platform's own unit."""

    def render(self, lines: Sequence[Line]) -> Body_co:
        """These lines as one message."""

    def length(self, lines: Sequence[Line]) -> int:
        """How long that message is, in the unit of `limit`."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The lines of one message, and where the next one begins."""

    head: tuple[Line, ...]
    """Empty if there was nothing to see in front of the cut."""
    lines: int
    """Whole lines that are used up."""
    chars: int = 0
    """Characters that are used up of the line behind them."""


def messages(text: str, renderer: Renderer[Body]) -> list[Body]:
    """What a model said as messages; none if there is nothing to see."""
    return [renderer.render(part) for part in split(lay_out(read(text)), renderer)]


def split(lines: Sequence[Line], renderer: Renderer[object]) -> list[tuple[Line, ...]]:
    """The lines of each message. Every message fits, none is blank, and no word is lost."""
    parts = []
    while (found := cut(lines, renderer)) is not None:
        parts.append(found.head)
        lines = after(lines, found)
    return [part for part in (*parts, _filled(lines)) if part]


def cut(lines: Sequence[Line], renderer: Renderer[object]) -> Cut | None:
    """The first message, if these lines are too long for one.

    It depends on no more lines than are needed to see that they are too long.
    """
    blank = next((index for index, line in enumerate(lines) if not line.is_blank), len(lines))
    # What is longer than a message need not be measured to its end; neither are there more lines in one than units.
    rest = [_clipped(line, renderer.limit) for line in lines[blank : blank + renderer.limit + 1]]
    count = _fitting(rest, renderer)
    if count == len(rest):
        return None
    found = _between(rest, count, renderer) or _inside(rest, count, renderer)
    return replace(found, head=_filled(found.head), lines=found.lines + blank)


def after(lines: Sequence[Line], found: Cut) -> list[Line]:
    """What is left behind a cut."""
    rest = list(lines[found.lines :])
    if not found.chars:
        return rest
    line = rest[0].tail(found.chars)
    if line.kind != "code":
        line = line.tail(len(line.text) - len(line.text.lstrip()))
    return [line, *rest[1:]]


def _filled(lines: Sequence[Line]) -> tuple[Line, ...]:
    first = next((index for index, line in enumerate(lines) if not line.is_blank), len(lines))
    last = next((index for index in range(len(lines), first, -1) if not lines[index - 1].is_blank), first)
    return tuple(lines[first:last])


def _clipped(line: Line, limit: int) -> Line:
    # Renderers leave out white space at both ends, so what is kept has to be too long without it.
    text = line.text
    count = len(text) - len(text.lstrip()) + limit + 1
    while count < len(text) and text[count - 1].isspace():
        count += 1
    return line.head(count)


def _fitting(lines: Sequence[Line], renderer: Renderer[object]) -> int:
    """How many lines fit."""
    fits, step = 0, 4
    while renderer.length(lines[: fits + step]) <= renderer.limit:
        if fits + step >= len(lines):
            return len(lines)
        fits, step = fits + step, step * 2
    too_many = fits + step  # maybe more than there are: more lines to come must not change what is tried
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        if renderer.length(lines[:middle]) <= renderer.limit:
            fits = middle
        else:
            too_many = middle
    return fits


def _between(lines: Sequence[Line], count: int, renderer: Renderer[object]) -> Cut | None:
    """A cut that leaves the message at least half full: in front of the line where most begins, of these the latest."""
    least, most = 0, count + 1
    while most - least > 1:
        middle = (least + most) // 2
        if renderer.length(lines[:middle]) < renderer.limit // 2:
            least = middle
        else:
            most = middle
    # A title belongs to what it is the title of.
    places = [at for at in range(least + 1, count + 1) if lines[at - 1].kind != "heading"]
    if not places:
        return None
    best = max(places, key=lambda at: (lines[at].rank, at))
    return Cut(tuple(lines[:best]), best)


def _inside(lines: Sequence[Line], count: int, renderer: Renderer[object]) -> Cut:
    """A cut inside the first line that no longer fits."""
    line = lines[count]
    most = _fitting_chars(lines[:count], line, renderer)
    if most == 0 and count:
        return Cut(tuple(lines[:count]), count)
    if most == 0:  # not even one character with all that belongs around it: without that, then
        most, line = 1, line.bare()
    at = best_break(line.text, most, sentences=line.kind != "code")
    return Cut((*lines[:count], line.head(at)), count, at)


def _fitting_chars(before: Sequence[Line], line: Line, renderer: Renderer[object]) -> int:
    fits, too_many = 0, renderer.limit + 1
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        if renderer.length([*before, line.head(middle)]) <= renderer.limit:
            fits = middle
        else:
            too_many = middle
    return fits


@dataclass(frozen=True, slots=True)
class CodeFile:
    """Code that is better sent as a file."""

    name: str
    text: str


_SUFFIXES = {
    "bash": "sh", "c": "c", "c++": "cpp", "cpp": "cpp", "csharp": "cs", "css": "css", "csv": "csv", "diff": "diff",
    "go": "go", "html": "html", "java": "java", "javascript": "js", "js": "js", "json": "json", "kotlin": "kt",
    "lua": "lua", "markdown": "md", "md": "md", "php": "php", "py": "py", "python": "py", "rb": "rb", "ruby": "rb",
    "rs": "rs", "rust": "rs", "sh": "sh", "shell": "sh", "sql": "sql", "swift": "swift", "toml": "toml",
    "ts": "ts", "typescript": "ts", "xml": "xml", "yaml": "yaml", "yml": "yaml",
}  # fmt: skip


def as_file(block: CodeBlock, renderer: Renderer[object], number: int = 1) -> CodeFile | None:
    """The code as a file if it would fill more than three messages. The name is ours, never the model's."""
    if is_blank(block.text) or len(split(lay_out([block]), renderer)) <= FILE_AFTER:
        return None
    return CodeFile(f"code-{number}.{_SUFFIXES.get(block.language.lower(), 'txt')}", block.text + "\n")


def with_files(document: Document, renderer: Renderer[object]) -> tuple[Document, tuple[CodeFile, ...]]:
    """The document with its long code blocks replaced by the names of files, and these files."""
    blocks = []
    files: list[CodeFile] = []
    for block in document:
        file = as_file(block, renderer, len(files) + 1) if isinstance(block, CodeBlock) else None
        if file is not None:
            files.append(file)
        blocks.append(block if file is None else Paragraph((Text(f"📎 {file.name}"),)))
    return tuple(blocks), tuple(files)
