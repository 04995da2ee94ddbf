"""Messages that fit, that are not blank, and that hold all words."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given

from halext_bots.discord.markdown import Markdown
from halext_bots.shared.boundaries import is_blank
from halext_bots.shared.document import CodeBlock, Paragraph, Text
from halext_bots.shared.lines import Line, lay_out
from halext_bots.shared.reading import read
from halext_bots.shared.splitting import Renderer, after, as_file, cut, messages, split, with_files
from halext_bots.telegram.entities import Entities
from tests.bots.strategies import limits, texts


class Simple:
    """Words and line breaks."""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def render(self, lines: Sequence[Line]) -> str:
        return "\n".join(line.text for line in lines)

    def length(self, lines: Sequence[Line]) -> int:
        return len(self.render(lines))


@pytest.mark.parametrize(
    ("text", "limit", "made"),
    [
        ("", 10, []),
        (" \n\n", 10, []),
        ("short", 10, ["short"]),
        ("first block\n\nsecond", 16, ["first block", "second"]),
        ("one\ntwo\nthree", 8, ["one\ntwo", "three"]),
        ("One two. Three four.", 12, ["One two. ", "Three four."]),
        ("aaa bbb ccc", 8, ["aaa bbb ", "ccc"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
        ("ab👩‍👩‍👧cd", 6, ["ab", "👩‍👩‍👧c", "d"]),
        ("text text\n# T\nmore words", 14, ["text text", "T\nmore words"]),
        ("a" + " " * 30 + "b", 10, ["a         ", "b"]),
        ("```\na\n\n\nb\n```", 2, ["a", "b"]),
    ],
)
def test_where_it_is_cut(text: str, limit: int, made: list[str]) -> None:
    assert messages(text, Simple(limit)) == made


def test_code_and_numbers_go_on() -> None:
    code = "```py\n" + "x = 1\n" * 20 + "```"
    for made in messages(code, Markdown(60)):
        assert made.startswith("```py\nx = 1\n")
        assert made.endswith("\n```")
    items = "\n".join(f"{number}. item" for number in range(7, 30))
    assert " ".join(messages(items, Markdown(50))).replace("\n", " ") == items.replace("\n", " ")


@pytest.mark.parametrize("kind", [Markdown, Entities, Simple])
@given(text=texts, limit=limits)
def test_messages_fit_and_hold_all_words(kind: type[Renderer[object]], text: str, limit: int) -> None:
    renderer = kind(limit)  # type: ignore[call-arg]  # the classes take one, the protocol does not say so
    lines = lay_out(read(text))
    parts = split(lines, renderer)
    assert all(renderer.length(part) <= limit for part in parts)
    assert all(any(not line.is_blank for line in part) for part in parts)
    assert _seen([line for part in parts for line in part]) == _seen(lines)


def _seen(lines: Sequence[Line]) -> str:
    return "".join(char for line in lines for char in line.text if not is_blank(char))


@pytest.mark.parametrize("limit", range(5, 70))
@pytest.mark.parametrize("kind", [Markdown, Entities])
def test_white_space_at_a_cut(kind: type[Renderer[object]], limit: int) -> None:
    renderer = kind(limit)  # type: ignore[call-arg]  # as above
    lines = lay_out(read("y z " * 30 + "\n\n" + "w" + " " * 80 + "x"))
    assert all(renderer.length(part) <= limit for part in split(lines, renderer))


@given(texts, limits)
def test_a_cut_needs_no_lines_behind_it(text: str, limit: int) -> None:
    lines = lay_out(read(text))
    found = cut(lines, Markdown(limit))
    if found is not None:
        for end in range(len(lines)):
            assert cut(lines[:end], Markdown(limit)) in {found, None}
        assert _seen([*found.head, *after(lines, found)]) == _seen(lines)


def test_what_does_not_fit_with_its_markers_goes_without() -> None:
    made = messages("- - - - - x **y**\n\n" + "[z](https://e.example/" + "a" * 90 + ")", Markdown(20))
    assert all(len(part) <= 20 for part in made)
    assert [char for part in made for char in part if char in "xyz"] == ["x", "y", "z"]


def test_long_code_is_a_file() -> None:
    renderer = Simple(100)
    assert as_file(CodeBlock("x\n" * 20, "py"), renderer) is None
    long = CodeBlock("x = 1\n" * 200, "Python")
    file = as_file(long, renderer, 2)
    assert file is not None
    assert (file.name, file.text) == ("code-2.py", long.text + "\n")
    unknown = as_file(CodeBlock("x = 1\n" * 200, "../../x"), renderer)
    assert unknown is not None
    assert unknown.name == "code-1.txt"


def test_files_leave_their_names() -> None:
    short, long = CodeBlock("a"), CodeBlock("x = 1\n" * 200)
    document, files = with_files((short, long, long), Simple(100))
    named = tuple(Paragraph((Text(f"📎 code-{number}.txt"),)) for number in (1, 2))
    assert document == (short, *named)
    assert [file.name for file in files] == ["code-1.txt", "code-2.txt"]
