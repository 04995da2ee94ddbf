from __future__ import annotations

import pytest

from halext.testing.botapi.rich_html import blocks_of_html
from halext.testing.botapi.text import ParseError


def test_blocks() -> None:
    source = (
        "loose <b>text</b><h2>H</h2><p>a<br>b &amp; c</p><pre><code class='language-py'>x</code></pre><pre>y</pre><hr>"
        "<ul><li>one<ol><li>inner</li></ol></li></ul><blockquote>q</blockquote><img src='u'><footer>f</footer>"
        "<details open><summary>S</summary>inside</details><table><thead><tr><th>h</th></tr></thead><tr><td>c</td></tr>"
        "</table><tg-math-block>x</tg-math-block><figure><p>in</p></figure>"
    )
    blocks = blocks_of_html(source)
    kinds = [block["type"] for block in blocks]
    assert kinds == [
        *("paragraph", "heading", "paragraph", "pre", "pre", "divider", "list", "blockquote", "photo", "footer"),
        *("details", "table", "mathematical_expression", "paragraph"),
    ]
    assert blocks[0]["text"] == ["loose ", {"type": "bold", "text": "text"}]
    assert blocks[2]["text"] == ["a", "\n", "b & c"]
    assert (blocks[3]["language"], "language" in blocks[4]) == ("py", False)
    assert blocks[6]["items"][0]["blocks"][1]["items"][0]["label"] == "1."
    assert (blocks[10]["summary"], blocks[10]["is_open"]) == ("S", True)
    assert blocks[11]["cells"] == [[{"text": "h", "is_header": True}], [{"text": "c"}]]


def test_inline() -> None:
    [block] = blocks_of_html("<p><a href='u'>l</a><tg-math>x</tg-math><sub>s</sub><summary>z</summary></p>")
    assert block["text"] == [
        {"type": "url", "text": "l", "url": "u"},
        {"type": "mathematical_expression", "expression": "x"},
        {"type": "subscript", "text": "s"},
        "z",
    ]


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("<script>x</script>", 'Unsupported start tag "script"'),
        ("<p>x", 'Can\'t find end tag corresponding to start tag "p"'),
        ("<b><i>x</b></i>", 'Unmatched end tag, expected "</i>", found "</b>"'),
        ("x</p>", "Unmatched end tag"),
    ],
)
def test_errors(source: str, error: str) -> None:
    with pytest.raises(ParseError, match=error):
        blocks_of_html(source)


def test_nothing_but_white_space() -> None:
    assert blocks_of_html(" \n<br>") in ([], [{"type": "paragraph", "text": [" \n", "\n"]}])
