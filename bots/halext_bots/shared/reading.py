"""From the Markdown of a model to a document: CommonMark with tables and ~~strikes~~, and nothing that can act.

Raw HTML is text and a picture is a link. Two things of CommonMark are left out, so that what has been written never
changes its meaning when more is written: titles by underlining, and link targets that are defined elsewhere.

What is promised about growing text: let `front = text[:steady(text)]`. Then `read(text + more)` begins with
`settled(read(front))`, whatever `more` is. So a message made of settled blocks can be sent and left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_block import blockquote as quote_rule
from markdown_it.rules_block import list_block as list_rule
from markdown_it.rules_block import table as table_rule
from markdown_it.rules_block.table import escapedSplit
from markdown_it.token import Token

from halext_bots.shared.boundaries import best_break
from halext_bots.shared.document import (
    Align,
    Block,
    Break,
    Cell,
    CodeBlock,
    CodeSpan,
    Document,
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
)
from halext_bots.shared.links import target

SEGMENT = 1_000
"""Characters that are looked at together for *emphasis* and [links]: a line's cost grows with the square of this."""
BRACKETS_MAX = 60
"""Opening brackets in a segment; with more of them they are only brackets."""
NESTED_MAX = 32
"""Levels of lists and quotes; the parser would drop what is deeper than its own limit, so deeper markers are text."""
HEADER_MAX = 400
"""Characters in the first two rows of a table. Below half a segment, so that neither is ever settled as a paragraph."""

_UNSEEN = dict.fromkeys((*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F)))
"""Control characters, and those that turn the direction of everything around: Telegram drops them too."""
_CLEAN = {**_UNSEEN, **dict.fromkeys(range(0xD800, 0xE000), "\ufffd"), 0x2028: "\n", 0x2029: "\n"}


def clean(text: str) -> str:
    """The text without control characters and half characters, its line breaks all of one kind."""
    return text.removesuffix("\r").replace("\r\n", "\n").replace("\r", "\n").translate(_CLEAN)


def read(text: str) -> Document:
    """The whole text as blocks; an unfinished one too, such as code whose fence is still open."""
    return tuple(block for block, _ in read_placed(clean(text)))


def read_placed(text: str) -> list[tuple[Block, int]]:
    """The blocks of a clean text, each with the number of the line that it begins in."""
    tokens: list[Token] = []
    _MARKDOWN.block.parse(text, _MARKDOWN, {}, tokens)
    return list(_Blocks(tokens, text.split("\n")).all())


def steady(text: str) -> int:
    """How much of a clean text says what kind of block it is in.

    All whole lines do. A last line that is not finished may still turn into anything, unless it is long, and words.
    """
    end = text.rfind("\n") + 1
    if len(text) - end <= HEADER_MAX:
        return end
    leaf = _last_leaf(read(text))
    return len(text) if isinstance(leaf, Paragraph) and leaf.settled else end


def _last_leaf(blocks: Document) -> Block | None:
    last = blocks[-1] if blocks else None
    match last:
        case Quote(inner):
            return _last_leaf(inner)
        case List(items):
            return _last_leaf(items[-1])
        case _:
            return last


def settled(blocks: Document) -> Document:
    """Without the last piece: the rest of a steady text stays as it is when more is written."""
    if not blocks:
        return ()
    kept = _settled(blocks[-1])
    return blocks[:-1] if kept is None else (*blocks[:-1], kept)


def _settled(block: Block) -> Block | None:
    match block:
        case Paragraph(inlines, count) if count:
            kept = _without_end(inlines[:count])
            return Paragraph(kept, len(kept)) if kept else None
        case CodeBlock(text) if "\n" in text:
            return replace(block, text=text.rpartition("\n")[0])
        case Table(rows) if len(rows) > 1:
            return replace(block, rows=rows[:-1])
        case Quote(blocks) if inner := settled(blocks):
            return Quote(inner)
        case List(items) if len(items) > 1 or settled(items[-1]):
            last = settled(items[-1])
            return replace(block, items=(*items[:-1], last) if last else items[:-1])
        case _:
            return None


def _without_end(inlines: tuple[Inline, ...]) -> tuple[Inline, ...]:
    # What follows a line break may become a table; then the break and the blanks are none of the paragraph's.
    if inlines and isinstance(inlines[-1], Break):
        inlines = inlines[:-1]
    if inlines and isinstance(last := inlines[-1], Text):
        words = last.text.rstrip()
        inlines = (*inlines[:-1], Text(words)) if words else inlines[:-1]
    return inlines


