from __future__ import annotations

import contextlib
import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.testing.botapi.html_text import parse
from halext.testing.botapi.text import ParseError

TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("<>&\"'/=;#\n"), max_size=60)


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        ("<b>b</b> <i>i</i> <u>u</u>", "b i u", ["bold 0 1", "italic 2 1", "underline 4 1"]),
        ("<s>s</s> <ins>u</ins>", "s u", ["strikethrough 0 1", "underline 2 1"]),
        ("<STRONG>a <em>b</em></strong>", "a b", ["bold 0 3", "italic 2 1"]),
        ("🙂<b>é</b>", "🙂é", ["bold 2 1"]),
        ("<tg-spoiler>a</tg-spoiler><span class='tg-spoiler'>b</span>", "ab", ["spoiler 0 1", "spoiler 1 1"]),
        ("<code>a &lt; b</code>", "a < b", ["code 0 5"]),
        ('<pre><code class="language-py">x</code></pre>', "x", ["pre 0 1"]),
        ("<pre>a<code>b</code></pre>", "ab", ["pre 0 2", "code 1 1"]),
        ('<a href="https://example.org/?a=1&amp;b">x</a>', "x", ["text_link 0 1"]),
        ("<a>example.org</a>", "example.org", ["text_link 0 11"]),
        ("<blockquote>a</blockquote>", "a", ["blockquote 0 1"]),
        ("<blockquote expandable>a</blockquote>", "a", ["expandable_blockquote 0 1"]),
        ('<tg-emoji emoji-id="5">👍</tg-emoji>', "👍", ["custom_emoji 0 2"]),
        ('<tg-time unix="5" format="D">now</tg-time>', "now", ["date_time 0 3"]),
        ("<b></b>&copy; &#65; &#x1F642; & a > b", "&copy; A 🙂 & a > b", []),
        ("&#0;&#xD800;&lt", "&#0;&#xD800;<", []),
        ("<b>a</>", "a", ["bold 0 1"]),
        ("<b class=x>a</b >", "a", ["bold 0 1"]),
    ],
)  # fmt: skip
def test_marks(source: str, text: str, expected: list[str]) -> None:
    parsed = parse(source)
    assert parsed.text == text
    assert [f"{mark['type']} {mark['offset']} {mark['length']}" for mark in parsed.entities] == expected


def test_details_are_kept() -> None:
    assert parse('<pre><code class="language-py">x</code></pre>').entities[0]["language"] == "py"
    assert "language" not in parse('<code class="language-py">x</code>').entities[0]
    assert parse('<a href="https://example.org/?a=1&amp;b">x</a>').entities[0]["url"] == "https://example.org/?a=1&b"


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("é <x>", 'Unsupported start tag "x" at byte offset 3'),
        ("a < b>", 'Unsupported start tag "" at byte offset 2'),
        ("<b", "Unclosed start tag at byte offset 0"),
        ("<b>a", 'Can\'t find end tag corresponding to start tag "b"'),
        ("a</b>", "Unexpected end tag at byte offset 1"),
        ("<b>a</b", "Unclosed end tag at byte offset 4"),
        ("<b>a</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("<span>a</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
        ("<a href>a</a>", 'Expected equal sign in declaration of an attribute of the tag "a" at byte offset 0'),
        ("<a =x>a</a>", 'Empty attribute name in the tag "a" at byte offset 0'),
        ("<a href=x/y>a</a>", "Unexpected end of name token at byte offset 8"),
        ('<a href="x', "Unclosed start tag at byte offset 0"),
        ("<a href=", "Unclosed start tag at byte offset 0"),
        ("<tg-emoji>a</tg-emoji>", "Invalid custom emoji identifier specified"),
    ],
)
def test_errors(source: str, error: str) -> None:
    with pytest.raises(ParseError, match=re.escape(error)):
        parse(source)


@given(TEXTS)
def test_escaped_text_survives_unchanged(text: str) -> None:
    parsed = parse(html.escape(text))
    assert (parsed.text, parsed.entities) == (text, ())


@given(TEXTS)
def test_anything_is_parsed_or_refused_with_a_reason(source: str) -> None:
    with contextlib.suppress(ParseError):
        parsed = parse(source)
        units = len(parsed.text.encode("utf-16-le")) // 2
        assert all(0 <= mark["offset"] < mark["offset"] + mark["length"] <= units for mark in parsed.entities)
