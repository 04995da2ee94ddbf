"""Model text as Markdown: it reads the same, and nothing in it is alive."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from halext.client.markdown import safe_markdown

PARSER = MarkdownIt("commonmark", {"html": True})
OWN = re.compile(r"</?code>")
SAFE_LINK = re.compile(r"(https?://|mailto:|#)", re.IGNORECASE)

PIECES = (
    *("<img src=x onerror=alert(1)>", "<script>", "</script>", "<!--", "<b", ">", "&lt;", "&#60;", "<a:b>", "</code>"),
    *("```", "````", "~~~", "`", "``", "```py", "```~~~", "\t", " ", "  ", "    ", "\n", "\r", "\n\n", "\n```\n"),
    *("- ", "1. ", "> ", "* ", "# ", "![a](http://evil/x.png)", "[a](javascript:x)", "[a]: javascript:x", "[a]", "]("),
    *(
        "\\",
        "x",
        "word",
        "$",
        "|",
        "---",
        "\n   ```\n",
        "\n  ~~~\n",
        "\u2028",
        "\x0b",
        "[a](https://ok/)",
        "!",
        "[",
        ")",
    ),
)


def tokens(text: str) -> Iterator[Token]:
    for token in PARSER.parse(safe_markdown(text)):
        yield token
        yield from token.children or ()


def alive(text: str) -> list[str]:
    """What a renderer would do beyond showing text."""
    found = []
    for token in tokens(text):
        if token.type in {"html_block", "html_inline"} and not OWN.fullmatch(token.content.strip()):
            found.append(token.content)
        if token.type == "image":
            found.append(str(token.attrs))
        if token.type == "link_open" and not SAFE_LINK.match(str(token.attrs["href"])):
            found.append(str(token.attrs))
    return found


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
@settings(max_examples=1500, deadline=None)
def test_nothing_is_alive(text: str) -> None:
    assert alive(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "````\n```\n````\n<img src=x>",
        "- a\n  ```\n<img src=x>\n  ```",
        "- item\n  ```\n  code\n```\n<b>x</b>\n```\n<b>y</b>",
        "```\n```~~~\n<img src=x>\n```",
        "```\n```\t\n<img src=x>\n```",
        "```a`b\n<img src=x>\n```",
        "    ```\n<img src=x>\n    ```",
        "![x](https://evil.example/pixel.png)",
        "[x](java&#115;cript:alert(1))",
        "[x]( javascript:alert(1))",
        "[x][y]\n\n[y]: javascript:alert(1)",
        "<javascript:alert(1)>",
        "`a`<img src=x>`b`",
    ],
)
def test_known_tricks(text: str) -> None:
    assert alive(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "# Title\n\n- one\n- **two**\n\n1. [link](https://example.org)\n\n> quote",
        "Is a < b and b > c? AT&T says $x & y$.",
        "```python\nif a<b and c&lt;d:\n    print('<b>')\n```\nand then",
        "1. Do:\n   ```sh\n   cat <file>\n   ```\n2. Done.",
        "~~~\n<div>\n~~~",
    ],
)
def test_ordinary_answers_stay_as_they_are(text: str) -> None:
    assert safe_markdown(text) == text


def test_code_in_a_line_stays_readable() -> None:
    (paragraph,) = [
        token for token in PARSER.parse(safe_markdown("Use `List<int>`, not ``a `b` *c* ``.")) if token.children
    ]
    shown = "".join(token.content for token in paragraph.children or ())
    assert shown == "Use <code>List<int></code>, not <code>a `b` *c* </code>."


def test_text_that_grows_is_harmless_at_every_step() -> None:
    text = "Use `<b>`:\n```html\n<b>x</b>\n```\nThen <b>x</b> ![p](https://x/y.png)"
    for end in range(len(text) + 1):
        assert alive(text[:end]) == []
