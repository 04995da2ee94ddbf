"""Every example runs, against two fake computers."""

from __future__ import annotations

import asyncio
import re
import sys
import tomllib
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from halext.commands.load import GROUP, load
from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama
from halext.types import EndpointId
from tests.halext.commands.conftest import MODEL, Chat, install

EXAMPLES = Path(__file__).parents[2] / "examples"

EXPECTED = {
    "script.py": (["Why?"], ["Because", "it scatters.", "tokens/s", "chose 127.0.0.1"]),
    "async_script.py": ([], ["Lisbon (127.0.0.1", "Oslo (", "Kyoto (", "Quito (", "Because it scatters."]),
}


INSTALLED = "bot_command.py"


def test_every_example_is_run() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {*EXPECTED, INSTALLED}


@pytest.mark.parametrize("name", EXPECTED)
async def test_it_runs(name: str, fake_ollama: Callable[..., Awaitable[FakeOllama]]) -> None:
    words, expected = EXPECTED[name]
    model = FakeModel("llama3.2:3b", script=["Because", " it", " scatters."], load_s=0.1)
    urls = [(await fake_ollama([model], slots=2)).url for _ in range(2)]
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        sys.executable, EXAMPLES / name, *words, *urls, stdout=pipe, stderr=pipe
    )
    async with asyncio.timeout(60):
        out, err = await child.communicate()
    assert (child.returncode, err.decode()) == (0, "")
    for text in expected:
        assert text in out.decode()


async def test_a_command_is_added_from_outside(chat: Chat, mac: FakeOllama, outside: Path) -> None:
    code = (EXAMPLES / INSTALLED).read_text()
    group, line = re.findall(r"^    (\[.*\]|warm = .*)$", code, re.MULTILINE)
    wanted = tomllib.loads(f"{group}\n{line}")["project"]["entry-points"][GROUP]
    install(outside, code, name=wanted["warm"])
    chat.talk.registry = load()
    assert (await chat.text(chat.mia, "warm")).markdown == "None is; the next answer takes a little longer."
    await chat.ended(chat.mia, f"ask model={MODEL} Why?")
    await chat.app.prober.look(EndpointId("mac"))
    assert (await chat.text(chat.mia, "warm")).markdown == f"- `{MODEL}`"
    assert (await chat.text(chat.mia, "warm part=zzz")).markdown.startswith("None is")
    assert "`/warm [part=…]` Which models are in memory now" in (await chat.text(chat.mia, "help")).markdown
    assert "I don't know you yet" in await chat.refusal(chat.stranger, "warm")
