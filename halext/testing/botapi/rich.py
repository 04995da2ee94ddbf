"""Rich messages: whole documents of headings, lists, tables and folded parts, in place of a text with entities.

Markdown and HTML come out as blocks. The real service knows more of both than is needed to see what a bot has sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from halext.testing.botapi.forms import bad
from halext.testing.botapi.rich_html import blocks_of_html
from halext.testing.botapi.rich_markdown import blocks_of_markdown
from halext.testing.botapi.text import ParseError

MAX_CHARACTERS = 32_768
MAX_BLOCKS = 500
MAX_DEPTH = 16
MAX_MEDIA = 50
MAX_COLUMNS = 20
TEXTS = frozenset({"paragraph", "heading", "pre", "footer", "mathematical_expression", "thinking"})
NESTS = frozenset({"blockquote", "pullquote", "details", "list", "collage", "slideshow"})
MEDIA = frozenset({"photo", "video", "audio", "animation", "voice_note"})
BLOCKS = TEXTS | NESTS | MEDIA | {"divider", "anchor", "table", "map"}
FORMS = frozenset({"html", "markdown", "blocks"})


def read(message: Mapping[str, Any], *, may_think: bool = False) -> dict[str, Any]:
    """The message as it is stored: its blocks. Only a draft may say that the bot is thinking.

    Refusal for one that is empty, too big or can't be parsed.
    """
    forms = FORMS & {name for name, value in message.items() if value}
    if len(forms) != 1:
        raise bad("rich message must be given by exactly one of html, markdown and blocks")
    [form] = forms
    try:
        blocks = _blocks(form, message[form])
    except ParseError as error:
        raise bad(f"can't parse rich message: {error}") from None
    if not blocks:
        raise bad("rich message is empty")
    everything = list(_walk(blocks))
    if not may_think and any(block["type"] == "thinking" for block, _ in everything):
        raise bad("thinking blocks are allowed in drafts only")
    _check_size(everything)
    return {"blocks": blocks}


def _blocks(form: str, source: Any) -> list[dict[str, Any]]:
    if form == "html":
        return blocks_of_html(str(source))
    if form == "markdown":
        return blocks_of_markdown(str(source))
    if not isinstance(source, list) or not all(isinstance(block, dict) for block in source):
        raise ParseError("blocks must be an Array of Objects")
    unknown = [block.get("type") for block, _ in _walk(source) if block.get("type") not in BLOCKS]
    if unknown:
        raise ParseError(f"unknown block type {unknown[0]!r}")
    return source


def _check_size(everything: Sequence[tuple[Mapping[str, Any], int]]) -> None:
    columns = max((len(row) for block, _ in everything for row in block.get("cells", ())), default=0)
    sizes = {
        "blocks": (len(everything), MAX_BLOCKS),
        "levels": (max(depth for _, depth in everything), MAX_DEPTH),
        "media": (sum(block["type"] in MEDIA for block, _ in everything), MAX_MEDIA),
        "table columns": (columns, MAX_COLUMNS),
        "characters": (sum(len(_own_text(block)) for block, _ in everything), MAX_CHARACTERS),
    }
    for what, (size, limit) in sizes.items():
        if size > limit:
            raise bad(f"rich message has too many {what}: {size}, and {limit} are allowed")


def children(block: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The blocks directly inside a block."""
    yield from block.get("blocks", ())
    for item in block.get("items", ()):
        yield from item.get("blocks", ())


def _walk(blocks: list[dict[str, Any]], depth: int = 1) -> Iterator[tuple[dict[str, Any], int]]:
    for block in blocks:
        yield block, depth
        yield from _walk(list(children(block)), depth + 1)


def plain(message: Mapping[str, Any]) -> str:
    """What a rich message says, without its formatting, a line for each block."""
    return "\n".join(filter(None, (_own_text(block) for block, _ in _walk(list(message["blocks"])))))


def _own_text(block: Mapping[str, Any]) -> str:
    if "cells" in block:
        return "\n".join("\t".join(flat(cell.get("text", "")) for cell in row) for row in block["cells"])
    return flat(block.get("text") or block.get("summary") or block.get("expression") or "")


def flat(text: Any) -> str:
    """The characters of a rich text: a string, a list of rich texts, or one with a style."""
    if isinstance(text, str):
        return text
    if isinstance(text, Mapping):
        return flat(text.get("text") or text.get("expression") or "")
    return "".join(flat(part) for part in text)
