"""Every example runs, against two fake computers, and where it needs one through a real coordinator."""

from __future__ import annotations

import asyncio
import re
import sys
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from halext.accounts.types import LOCAL
from halext.commands.load import GROUP, load
from halext.runtime.settings import Settings
from halext.runtime.shapes import AddNode
from halext.runtime.verbs.nodes import add_node
from halext.runtime.wiring import open_app
from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama
from halext.types import EndpointId
from halext_web.service import WebService
from tests.halext.commands.conftest import MODEL, Chat, install

EXAMPLES = Path(__file__).parents[2] / "examples"
FLEET, COORDINATOR, FILE = "URLS", "URL TOKEN", "reviews.txt"

EXPECTED = {
    "script.py": (["Why?", FLEET], ["Because", "it scatters.", "tokens/s", "chose 127.0.0.1"]),
    "async_script.py": ([FLEET], ["Lisbon (127.0.0.1", "Oslo (", "Kyoto (", "Quito (", "Because it scatters."]),
    "many_items.py": ([FILE, FLEET], ["1 bad", "3 bad", "moods: 3 of 3 done", "127.0.0.1-"]),
    "openai_client.py": ([COORDINATOR, "Why?"], ["Because it scatters.", "llama3.2:3b on node-"]),
    "custom_node_kind.py": ([], ["kinds from outside: none"]),
}
"""What each is started with, and what it says. What a custom kind does: tests/halext/upstreams/test_custom.py."""


INSTALLED = "bot_command.py"


def test_every_example_is_run() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {*EXPECTED, INSTALLED}


@asynccontextmanager
async def coordinator(data_dir: Path, urls: list[str]) -> AsyncIterator[tuple[str, str]]:
    """The URL of a whole halext that has these nodes, and a token."""
    ready = asyncio.Event()
    async with open_app(Settings(data_dir=data_dir, port=0)) as app:
        for number, url in enumerate(urls):
            await add_node(app, LOCAL, AddNode(name=f"node-{number}", urls=[url]))
        await app.people.claim_first_admin(await app.people.first_admin_code() or "", "Ada", "correct horse")
        session, _ = await app.people.sign_in("Ada", "correct horse")
        token, _ = await app.people.create_token(await app.people.caller_for(session), "example")
        door = asyncio.get_running_loop().create_task(WebService().run(app, lambda _line: ready.set()))
        try:
            async with asyncio.timeout(10):
                await ready.wait()
            yield app.base_url, token
        finally:
            door.cancel()
            await asyncio.gather(door, return_exceptions=True)


@pytest.mark.parametrize("name", EXPECTED)
async def test_it_runs(name: str, tmp_path: Path, fake_ollama: Callable[..., Awaitable[FakeOllama]]) -> None:
    words, expected = EXPECTED[name]
    model = FakeModel("llama3.2:3b", script=["Because", " it", " scatters."], load_s=0.1)
    urls = [(await fake_ollama([model], slots=2, seed=4)).url for _ in range(2)]
    (tmp_path / FILE).write_text("Lovely.\nNever again.\nLovely.\n")
    if COORDINATOR in words:
        async with coordinator(tmp_path / "data", urls) as place:
            said = await run(name, words, {COORDINATOR: place}, tmp_path)
    else:
        said = await run(name, words, {FLEET: urls}, tmp_path)
    for text in expected:
        assert text in said


async def run(name: str, words: list[str], places: dict[str, tuple[str, ...] | list[str]], home: Path) -> str:
    """What an example prints; it says nothing on the other output."""
    arguments = [argument for word in words for argument in places.get(word, [word])]
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        sys.executable, EXAMPLES / name, *arguments, cwd=home, stdout=pipe, stderr=pipe
    )
    async with asyncio.timeout(60):
        out, err = await child.communicate()
    assert (child.returncode, err.decode()) == (0, "")
    return out.decode()


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
