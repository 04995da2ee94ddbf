"""`%load_ext halext` and `%%ask`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from halext.client import magic
from halext.client.sync import Client
from halext.errors import InvalidInput


@pytest.fixture
def shell() -> Iterator[Any]:
    made: Any = InteractiveShell.instance(history_length=0)
    made.history_manager.enabled = False
    yield made
    InteractiveShell.clear_instance()


async def test_a_cell_is_a_question(shell: Any, hx: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(magic, "connect", lambda: hx)
    shell.run_line_magic("load_ext", "halext")
    reply = await asyncio.to_thread(shell.run_cell_magic, "ask", "-m llama3.2:3b -s 'Be brief.'", "Who is there?\n")
    assert reply.text == "Hello there"
    assert shell.user_ns["_reply"] is reply


@pytest.mark.parametrize("line", ["-m", "--what x", "question in the wrong place"])
def test_a_wrong_line_is_told(shell: Any, line: str) -> None:
    with pytest.raises(InvalidInput, match="%%ask -m"):
        magic.Asking(shell).ask(line, "hi")
