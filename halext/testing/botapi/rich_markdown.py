"""The Markdown of rich messages, as blocks. Unlike MarkdownV2 it is lenient: what is no mark is text."""

from __future__ import annotations

import re
from typing import Any

Block = dict[str, Any]

FENCE = re.compile(r"\s{0,3}(`{3,}|~{3,})\s*(\S*)")
HEADING = re.compile(r"(#{1,6})\s+(.*?)\s*#*\s*$")
RULE = re.compile(r"\s{0,3}(?:(?:-\s*){3,}|(?:\*\s*){3,}|(?:_\s*){3,})$")
ITEM = re.compile(r"(\s{0,3})([-*+]|\d{1,9}[.)])\s+(?:\[([ xX])\]\s+)?")
TABLE_RULE = re.compile(r"\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$")
QUOTE = re.compile(r"\s{0,3}> ?")
INLINE = re.compile(
    r"\\(?P<plain>[^\w\s])|(?P<ticks>`+)(?P<code>.+?)(?<!`)(?P=ticks)(?!`)"
    r"|\*\*(?P<bold>.+?)\*\*|~~(?P<strikethrough>.+?)~~|\|\|(?P<spoiler>.+?)\|\||==(?P<marked>.+?)=="
    r"|(?<!\w)__(?P<strong>.+?)__(?!\w)|\*(?P<italic>[^\s*].*?)\*|(?<!\w)_(?P<emphasis>[^\s_].*?)_(?!\w)"
    r"|(?<![\w$])\$(?P<math>[^\s$][^$\n]*?)\$(?!\w)|!?\[(?P<label>[^\]]*)\]\((?P<url>[^\s)]+)\)",
    re.DOTALL,
)
STYLES = {
    **dict.fromkeys(("bold", "strong"), "bold"),
    **dict.fromkeys(("italic", "emphasis"), "italic"),
    **{name: name for name in ("strikethrough", "spoiler", "marked")},
}


def blocks_of_markdown(source: str) -> list[Block]:
    """The blocks that the source stands for; none when there is nothing but white space."""
    return _Reader(source.split("\n")).blocks()


def inline(source: str) -> Any:
    """One line's rich text: a string when it has no marks."""
    parts: list[Any] = []
    at = 0
    for match in INLINE.finditer(source):
        parts += [source[at : match.start()], _marked(match)]
        at = match.end()
    parts.append(source[at:])
    kept = [part for part in parts if part]
    return kept[0] if len(kept) == 1 else kept or ""


def _marked(match: re.Match[str]) -> Any:
    found = match.groupdict()
    for group, style in STYLES.items():
        if found[group] is not None:
            return {"type": style, "text": inline(found[group])}
    if found["plain"] is not None:
        return found["plain"]
    if found["code"] is not None:
        return {"type": "code", "text": found["code"]}
    if found["math"] is not None:
        return {"type": "mathematical_expression", "expression": found["math"]}
    return {"type": "url", "text": inline(found["label"]), "url": found["url"]}


class _Reader:
    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.at = 0

    @property
    def now(self) -> str:
        return self.lines[self.at] if self.at < len(self.lines) else ""

    def blocks(self) -> list[Block]:
        found = []
        while self.at < len(self.lines):
            if self.now.strip():
                found.append(self._block())
            else:
                self.at += 1
        return found

    def _block(self) -> Block:
        if fence := FENCE.match(self.now):
            return self._fence(fence)
        if heading := HEADING.match(self.now):
            self.at += 1
            return {"type": "heading", "text": inline(heading[2]), "size": len(heading[1])}
        if RULE.match(self.now):
            self.at += 1
            return {"type": "divider"}
        if QUOTE.match(self.now):
            return {"type": "blockquote", "blocks": _Reader(self._quoted()).blocks()}
        if ITEM.match(self.now):
            return {"type": "list", "items": self._items()}
        return self._table() if self._starts_table() else self._paragraph()

    def _fence(self, fence: re.Match[str]) -> Block:
        self.at += 1
        start = self.at
        closing = re.compile(rf"\s{{0,3}}{re.escape(fence[1][0])}{{{len(fence[1])},}}\s*$")
        while self.at < len(self.lines) and not closing.match(self.now):
            self.at += 1
        body = "\n".join(self.lines[start : self.at])
        self.at += 1
        if fence[2] == "math":
            return {"type": "mathematical_expression", "expression": body}
        return {"type": "pre", "text": body} | ({"language": fence[2]} if fence[2] else {})

    def _quoted(self) -> list[str]:
        lines = []
        while match := QUOTE.match(self.now):
            lines.append(self.now[match.end() :])
            self.at += 1
        return lines

    def _items(self) -> list[dict[str, Any]]:
        items = []
        while match := ITEM.match(self.now):
            indent, lines = match.end(2) + 1, [self.now[match.end() :]]
            self.at += 1
            while self.at < len(self.lines) and self._goes_on(indent):
                lines.append(self.now[min(indent, len(self.now) - len(self.now.lstrip())) :])
                self.at += 1
            box = {} if match[3] is None else {"has_checkbox": True, "is_checked": match[3] in "xX"}
            label = match[2] if match[2][0].isdigit() else "•"
            items.append({"label": label, **box, "blocks": _Reader(lines).blocks()})
        return items

    def _goes_on(self, indent: int) -> bool:
        if self.now.strip():
            return self.now[:indent].strip() == ""
        following = self.lines[self.at + 1 : self.at + 2]
        return bool(following and following[0].strip() and following[0][:indent].strip() == "")

    def _starts_table(self) -> bool:
        following = self.lines[self.at + 1 : self.at + 2]
        return "|" in self.now and bool(following) and "|" in following[0] and bool(TABLE_RULE.match(following[0]))

    def _table(self) -> Block:
        rows = [[{**cell, "is_header": True} for cell in _cells(self.now)]]
        self.at += 2
        while "|" in self.now and self.now.strip():
            rows.append(_cells(self.now))
            self.at += 1
        return {"type": "table", "cells": rows}

    def _paragraph(self) -> Block:
        lines = [self.now.strip()]
        self.at += 1
        while self.now.strip() and not self._starts_another():
            lines.append(self.now.strip())
            self.at += 1
        return {"type": "paragraph", "text": inline("\n".join(lines))}

    def _starts_another(self) -> bool:
        starts = (FENCE, HEADING, RULE, QUOTE, ITEM)
        return any(pattern.match(self.now) for pattern in starts) or self._starts_table()


def _cells(line: str) -> list[dict[str, Any]]:
    line = line.strip().removeprefix("|")
    if line.endswith("|") and not line.endswith("\\|"):
        line = line[:-1]
    return [{"text": inline(cell.strip().replace("\\|", "|"))} for cell in re.split(r"(?<!\\)\|", line)]
