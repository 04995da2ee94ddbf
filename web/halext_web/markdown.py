"""What a model says, as HTML that can do nothing: Markdown rendered here, then cleaned by a list of what may stay.

Raw HTML in the text is shown as text. Pictures become links: an address of a picture is a request to wherever a model
wants it to go, with whatever it wants to tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from html import escape
from html.parser import HTMLParser
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

RENDERED_MAX = 40_000
"""Characters; a longer text is shown as it stands. Rendering takes some 2 ms for every 1,000."""
BRACKETS_MAX = 2_000
"""Opening brackets: each is looked at from every other, so that a model that has lost its way would cost seconds."""
CACHED = 32
"""Rendered texts that are kept: several readers follow one answer, and pages are loaded again."""
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
TABLES = ("table", "thead", "tbody", "tr", "th", "td")
TAGS = {*HEADINGS, *TABLES, "p", "br", "hr", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a"}
EMPTY_TAGS = frozenset({"br", "hr"})

Node = str | list[Any]
"""A text, or `[tag, {attribute: value}, node…]`."""


class Clean(str):
    """HTML that has been cleaned; templates put it in as it is."""

    __slots__ = ()

    def __html__(self) -> str:
        return str(self)


def html(text: str) -> Clean:
    """The text as clean HTML."""
    return Clean(_clean(text))


@lru_cache(CACHED)
def nodes(text: str) -> list[Node]:
    """The same as a tree, for a page whose policy forbids making HTML out of strings."""
    parser = _Tree()
    parser.feed(_clean(text))
    parser.close()
    return parser.roots


@lru_cache(CACHED)
def _clean(text: str) -> str:
    if len(text) > RENDERED_MAX or text.count("[") > BRACKETS_MAX:
        return f"<pre>{escape(text)}</pre>"
    return _CLEANER.clean(_MARKDOWN.render(text))


class _Tree(HTMLParser):
    """Reads what the cleaner wrote, which closes every tag that it opens."""

    def __init__(self) -> None:
        super().__init__()
        self.roots: list[Node] = []
        self._open: list[list[Any]] = [self.roots]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node: list[Any] = [tag, {name: value or "" for name, value in attrs}]
        self._open[-1].append(node)
        if tag not in EMPTY_TAGS:
            self._open.append(node)

    def handle_endtag(self, tag: str) -> None:
        if tag not in EMPTY_TAGS:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].append(data)


def _picture(_renderer: object, tokens: Sequence[Token], index: int, _options: object, _env: object) -> str:
    token = tokens[index]
    address = str(token.attrs.get("src", ""))
    return f'<a href="{escape(address)}">{escape(token.content or address)}</a>'


def _markdown() -> MarkdownIt:
    # `breaks`: small models end their lines where they mean it.
    made = MarkdownIt("js-default", {"html": False, "linkify": False, "breaks": True}).enable("table")
    made.add_render_rule("image", _picture)
    return made


_MARKDOWN = _markdown()
_CLEANER = nh3.Cleaner(
    tags=TAGS,
    attributes={"a": {"href", "title"}, "ol": {"start"}},
    url_schemes={"http", "https", "mailto"},
    link_rel="noopener noreferrer nofollow",
    set_tag_attribute_values={"a": {"target": "_blank"}},
)
