"""Rich messages as HTML for people to look at."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

STYLES = {
    "bold": "b",
    "italic": "i",
    "underline": "u",
    "strikethrough": "s",
    "code": "code",
    "marked": "mark",
    "subscript": "sub",
    "superscript": "sup",
}
NESTS = {"blockquote": "blockquote", "pullquote": "blockquote", "collage": "div", "slideshow": "div"}


def rich_html(blocks: Sequence[Mapping[str, Any]]) -> str:
    """These blocks, one below the other."""
    return "".join(_block(block) for block in blocks)


def _block(block: Mapping[str, Any]) -> str:
    text = _text(block.get("text", ""))
    match block["type"]:
        case "heading":
            return f"<h{block.get('size', 1)}>{text}</h{block.get('size', 1)}>"
        case "pre":
            return f"<pre><code>{text}</code></pre>"
        case "divider":
            return "<hr>"
        case "mathematical_expression":
            return f"<pre>{_text(block)}</pre>"
        case "table":
            return f"<table>{''.join(_row(row) for row in block['cells'])}</table>"
        case "list":
            return f"<ul>{''.join(_item(item) for item in block['items'])}</ul>"
        case "details":
            opened = " open" if block.get("is_open") else ""
            summary = _text(block.get("summary", ""))
            return f"<details{opened}><summary>{summary}</summary>{rich_html(block.get('blocks', ()))}</details>"
        case _:
            return _simple(block, text)


def _simple(block: Mapping[str, Any], text: str) -> str:
    tag = NESTS.get(block["type"])
    if tag:
        return f"<{tag}>{rich_html(block.get('blocks', ()))}{text}</{tag}>"
    if text:
        return f"<p>{text}</p>"
    return f"<p>[{html.escape(block['type'])}]</p>"


def _row(row: Sequence[Mapping[str, Any]]) -> str:
    cells = [("th" if cell.get("is_header") else "td", _text(cell.get("text", ""))) for cell in row]
    return f"<tr>{''.join(f'<{tag}>{text}</{tag}>' for tag, text in cells)}</tr>"


def _item(item: Mapping[str, Any]) -> str:
    label = str(item.get("label", "•"))
    if item.get("has_checkbox"):
        label = "☑" if item.get("is_checked") else "☐"
    return f"<li>{html.escape(label)} {rich_html(item.get('blocks', ()))}</li>"


def _text(text: Any) -> str:
    """A rich text: a string, a list of rich texts, or one with a style."""
    if isinstance(text, str):
        return html.escape(text)
    if not isinstance(text, Mapping):
        return "".join(_text(part) for part in text)
    inner = _text(text.get("text") or text.get("expression") or "")
    if "url" in text:
        return f'<a href="{html.escape(text["url"])}">{inner}</a>'
    if text.get("type") == "spoiler":
        return f'<span class="spoiler">{inner}</span>'
    tag = STYLES.get(text.get("type", ""))
    return f"<{tag}>{inner}</{tag}>" if tag else inner