class _Blocks:
    """Walks the tokens of the parser once."""

    def __init__(self, tokens: Sequence[Token], lines: Sequence[str]) -> None:
        self._tokens = tokens
        self._lines = lines
        self._at = 0

    def all(self) -> Iterator[tuple[Block, int]]:
        while self._at < len(self._tokens):
            place = self._tokens[self._at].map or [0, 0]
            yield self._block(), place[0]

    def _next(self) -> Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _until(self, closing: str) -> Iterator[None]:
        while self._tokens[self._at].type != closing:
            yield
        self._at += 1

    def _block(self) -> Block:
        token = self._next()
        match token.type:
            case "heading_open":
                return Heading(int(token.tag[1:]), self._line("heading_close").inlines)
            case "bullet_list_open" | "ordered_list_open":
                return self._list(token)
            case "blockquote_open":
                return Quote(tuple(self._block() for _ in self._until("blockquote_close")))
            case "fence" | "code_block":
                return CodeBlock(token.content.removesuffix("\n"), _language(token.info))
            case "table_open":
                return self._table()
            case "hr":
                return Rule()
            case _:
                return self._line("paragraph_close")

    def _line(self, closing: str) -> Paragraph:
        inlines, count = _inlines(self._next().content)
        for _ in self._until(closing):
            self._next()
        return Paragraph(inlines, count)

    def _list(self, opening: Token) -> List:
        closing = opening.type.replace("open", "close")
        start = int(opening.attrs.get("start", 1)) if opening.type.startswith("ordered") else None
        items = []
        for _ in self._until(closing):
            self._next()
            items.append(tuple(self._block() for _ in self._until("list_item_close")))
        return List(tuple(items), start)

    def _table(self) -> Table:
        rows: list[tuple[Cell, ...]] = []
        aligns: list[Align] = []
        for _ in self._until("table_close"):
            token = self._next()
            if token.type == "tr_open":
                rows.append(self._row(token, None if not rows else len(rows[0])))
            elif token.type == "thead_open":
                aligns = self._aligns()
        return Table(tuple(rows), tuple(aligns))

    def _aligns(self) -> list[Align]:
        found: list[Align] = []
        at = self._at
        while self._tokens[at].type != "tr_close":
            if self._tokens[at].type == "th_open":
                style = str(self._tokens[at].attrs.get("style", ""))
                found.append(cast("Align", style.removeprefix("text-align:")))
            at += 1
        return found

    def _row(self, opening: Token, columns: int | None) -> tuple[Cell, ...]:
        cells = []
        for _ in self._until("tr_close"):
            token = self._next()
            if token.type == "inline":
                cells.append(_inlines(token.content)[0])
        if columns is not None and opening.map:
            cells += self._surplus(self._lines[opening.map[0]], columns)
        return tuple(cells)

    def _surplus(self, line: str, columns: int) -> list[Cell]:
        # The parser forgets cells beyond the header's; a model that miscounts still meant to say them.
        parts = escapedSplit(line.strip().lstrip("> "))
        parts = parts[1 if parts and not parts[0] else 0 :]
        parts = parts[: -1 if parts and not parts[-1].strip() else None]
        return [_inlines(part.strip())[0] for part in parts[columns:] if part.strip()]


def _language(info: str) -> str:
    return next(iter(info.split(maxsplit=1)), "")


def _inlines(source: str) -> tuple[tuple[Inline, ...], int]:
    """The inlines of a block, and how many of them stand in front of its last segment."""
    found: list[Inline] = []
    count = 0
    while len(source) > SEGMENT:
        at = _segment_end(source)
        found += _segment(source[:at])
        count = len(found)
        source = source[at:]
    return (*found, *_segment(source)), count


def _segment_end(source: str) -> int:
    # Only what stands in front of the end is looked at, so that it stays where it is when more is written.
    line = source.rfind("\n", SEGMENT // 2, SEGMENT + 1) + 1
    return line or best_break(source[: SEGMENT + 1], SEGMENT)


def _segment(source: str) -> list[Inline]:
    parser = _MARKDOWN if source.count("[") <= BRACKETS_MAX else _UNLINKED
    # A segment may end in a line break, which the parser takes for the end of the text and drops.
    breaks = source.endswith("\n")
    tokens: list[Token] = []
    parser.inline.parse(source.rstrip() if breaks else source, parser, {}, tokens)
    return [*_tree(iter(tokens), None), *([Break()] if breaks else [])]


_STYLES: dict[str, Any] = {"strong": Strong, "em": Emphasis, "s": Strike}


def _tree(tokens: Iterator[Token], closing: str | None) -> list[Inline]:
    made: list[Inline] = []
    for token in tokens:
        if token.type == closing:
            break
        kind = token.type.removesuffix("_open")
        if kind in _STYLES:
            made.append(_STYLES[kind](tuple(_tree(tokens, f"{kind}_close"))))
        elif kind == "link":
            made += _link(tuple(_tree(tokens, "link_close")), str(token.attrs.get("href", "")))
        elif kind == "image":
            shown = tuple(_tree(iter(token.children or ()), None))
            made += _link(shown, str(token.attrs.get("src", "")))
        else:
            made += _leaf(token)
    return made


def _leaf(token: Token) -> list[Inline]:
    if token.type in {"softbreak", "hardbreak"}:  # small models end their lines where they mean it
        return [Break()]
    if token.type == "code_inline":
        return [CodeSpan(token.content)] if token.content else []
    return [Text(token.content)] if token.content else []


def _link(shown: tuple[Inline, ...], href: str) -> list[Inline]:
    url = target(href)
    if url is None:
        return [*shown, Text(f" ({href})")] if href else list(shown)
    return [Link(shown or (Text(url),), url)]


def _limited(rule: Any) -> Any:
    def limited(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001
        # Each level of a list takes two of the parser's.
        return state.level < 2 * NESTED_MAX and bool(rule(state, start, end, silent))

    return limited


def _table_rule(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001
    if any(state.eMarks[row] - state.bMarks[row] > HEADER_MAX for row in range(start, min(start + 2, end))):
        return False
    return bool(table_rule(state, start, end, silent))


def _markdown() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False, "maxNesting": 100}).enable(["table", "strikethrough"])
    made.disable(["reference", "lheading", "html_block", "html_inline"])
    made.block.ruler.at("list", _limited(list_rule), {"alt": ["paragraph", "reference", "blockquote"]})
    before = ["paragraph", "reference", "blockquote", "list"]
    made.block.ruler.at("blockquote", _limited(quote_rule), {"alt": before})
    made.block.ruler.at("table", _table_rule, {"alt": ["paragraph", "reference"]})
    return made


_MARKDOWN = _markdown()
_UNLINKED = _markdown().disable(["link", "image"])
