"""A document as lines: the same words, and marks for what begins where."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from halext_bots.shared.document import content
from halext_bots.shared.lines import INDENTS_MAX, Line, Run, groups, lay_out, trimmed
from halext_bots.shared.reading import read
from tests.bots.strategies import texts


def test_lists_in_lists() -> None:
    lines = lay_out(read("1. a\n   - b\n\n     c\n2. d\n\ne"))
    assert [(line.text, line.indent, line.markers, line.rank, line.has_gap) for line in lines] == [
        ("a", 0, (1,), 2, True),
        ("b", 1, (None,), 1, False),
        ("c", 2, (), 1, True),
        ("d", 0, (2,), 1, False),
        ("e", 0, (), 2, True),
    ]


def test_items_that_begin_with_code_or_nothing() -> None:
    lines = lay_out(read("- ```\n  x\n  ```\n-\n- - y"))
    assert [(line.text, line.kind, line.markers) for line in lines] == [
        ("", "text", (None,)),
        ("x", "code", ()),
        ("", "text", (None,)),
        ("y", "text", (None, None)),
    ]


def test_depth_has_an_end_on_the_screen() -> None:
    (line,) = lay_out(read("> " * 3 + "- " * 20 + "x"))
    assert line.is_quoted
    assert len(line.markers) == INDENTS_MAX


def test_no_gap_below_a_title_and_one_above() -> None:
    assert [line.has_gap for line in lay_out(read("a\n# T\nb"))] == [True, True, False]


def test_neighbours_of_one_look_are_one_run() -> None:
    (line,) = lay_out(read(r"\@everyone &amp; **x** y"))
    assert line.runs == (Run("@everyone & "), Run("x", strong=True), Run(" y"))


def test_links_that_deceive_are_words() -> None:
    (line,) = lay_out(read("[https://bank.example](https://evil.example) [x](https://a.example) <https://b.example>"))
    assert line.text == "https://bank.example (https://evil.example) x https://b.example"
    assert [run.url for run in line.runs] == ["", "https://a.example", ""]


@given(texts)
def test_all_words_are_in_the_lines(text: str) -> None:
    document = read(text)
    laid_out = "".join(line.text for line in lay_out(document))
    words = "".join(content(document).split())
    if "](" not in text and "<" not in text:  # addresses of links may be added
        assert "".join(laid_out.split()) == words
    assert "\n" not in laid_out


runs = st.lists(st.builds(Run, st.text("ab ", max_size=4), st.booleans()), max_size=5).map(tuple)


@given(runs, st.integers(0, 20))
def test_head_and_tail_are_the_whole(parts: tuple[Run, ...], at: int) -> None:
    line = Line(parts, markers=(1,))
    assert line.head(at).text == line.text[:at]
    assert line.tail(at).text == line.text[at:]
    assert line.tail(at).markers == ()


@given(runs)
def test_trimmed(parts: tuple[Run, ...]) -> None:
    text = "".join(run.text for run in parts)
    front, inner, behind = trimmed(parts)
    middle = "".join(run.text for run in inner)
    assert (middle, front + middle + behind) == (text.strip(), text)


def test_groups() -> None:
    lines = lay_out(read("```\na\nb\n```\n```\nc\n```\n\nd\ne\n"))
    assert [[line.text for line in group] for group in groups(lines)] == [["a", "b"], ["c"], ["d"], ["e"]]


def test_bare_words() -> None:
    assert Line((Run("a", strong=True), Run("b")), "code").bare() == Line((Run("ab"),))
