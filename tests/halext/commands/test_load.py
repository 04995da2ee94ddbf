"""Commands from outside: packages that name a module in the entry-point group."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from halext.commands.load import OURS, load
from halext.commands.registry import REGISTRY
from halext.commands.types import Text

from .conftest import Chat, install

GREETING = '''
from halext.commands.registry import command
from halext.commands.types import Text


@command("hello{word}")
async def hello(app, said):
    """Say hello."""
    return Text(f"Hello {{said.caller.name}}")
'''


def test_ours_are_on_the_table() -> None:
    names = {command.name for command in load().all()}
    assert {"ask", "nodes", "link", "help", "task add"} <= names
    ours = {module.__name__ for module in OURS}
    assert {command.run.__module__ for command in load().all()} == ours


async def test_a_command_from_outside_is_like_ours(chat: Chat, outside: Path) -> None:
    install(outside, GREETING.format(word=""))
    chat.talk.registry = load()
    assert await chat.talk.line(chat.mia, "hello") == Text("Hello Mia")
    assert "`/hello` Say hello" in (await chat.text(chat.mia, "help")).markdown
    assert load().get("hello") is REGISTRY.get("hello")  # loaded once


@pytest.mark.parametrize(
    "code",
    [
        "raise ZeroDivisionError('broken')",
        "import no_such_module",
        "def broken(:",
        "import sys; sys.exit(3)",
        GREETING.format(word="").replace("hello", "ask"),
        GREETING.format(word=" much too long"),
    ],
)
def test_one_that_can_not_be_loaded_is_said_and_harms_nobody(
    outside: Path, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    broken = install(outside, code)
    install(outside, GREETING.format(word="there"))
    ask = REGISTRY.get("ask")
    table = load()
    assert table.get("hellothere").description == "Say hello"
    assert table.get("ask") is ask
    assert f"the commands of {broken} can't be loaded" in caplog.text


def test_other_groups_are_others_business(outside: Path) -> None:
    name = install(outside, GREETING.format(word="other"), group="halext.services.more")
    load()
    assert name not in sys.modules
