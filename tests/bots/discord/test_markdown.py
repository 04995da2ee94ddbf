"""What a model says on Discord looks as meant, and calls nobody."""

from __future__ import annotations

import re

import pytest
from hypothesis import given

from halext_bots.discord.markdown import BREAKER, MESSAGE_MAX, Markdown, plain
from halext_bots.shared.boundaries import is_blank, utf16
from halext_bots.shared.lines import lay_out
from halext_bots.shared.reading import read
from halext_bots.shared.splitting import messages, split
from tests.bots.strategies import limits, texts

Z = BREAKER


def drawn(text: str) -> str:
    return "\n=\n".join(messages(text, Markdown()))


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("**a *b*** *c* ~~d~~ `e`", "**a *b*** *c* ~~d~~ `e`"),
        ("**a***b*", f"**a**{Z}*b*"),
        ("a** b **c", "a\\*\\* b \\*\\*c"),
        ("# A\n#### B", "# A\n**B**"),
        ("- a\n  1. b", "- a\n  1. b"),
        ("- # a", "- **a**"),
        ("> a\n>\n> b", "> a\n>\n> b"),
        ("> ```\n> x\n> ```", "> ```\n> x\n> ```"),
        ("```py\nx\n```", "```py\nx\n```"),
        ("```evil`lang\nx\n```", "\\`\\`\\`evil\\`lang\nx"),
        ("~~~e(v)il\nx", "```\nx\n```"),
        ("````\n```\n````", f"```\n``{Z}`\n```"),
        ("`` a`b ``", "``a`b``"),
        ("`` ` ``", "`` ` ``"),
        ("a\n\n---\n\nb", "a\n\n⸻\n\nb"),
        ("||spoiler|| <:e:1> <t:1:R> <b>", "\\|\\|spoiler\\|\\| \\<:e:1> \\<t:1:R> \\<b>"),
        ("@everyone @here <@1> <@!2> <@&3> <#4>", f"@{Z}everyone @{Z}here \\<@{Z}1> \\<@{Z}!2> \\<@{Z}&3> \\<#4>"),
        ("`@everyone <@1> <#2>`", f"`@{Z}everyone <{Z}@{Z}1> <{Z}#2>`"),
        (r"\@everyone", f"@{Z}everyone"),
        ("[a_b](https://e.example/a_b)", "[a\\_b](<https://e.example/a_b>)"),
        ("[https://bank.example](https://evil.example)", "https://bank.example (https://evil.example)"),
        ("see https://e.example/a_b*c", "see https://e.example/a_b%2Ac"),
        ("\\# a", "\\# a"),
        ("\\- a", "\\- a"),
        ("1\\. a", "1\\. a"),
        ("\\> a", "\\> a"),
        ("-# small", "\\-# small"),
        ("| a | b |\n|---|---|\n| `1` | @here |", f"```\na | b\n--+------\n1 | @{Z}here\n```"),
    ],
)
def test_what_it_looks_like(text: str, made: str) -> None:
    assert drawn(text) == made


PINGS = re.compile(r"@everyone|@here|<@[!&]?\d+>", re.IGNORECASE)
"""Calls somebody also where a backslash stands in front, since that only tells how to draw it."""
TAGS = re.compile(r"(?<!\\)<(?:#\d|a?:\w+:\d|t:\d|/\w+|id:)", re.IGNORECASE)


@given(texts, limits)
def test_nothing_calls_anybody(text: str, limit: int) -> None:
    for made in messages(text, Markdown(limit)):
        assert not TAGS.search(made)
        assert not PINGS.search(made)
        assert not PINGS.search(re.sub(r"\\([^A-Za-z0-9\s])", r"\1", made))


@given(texts, limits)
def test_messages_are_whole(text: str, limit: int) -> None:
    for part in split(lay_out(read(text)), Markdown(limit)):
        made = Markdown(limit).render(part)
        assert made.strip()
        assert utf16(made) <= limit
        fences = [row for row in made.split("\n") if row.removeprefix("> ").startswith("```")]
        assert len(fences) % 2 == 0
        assert made.count("```") == len(fences)
        assert "||" not in re.sub(r"```.*?```|``.*?``|`.*?`", "", made.replace("\\|", ""), flags=re.DOTALL)


@given(texts)
def test_all_words_are_in_the_message(text: str) -> None:
    for line in lay_out(read(text)):
        if line.kind == "text" and not line.markers and not any(run.url or run.code for run in line.runs):
            made = re.sub(r"\\([^A-Za-z0-9\s])|[*~]", r"\1", Markdown(10**6).render([line]))
            made = made.removeprefix(">") if line.is_quoted else made
            for code, char in (("%2A", "*"), ("%7C", "|"), ("%7E", "~"), ("%60", "`"), ("%5C", "\\"), ("%40", "@")):
                made = made.replace(code, char)
            assert _seen(made) == _seen(line.text)


def _seen(text: str) -> str:
    return "".join(char for char in text if not is_blank(char))


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("mac_mini", "mac\\_mini"),
        ("@everyone **x**", f"@{Z}everyone \\*\\*x\\*\\*"),
        ("# t\n- u\n2. v\n  > w", "\\# t\n\\- u\n2\\. v\n  \\> w"),
        ("[a](b) <@1>", f"\\[a\\](b) \\<@{Z}1>"),
        ("", ""),
    ],
)
def test_words_of_others_are_only_words(text: str, made: str) -> None:
    assert plain(text) == made


def test_units() -> None:
    assert Markdown().limit == MESSAGE_MAX
    made = messages("😀" * 1500, Markdown())
    assert [utf16(part) for part in made] == [2000, 1000]
