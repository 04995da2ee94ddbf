from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from halext.accounts.types import Permission
from halext.commands import words
from halext.commands.types import Command, Option, Reply, Said, Text
from halext.errors import InvalidInput

# --- foreign words ---

RENDERERS = [
    MarkdownIt("commonmark", {"html": True}),
    MarkdownIt("gfm-like", {"html": True, "linkify": False}),
]
"""With everything on that could be markup, so that what stays text stays it everywhere."""

MARKUP = [
    *"\\`*_{}[]()<>#+-.!|~&@:=\"'^$%/?;, \t\n\r0aZ",
    *("1. ", "2) ", "# ", "- ", "+ ", "> ", "~~", "**", "__", "```", "~~~", "---", "===", "| a | b |", "|---|", "    "),
    *("[x](http://a.b)", "![x](y)", "<b>", "<!--", "</p>", "&amp;", "&#35;", "<http://a.b>", "http://a.b", "www.a.bc"),
    *("[x]: http://a.b", "[^1]", "- [ ] ", "@everyone", "<@123>", "a@b.cd", "\\\\", "`` ` ``", "\u00a0", "é", "👍"),
]
foreign = st.one_of(
    st.lists(st.sampled_from(MARKUP)).map("".join),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
)


class Seen(HTMLParser):
    """What a reader sees: the text, and every element that is around some of it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


@pytest.mark.parametrize("renderer", RENDERERS)
@pytest.mark.parametrize(
    ("around", "tags"),
    [
        ("{}", ["p"]),
        ("before {} after", ["p"]),
        ("before\n{}\nafter", ["p"]),
        ("- {}", ["ul", "li"]),
        ("- x\n- 3: {} (open here)\n- y", ["ul", "li", "li", "li"]),
        ("Here goes on:\n\n> {}", ["p", "blockquote", "p"]),
        ("Suggested:\n\n- ✓ {}: {}", ["p", "ul", "li"]),
    ],
)
@given(text=foreign)
@example(text="1. x")
@example(text="# x")
@example(text="- x")
@example(text="> x")
@example(text="===")
@example(text="    x")
@example(text="[x]: http://a.b")
@example(text="x\\")
@example(text="| a |\n|---|")
def test_foreign_words_are_text_and_nothing_else(renderer: MarkdownIt, around: str, tags: list[str], text: str) -> None:
    if not one_line(text):
        return
    seen = Seen(renderer.render(around.format(*[words.plain(text)] * 2)))
    ours = around.removeprefix("- x\n- ").removesuffix("\n- y").removeprefix("Here goes on:\n\n> ")
    ours = ours.removeprefix("Suggested:\n\n- ").removeprefix("- ")
    assert one_line(ours.format(*[one_line(text)] * 2)) in one_line(seen.text)
    assert seen.tags == tags


@given(text=foreign)
def test_plain_words_are_one_line(text: str) -> None:
    shown = words.plain(text)
    assert len(shown.splitlines()) <= 1
    assert re.sub(r"\\(.)", r"\1", shown) == one_line(text)


@pytest.mark.parametrize("renderer", RENDERERS)
@pytest.mark.parametrize("around", ["{} works", "Here {} answers.", "- {}"])
@given(text=foreign)
@example(text="`")
@example(text="``x")
@example(text="x```")
def test_code_is_code_and_nothing_else(renderer: MarkdownIt, around: str, text: str) -> None:
    seen = Seen(renderer.render(around.format(words.code(text))))
    assert [tag for tag in seen.tags if tag not in {"p", "ul", "li"}] == ["code"]
    assert one_line(text) in one_line(seen.text)


@given(rows=st.lists(st.lists(foreign, min_size=2, max_size=2), max_size=4))
@example(rows=[["a|b", "\\|"], ["x\\", "|---|"]])
def test_no_cell_of_a_table_breaks_out(rows: list[list[str]]) -> None:
    html = RENDERERS[1].render(words.table(["one", "two|three"], rows))
    seen = Seen(html)
    body = ["tbody", *["tr", "td", "td"] * len(rows)] if rows else []
    assert seen.tags == ["table", "thead", "tr", "th", "th", *body]
    cells = re.findall(r"<t[hd]>(.*?)</t[hd]>", html, re.DOTALL)
    expected = ["one", "two|three", *(one_line(cell) for row in rows for cell in row)]
    assert [one_line(Seen(cell).text) for cell in cells] == expected


@given(text=st.text(max_size=60), most=st.integers(1, 50))
def test_shortened_texts_are_short_and_say_so(text: str, most: int) -> None:
    short = words.shortened(text, most)
    assert len(short) <= most
    assert short == text if len(text) <= most else short.endswith("…")
    assert text.startswith(short.removesuffix("…"))


# --- a command line ---


async def run(app: object, said: Said) -> Reply:
    """Nothing."""
    return Text("")


def command(*options: Option) -> Command:
    return Command("do", "Do", options, Permission.USE, run)


QUESTION = Option("question", "What you want to know", required=True, is_rest=True)
MODEL = Option("model", "Which model")
PRIORITY = Option("priority", "How much it matters", choices=("low", "high"))
NODE = Option("name", "The node's name", required=True)
ASK = command(QUESTION, MODEL, PRIORITY)
DRAIN = command(NODE, Option("for", "For how long"))


@pytest.mark.parametrize(
    ("of", "line", "values"),
    [
        (ASK, "Why is it so?", {"question": "Why is it so?"}),
        (ASK, "  Why\n is   it so? ", {"question": "Why\n is   it so?"}),
        (ASK, "model=m Why?", {"question": "Why?", "model": "m"}),
        (ASK, "model=m\npriority=high\tWhy?\nHow?", {"question": "Why?\nHow?", "model": "m", "priority": "high"}),
        (ASK, "Why is model=m?", {"question": "Why is model=m?"}),
        (ASK, "model=a model=b why", {"question": "model=b why", "model": "a"}),
        (ASK, "x=1 is what?", {"question": "x=1 is what?"}),
        (ASK, "question=Why is it so?", {"question": "Why is it so?"}),
        (ASK, "model=m question= Why so?", {"question": "Why so?", "model": "m"}),
        (ASK, "question=question=x", {"question": "question=x"}),
        (ASK, "model= Why?", {"question": "Why?"}),
        (ASK, "= = =", {"question": "= = ="}),
        (ASK, "model=a=b Why?", {"question": "Why?", "model": "a=b"}),
        (DRAIN, "mac", {"name": "mac"}),
        (DRAIN, "mac 2h", {"name": "mac", "for": "2h"}),
        (DRAIN, "for=2h mac", {"name": "mac", "for": "2h"}),
        (DRAIN, "for=2h name=mac", {"name": "mac", "for": "2h"}),
        (command(MODEL), "", {}),
        (command(Option("text", "A text", is_rest=True), MODEL), "a b", {"text": "a b"}),
    ],
)
def test_a_line_is_taken_apart(of: Command, line: str, values: dict[str, str]) -> None:
    assert words.parse(of, line) == values


@pytest.mark.parametrize(
    ("of", "line", "says"),
    [
        (ASK, "", "What you want to know is missing: /do QUESTION [model=…] [priority=…]"),
        (ASK, "model=m", "What you want to know is missing"),
        (ASK, "question= ", "What you want to know is missing"),
        (ASK, "priority=now x", "priority is one of low, high: /do"),
        (DRAIN, "mac 2h more", "That is too much: /do NAME [for=…]"),
        (command(), "x", "That is too much: /do"),
    ],
)
def test_what_is_wrong_with_a_line_is_said(of: Command, line: str, says: str) -> None:
    with pytest.raises(InvalidInput) as failure:
        words.parse(of, line)
    assert says in failure.value.message


def test_files_stand_in_for_a_text_and_for_nothing_else() -> None:
    assert words.parse(ASK, "model=m", has_files=True) == {"model": "m"}
    assert words.check(ASK, {}, has_files=True) == {}
    with pytest.raises(InvalidInput):
        words.parse(DRAIN, "", has_files=True)


def test_values_of_a_form_are_looked_over_too() -> None:
    given_values = {"question": "x", "priority": "", "model": "m"}
    assert words.check(ASK, given_values) == {"question": "x", "model": "m"}
    with pytest.raises(InvalidInput):
        words.check(ASK, {"question": "x", "priority": "now"})


@given(st.lists(st.sampled_from(["a", "model=b", "question=c", "priority=low", " ", "\n", "=", "x=y"])).map(" ".join))
def test_every_word_of_a_line_is_taken_or_the_line_is_refused(line: str) -> None:
    try:
        values = words.parse(ASK, line)
    except InvalidInput:
        return
    assert set(values) <= {"question", "model", "priority"}
    assert values["question"] in line
    assert sum(len(value.split()) for value in values.values()) <= len(line.split())


def test_usage_shows_what_must_be_said() -> None:
    assert words.usage(ASK) == "/do QUESTION [model=…] [priority=…]"
    assert words.usage(command(Option("text", "A text", is_rest=True))) == "/do [text]"


@pytest.mark.parametrize(
    ("markdown", "shown"),
    [
        ("You can do it with **rsync**:\n\n1. Plug", "You can do it with rsync:"),
        ("# Title\n\nText", "Title"),
        ("\n```bash\nrsync -a\n```\n\nText", "rsync -a"),
        ("```\n\nx", "x"),
        ("2 * 3 and snake_case", "2 * 3 and snake_case"),
        ("> said `so`", "said so"),
        ("a " * 200, "a a a…"),
        ("**", ""),
        ("", ""),
    ],
)
def test_an_excerpt_is_the_first_paragraph_without_marks(markdown: str, shown: str) -> None:
    assert words.excerpt(markdown, 6 if shown == "a a a…" else 60) == shown
