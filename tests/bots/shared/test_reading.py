"""Markdown of any kind becomes a document: with all its words, in time, and settled parts never change."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext_bots.shared.document import (
    Block,
    Break,
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
    content,
)
from halext_bots.shared.reading import HEADER_MAX, NESTED_MAX, SEGMENT, clean, read, settled, steady
from tests.bots.strategies import texts


def p(*inlines: Inline) -> Paragraph:
    return Paragraph(inlines)


def t(text: str) -> Paragraph:
    return p(Text(text))


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("", []),
        ("plain & <b>simple</b> &lt;", [p(Text("plain & <b>simple</b> "), Text("<"))]),
        ("# T", [Heading(1, (Text("T"),))]),
        ("**a** *b* ~~c~~ `d`", None),
        ("one\ntwo", [p(Text("one"), Break(), Text("two"))]),
        ("```py x\na\n\nb\n```", [CodeBlock("a\n\nb", "py")]),
        ("```js\nopen", [CodeBlock("open", "js")]),
        ("```", [CodeBlock("")]),
        ("3. c\n4. d", [List(((t("c"),), (t("d"),)), 3)]),
        ("- a\n  - b", [List(((t("a"), List(((t("b"),),))),))]),
        ("-", [List(((),))]),
        ("> q", [Quote((t("q"),))]),
        ("a\n---\nb", [t("a"), Rule(), t("b")]),
        ("a\n===", [p(Text("a"), Break(), Text("==="))]),
        ("[a](https://b.example)", [p(Link((Text("a"),), "https://b.example"))]),
        ("![a](https://b.example/p.png)", [p(Link((Text("a"),), "https://b.example/p.png"))]),
        ("![](https://b.example)", [p(Link((Text("https://b.example"),), "https://b.example"))]),
        ("[a](notes.txt)", [p(Text("a"), Text(" (notes.txt)"))]),
        ("[a](javascript:x)", [t("[a](javascript:x)")]),
        ("[a]: https://b.example", [t("[a]: https://b.example")]),
    ],
)
def test_what_it_means(text: str, blocks: list[Block] | None) -> None:
    if blocks is None:
        styled = p(Strong((Text("a"),)), Text(" "), Emphasis((Text("b"),)), Text(" "), Strike((Text("c"),)), Text(" "))
        blocks = [p(*styled.inlines, CodeSpan("d"))]
    assert read(text) == tuple(blocks)


def test_a_table_keeps_cells_that_its_header_has_not() -> None:
    (table,) = read("| a | b |\n|:-:|--:|\n| 1 | `|` | 3 |\n| 4 |")
    assert isinstance(table, Table)
    assert table.aligns == ("center", "right")
    assert [len(row) for row in table.rows] == [2, 4, 2]
    assert content([table]).split() == ["a", "b", "1", "`", "`", "3", "4"]


def test_what_must_not_be_in_a_text_is_not() -> None:
    assert clean("a\x00b\ud800c\u202ed\r\ne\rf\u2028g\r") == "ab\ufffdcd\ne\nf\ng"


@pytest.mark.parametrize(
    "text",
    [">" * 3000 + "a", "- " * 3000 + "a", "\n".join("  " * depth + "- a" for depth in range(150)), "1. " * 500 + "a"],
)
def test_nothing_is_lost_in_depths(text: str) -> None:
    assert re.findall(r"\w", content(read(text)).replace("1", "")) == re.findall(r"[a-z]", text)
    assert _depth(read(text)) <= 2 * NESTED_MAX + 1


def _depth(blocks: Document) -> int:
    inner = [block.blocks for block in blocks if isinstance(block, Quote)]
    inner += [item for block in blocks if isinstance(block, List) for item in block.items]
    return max((1 + _depth(part) for part in inner), default=0)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text",
    [
        "[" * 20_000,
        "[a](" * 5_000,
        "*a **a " * 4_000,
        "![" * 10_000,
        "<" * 20_000,
        "_a" * 10_000,
        "|" * 20_000 + "\n|-",
    ],
)
def test_hard_nuts_are_read_in_time(text: str) -> None:
    read(text)


def test_long_lines_are_read_in_pieces() -> None:
    (paragraph,) = read("Some *words* here. " * 500)
    assert isinstance(paragraph, Paragraph)
    assert 0 < paragraph.settled < len(paragraph.inlines)
    assert sum(isinstance(inline, Emphasis) for inline in paragraph.inlines) == 500


@given(st.text("ab*_~#>- +\n!.", max_size=120).filter(lambda text: "~~~" not in text))  # languages are no words
def test_no_letter_is_lost(text: str) -> None:
    assert re.findall("[ab]", content(read(text))) == re.findall("[ab]", text)


@given(texts, st.integers(0, 400))
def test_what_is_settled_never_changes(text: str, at: int) -> None:
    text = clean(text)
    begun = text[:at]
    _begins_with(read(text), settled(read(begun[: steady(begun)])))


@given(
    st.lists(
        st.sampled_from(["word ", "*", "**", "[", "](https://a.b) ", "`", "Go on. ", "| a | b |\n", "x" * 50]),
        min_size=60,
    )
)
def test_what_is_settled_of_a_long_paragraph_never_changes(parts: list[str]) -> None:
    text = "".join(parts)
    for before in (text, text + "\n"):
        for more in ("|---|---|\n| c |", "more", "===", "```", "> q", "* * *", "**`](https://x.y)", "\n|-|-|\n"):
            _begins_with(read(before + more), settled(read(before[: steady(before)])))


def _begins_with(whole: Document, front: Document) -> None:
    if not front:
        return
    assert whole[: len(front) - 1] == front[:-1]
    _continues(whole[len(front) - 1], front[-1])


def _continues(whole: Block, front: Block) -> None:
    match whole, front:
        case (Paragraph(), Paragraph()):
            assert whole.inlines[: len(front.inlines) - 1] == front.inlines[:-1]
            last, same = front.inlines[-1], whole.inlines[len(front.inlines) - 1]
            assert same == last or (
                isinstance(last, Text) and isinstance(same, Text) and same.text.startswith(last.text)
            )
        case (CodeBlock(), CodeBlock()):
            assert whole.language == front.language
            assert f"{whole.text}\n".startswith(f"{front.text}\n")
        case (Table(), Table()):
            assert whole.rows[: len(front.rows)] == front.rows
            assert whole.aligns == front.aligns
        case (Quote(), Quote()):
            _begins_with(whole.blocks, front.blocks)
        case (List(), List()):
            assert whole.start == front.start
            assert whole.items[: len(front.items) - 1] == front.items[:-1]
            _begins_with(whole.items[len(front.items) - 1], front.items[-1])
        case _:
            assert whole == front


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("a", 0),
        ("a\nb", 2),
        ("a\n" + "word " * 300, 2 + 1500),
        ("> - " + "word " * 300, 4 + 1500),
        ("a\n" + "*" * 1500, 2),
        ("```" + "x" * 1500, 0),
        ("# " + "x" * 1500, 0),
        ("word " * (HEADER_MAX // 5), 0),
    ],
)
def test_what_is_steady(text: str, count: int) -> None:
    assert steady(text) == count


@pytest.mark.parametrize(
    "text", [f"| {'x' * HEADER_MAX} | b |\n|---|---|\n", f"| a | b |\n|{'-' * HEADER_MAX}|---|\n", "| a | b |\n|---|\n"]
)
def test_what_is_no_table(text: str) -> None:
    assert [type(block) for block in read(text)] == [Paragraph]


@pytest.mark.parametrize("words", range(SEGMENT // 5 - 10, SEGMENT // 5 + 3))
def test_a_header_is_never_settled_as_a_paragraph(words: int) -> None:
    before = "word " * words + "\n| a | b |\n"
    whole = read(before + "|---|---|\n")
    assert isinstance(whole[-1], Table)
    _begins_with(whole, settled(read(before)))
