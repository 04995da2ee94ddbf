"""The HTML of rich messages, as blocks."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from halext.testing.botapi.text import ParseError

Block = dict[str, Any]

STYLES = {
    **dict.fromkeys(("b", "strong"), "bold"),
    **dict.fromkeys(("i", "em"), "italic"),
    **dict.fromkeys(("u", "ins"), "underline"),
    **dict.fromkeys(("s", "strike", "del"), "strikethrough"),
    "tg-spoiler": "spoiler",
    "code": "code",
    "mark": "marked",
    "sub": "subscript",
    "sup": "superscript",
}
MEDIA = {"img": "photo", "video": "video", "audio": "audio"}
EMPTY = frozenset({"br", "hr", "img"})
TEXTS = {"p": "paragraph", "footer": "footer", "pre": "pre", "tg-thinking": "thinking"}
NESTS = {"blockquote": "blockquote", "aside": "pullquote", "tg-collage": "collage", "tg-slideshow": "slideshow"}
HEADINGS = {f"h{size}": size for size in range(1, 7)}
INSIDE = frozenset({"li", "tr", "td", "th", "thead", "tbody", "summary", "figure", "figcaption"})
BLOCKS = TEXTS.keys() | NESTS.keys() | HEADINGS.keys() | MEDIA.keys() | {"ul", "ol", "table", "details", "hr", "figure"}
TAGS = BLOCKS | STYLES.keys() | INSIDE | {"a", "br", "tg-math", "tg-math-block"}


@dataclass(slots=True)
class _Node:
    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[_Node | str] = field(default_factory=list)

    def named(self, *tags: str) -> list[_Node]:
        return [child for child in self.children if isinstance(child, _Node) and child.tag in tags]


class _Tree(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [_Node("")]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            raise ParseError(f'Unsupported start tag "{tag}"')
        node = _Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(node)
        if tag not in EMPTY:
            self.open.append(node)

    def handle_endtag(self, tag: str) -> None:
        if tag in EMPTY:
            return
        if self.open[-1].tag != tag:
            raise ParseError(f'Unmatched end tag, expected "</{self.open[-1].tag}>", found "</{tag}>"')
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def blocks_of_html(source: str) -> list[Block]:
    """The blocks that the source stands for. ParseError for tags that are unknown or not closed."""
    tree = _Tree()
    tree.feed(source)
    tree.close()
    if len(tree.open) > 1:
        raise ParseError(f'Can\'t find end tag corresponding to start tag "{tree.open[-1].tag}"')
    return _blocks(tree.open[0])


def _blocks(parent: _Node) -> list[Block]:
    """Its block elements; what stands between them is paragraphs."""
    found: list[Block] = []
    loose: list[_Node | str] = []

    def end_paragraph() -> None:
        text = _text(_Node("p", children=list(loose)))
        if text and (not isinstance(text, str) or text.strip()):
            found.append({"type": "paragraph", "text": text.strip() if isinstance(text, str) else text})
        loose.clear()

    for child in parent.children:
        if isinstance(child, _Node) and child.tag in BLOCKS | {"tg-math-block"}:
            end_paragraph()
            found += _block(child)
        else:
            loose.append(child)
    end_paragraph()
    return found


def _block(node: _Node) -> list[Block]:
    tag = node.tag
    if tag in HEADINGS:
        return [{"type": "heading", "text": _text(node), "size": HEADINGS[tag]}]
    if tag == "pre":
        return [_code(node)]
    if tag in TEXTS:
        return [{"type": TEXTS[tag], "text": _text(node)}]
    if tag in NESTS:
        return [{"type": NESTS[tag], "blocks": _blocks(node)}]
    if tag in MEDIA:
        return [{"type": MEDIA[tag], "url": node.attributes.get("src", "")}]
    return _compound(node)


def _compound(node: _Node) -> list[Block]:
    match node.tag:
        case "hr":
            return [{"type": "divider"}]
        case "ul" | "ol":
            return [{"type": "list", "items": [_item(node, item, n) for n, item in enumerate(node.named("li"), 1)]}]
        case "details":
            summary = node.named("summary")
            rest = _Node("", children=[child for child in node.children if child not in summary])
            is_open = {"is_open": True} if "open" in node.attributes else {}
            title = _text(summary[0]) if summary else ""
            return [{"type": "details", "summary": title, "blocks": _blocks(rest), **is_open}]
        case "table":
            return [{"type": "table", "cells": [_cells(row) for row in _rows(node)]}]
        case "tg-math-block":
            return [{"type": "mathematical_expression", "expression": _text(node)}]
        case _:  # a figure
            return _blocks(node)


def _item(parent: _Node, item: _Node, number: int) -> dict[str, Any]:
    return {"label": f"{number}." if parent.tag == "ol" else "•", "blocks": _blocks(item)}


def _rows(table: _Node) -> list[_Node]:
    parts = table.named("thead", "tbody", "tr")
    return [row for part in parts for row in ([part] if part.tag == "tr" else part.named("tr"))]


def _cells(row: _Node) -> list[dict[str, Any]]:
    cells = row.named("td", "th")
    return [{"text": _text(cell)} | ({"is_header": True} if cell.tag == "th" else {}) for cell in cells]


def _code(node: _Node) -> Block:
    codes = node.named("code")
    language = codes[0].attributes.get("class", "").removeprefix("language-") if codes else ""
    text = _text(codes[0]) if codes else _text(node)
    return {"type": "pre", "text": text} | ({"language": language} if language else {})


def _text(node: _Node) -> Any:
    """The rich text of an element: a string when it has no marks."""
    parts = [part for part in (_part(child) for child in node.children) if part]
    return parts[0] if len(parts) == 1 else parts or ""


def _part(child: _Node | str) -> Any:
    if isinstance(child, str):
        return child
    match child.tag:
        case "br":
            return "\n"
        case "a":
            return {"type": "url", "text": _text(child), "url": child.attributes.get("href", "")}
        case "tg-math":
            return {"type": "mathematical_expression", "expression": _text(child)}
        case tag:
            return {"type": STYLES[tag], "text": _text(child)} if tag in STYLES else _text(child)
