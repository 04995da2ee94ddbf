from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.accounts.types import Permission
from halext.commands.load import load
from halext.commands.registry import DESCRIPTION_MAX, Registry
from halext.commands.types import Command, Option, Reply, Said, Text
from halext.errors import InvalidInput


async def run(app: object, said: Said) -> Reply:
    """Do it. Or not."""
    return Text("done")


def made(name: str, *options: Option, description: str = "Do it") -> Command:
    return Command(name, description, options, Permission.USE, run)


def registry(*names: str) -> Registry:
    table = Registry()
    for name in names:
        table.add(made(name))
    return table


def test_a_function_is_put_on_the_table_with_its_first_line() -> None:
    table = Registry()
    text = Option("text", "Some text", is_rest=True)

    @table.command("note add", text, permission=Permission.PUBLIC, is_slow=True, is_listed=False)
    async def note(app: object, said: Said) -> Reply:
        """Write a note.

        More of it.
        """
        return Text("")

    (entry,) = table.all()
    assert entry == Command("note add", "Write a note", (text,), Permission.PUBLIC, note, True, False)
    assert table.get("note add") is entry


def test_the_table_is_in_order() -> None:
    assert [known.name for known in registry("stop", "ask", "node test", "node drain").all()] == [
        "ask",
        "node drain",
        "node test",
        "stop",
    ]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("ask", "there is one of this name"),
        ("task add", "there is one of this name"),
        ("task", "first word"),
        ("ask more", "first word"),
    ],
)
def test_names_that_are_taken(name: str, says: str) -> None:
    table = registry("ask", "task add")
    with pytest.raises(ValueError, match=says):
        table.add(made(name))
    assert len(table.all()) == 2
    table.add(made("task adds"))
    table.add(made("tasks"))


@pytest.mark.parametrize("name", ["", " ", "Ask", "as-k", "a b c", "a  b", " a", "a ", "ä", "1a", "a\n", "x" * 33])
def test_names_that_no_door_could_offer(name: str) -> None:
    with pytest.raises(ValueError, match="one or two words"):
        Registry().add(made(name))


LONG = "x" * (DESCRIPTION_MAX + 1)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([Option("a", "x"), Option("b", "x", required=True)], "required options come first"),
        ([Option("a", "x", is_rest=True), Option("b", "x", is_rest=True)], "takes the rest"),
        ([Option("a", "x"), Option("a", "y")], "a name of its own"),
        ([Option(f"o{number}", "x") for number in range(26)], "at most 25 options"),
        ([Option("A", "x")], "no word"),
        ([Option("a b", "x")], "no word"),
        ([Option("", "x")], "no word"),
        ([Option("a=", "x")], "no word"),
        ([Option("a", "")], "description of a"),
        ([Option("a", LONG)], "description of a"),
        ([Option("a", "x", choices=tuple(map(str, range(26))))], "choices"),
    ],
)
def test_options_that_no_door_could_offer(options: list[Option], says: str) -> None:
    with pytest.raises(ValueError, match=f"the command 'ask' can't be offered: .*{says}"):
        Registry().add(made("ask", *options))


@pytest.mark.parametrize("description", ["", LONG])
def test_a_command_is_described_in_one_line(description: str) -> None:
    with pytest.raises(ValueError, match="its description"):
        Registry().add(made("ask", description=description))


def test_a_function_without_a_docstring_is_refused_clearly() -> None:
    async def silent(app: object, said: Said) -> Reply:
        return Text("")

    with pytest.raises(ValueError, match="its description"):
        Registry().command("silent")(silent)


@pytest.mark.parametrize(
    ("line", "name", "rest"),
    [
        ("ask", "ask", ""),
        ("ask Why is it?", "ask", "Why is it?"),
        ("ask\nWhy\nis it?", "ask", "Why\nis it?"),
        ("  ASK\t Why?", "ask", "Why?"),
        ("task add Buy  milk", "task add", "Buy  milk"),
        ("Task \n ADD\nBuy milk", "task add", "Buy milk"),
        ("task list", "task list", ""),
    ],
)
def test_a_line_begins_with_a_command(line: str, name: str, rest: str) -> None:
    command, behind = registry("ask", "task add", "task list").find(line)
    assert (command.name, behind) == (name, rest)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("task", "/task needs one of these behind it: add, list."),
        ("task burn 3", "/task needs one of these behind it: add, list."),
        ("aks why", "There is no command /aks. Did you mean /ask?"),
        ("xyzzy", "There is no command /xyzzy. /help lists them all."),
        ("", "There is no command /. /help lists them all."),
        ("x" * 5000, "There is no command /" + "x" * 39 + "…. /help lists them all."),
    ],
)
def test_what_is_no_command_is_said(line: str, says: str) -> None:
    with pytest.raises(InvalidInput) as failure:
        registry("ask", "task add", "task list").find(line)
    assert failure.value.message == says


@given(st.text())
def test_whatever_is_typed_is_a_command_or_refused(line: str) -> None:
    try:
        command, rest = registry("ask", "task add").find(line)
    except InvalidInput:
        return
    assert line.split(maxsplit=1)[0].lower() == command.name.split()[0]
    assert rest == "" or line.rstrip().endswith(rest.rstrip())


def test_every_button_and_hint_of_ours_is_a_command() -> None:
    table = load()
    for line in ("chat open 1", "task done 1", "task accept 1", "task drop 1", "models", "help", "model auto", "nodes"):
        assert table.find(line)[0].name in line
