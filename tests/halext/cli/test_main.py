"""The tree of commands, and whole command lines as a shell runs them: a process, a data directory, a fake Ollama."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from halext._version import __version__
from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama
from halext.testing.openai import FakeOpenAI
from tests.halext.cli.conftest import Result, Run

PATIENCE_S = 60.0
"""A process takes a second or two to start; more only when the machine is very busy."""
StartOllama = Callable[..., Awaitable[FakeOllama]]
StartOpenAI = Callable[..., Awaitable[FakeOpenAI]]
Halext = Callable[..., Awaitable[Result]]


@asynccontextmanager
async def process(data: Path, *args: str, stdin: int = PIPE, stdout: int = PIPE) -> AsyncIterator[Process]:
    """`halext` in a process of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HALEXT_")}
    command = (sys.executable, "-m", "halext", "--data", str(data), *args)
    started = await asyncio.create_subprocess_exec(*command, stdin=stdin, stdout=stdout, stderr=PIPE, env=kept)
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield started
    finally:
        if started.returncode is None:
            started.kill()
            await started.communicate()


@pytest.fixture
def halext(run: Run) -> Halext:
    """Real command lines on one data directory, in a thread: the fake nodes live in the test's own loop.

    A process for each of them would test the same, for two seconds of processor time apiece.
    """

    async def call(*args: str, stdin: str = "") -> Result:
        return await asyncio.to_thread(run, *args, stdin=stdin)

    return call


# --- in this process ---


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_names_every_command(run: Run, option: str) -> None:
    result = run(option)
    assert result.code == 0
    for name in ("up", "node", "models", "ask", "chat", "embed", "user", "token", "key", "db", "doctor"):
        assert f"│ {name} " in result.out


@pytest.mark.parametrize(
    "command", ["up", "ask", "node add", "node drain", "user add", "token create", "key set", "embed"]
)
def test_help_has_examples(run: Run, command: str) -> None:
    result = run(*command.split(), "--help")
    assert result.code == 0
    assert f"halext {command}" in " ".join(result.out.split())


@pytest.mark.parametrize("args", [(), ("node",), ("key",)])
def test_a_command_without_its_verb_shows_help_once(run: Run, args: tuple[str, ...]) -> None:
    result = run(*args)
    assert result.code == 2
    assert (result.out + result.err).count("Usage: halext") == 1
    assert "halext: " not in result.err


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("nodes",), "No such command 'nodes'. Did you mean 'node'"),
        (("node", "add", "mac"), "Missing argument 'URL'"),
        (("node", "list", "--jsn"), "No such option: --jsn"),
        (("node", "list", "more"), "unexpected extra argument"),
    ],
)
def test_wrong_use_is_two_lines_and_exit_2(run: Run, args: tuple[str, ...], says: str) -> None:
    result = run(*args)
    assert (result.code, result.out) == (2, "")
    first, second = result.err.splitlines()
    assert first.startswith("halext: ")
    assert says in first
    assert second.startswith("Try `halext")


def test_version(run: Run) -> None:
    assert run("--version").out == f"halext {__version__}\n"


# --- on a real data directory, with fake nodes ---


async def test_an_empty_house_says_how_to_begin(halext: Halext) -> None:
    result = await halext("node", "list")
    assert (result.code, result.out) == (0, "")
    assert "halext node add" in result.err
    asked = await halext("ask", "hi", "--why")
    assert (asked.code, asked.out) == (1, "")
    assert "halext node add" in asked.err


async def test_a_nodes_life(halext: Halext, fake_ollama: StartOllama) -> None:
    model = FakeModel("llama3.2:3b", script=["Hel", "lo", "!"])
    ollama = await fake_ollama([model])

    added = await halext("node", "add", "mac", ollama.url, "--memory", "16GB")
    assert (added.code, added.err) == (0, "")
    assert "llama3.2:3b" in added.out

    listed = json.loads((await halext("node", "list", "--json")).out)
    assert [(node["name"], node["endpoints"][0]["kind"]) for node in listed] == [("mac", "ollama")]

    asked = await halext("ask", "Say hello", "--why", stdin="politely\n")
    assert (asked.code, asked.out) == (0, "Hello!\n")
    assert "why: mac: " in asked.err
    assert "chose mac" in asked.err
    (request,) = [request for request in ollama.requests if request.path == "/api/chat"]
    assert json.loads(request.body)["messages"] == [{"role": "user", "content": "Say hello\n\npolitely"}]

    unknown = await halext("ask", "hi", "-m", "nosuch")
    assert (unknown.code, unknown.out) == (1, "")
    assert "'nosuch'" in unknown.err

    talked = await halext("chat", stdin="one\n/quit\n")
    assert (talked.code, talked.out) == (0, "Hello!\n")

    tested = await halext("node", "test", "mac")
    assert tested.code == 0
    assert "✓ first token" in tested.out

    gone = await halext("node", "remove", "mac")
    assert gone.code == 0
    assert (await halext("models", "--json")).out.strip() == "[]"


async def test_an_answer_that_breaks_off_is_kept(halext: Halext, fake_ollama: StartOllama) -> None:
    ollama = await fake_ollama([FakeModel("llama3.2:3b", script=["Hel", "lo", "!"])])
    await halext("node", "add", "mac", ollama.url)
    ollama.faults.at(3, "reset")
    result = await halext("ask", "hi", "--why")
    assert (result.code, result.out) == (1, "Hello\n")
    assert result.err.splitlines()[-1].startswith("halext: ")
    assert "why: mac: " in result.err


@pytest.mark.parametrize("address", ["not an address", "ftp://mac", "http://", "http://user:pw@mac", "http://mac/path"])
async def test_an_address_that_is_none_is_refused(halext: Halext, address: str) -> None:
    result = await halext("node", "add", "mac", address)
    assert result.code in {1, 2}
    assert result.err.startswith("halext: ")
    assert result.err.count("\n") == 1
    assert "pw" not in result.err


async def test_a_node_that_is_down_is_refused_and_with_a_kind_kept(halext: Halext, fake_ollama: StartOllama) -> None:
    async with FakeOllama() as ollama:
        url = ollama.url
    found_out = await halext("node", "add", "mac", url)
    assert (found_out.code, found_out.out) == (1, "")
    assert (await halext("node", "list", "--json")).out.strip() == "[]"
    kept = await halext("node", "add", "mac", url, "--kind", "ollama")
    assert kept.code == 0
    assert "halext node test mac" in kept.err
    tested = await halext("node", "test", "mac")
    assert tested.code == 1
    assert "✗ connect" in tested.out
    asked = await halext("ask", "hi", "--why")
    assert asked.code == 1
    assert "why: mac: " in asked.err


async def test_a_wrong_kind_is_named(halext: Halext, fake_openai: StartOpenAI) -> None:
    server = await fake_openai()
    added = await halext("node", "add", "pc", server.url, "--kind", "ollama")
    assert "does not work yet" in added.err
    tested = await halext("node", "test", "pc")
    assert tested.code == 1
    assert "✗ protocol" in tested.out
    assert "✓ auth" in tested.out


async def test_a_wrong_key_is_named_and_never_shown(halext: Halext, fake_ollama: StartOllama) -> None:
    ollama = await fake_ollama(require_header=("Authorization", "Bearer right"))
    wrong = await halext("node", "add", "mac", ollama.url, "--kind", "ollama", "--header", "Authorization=Bearer wrong")
    assert "Bearer wrong" not in wrong.out + wrong.err
    tested = await halext("node", "test", "mac")
    assert tested.code == 1
    assert "✗ auth" in tested.out
    await halext("node", "remove", "mac")
    right = await halext("node", "add", "mac", ollama.url, "--header", "Authorization=-", stdin="Bearer right\n")
    assert (right.code, right.err) == (0, "")
    assert "with stored headers" in right.out


async def test_a_data_directory_that_cannot_be_made_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    result = await asyncio.to_thread(run, "--data", str(tmp_path / "file" / "data"), "node", "list")
    assert (result.code, result.out) == (1, "")
    assert "--data" in result.err
    assert result.err.count("\n") == 1


# --- in a process of its own: what a shell sees, and signals ---


async def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, halext.cli.main; "
        "print([m for m in ('sqlalchemy', 'httpx', 'aiohttp', 'pydantic', 'structlog', 'msgspec', 'starlette', "
        "'cryptography') if m in sys.modules])"
    )
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=PIPE)
    out, _ = await child.communicate()
    assert out.decode().strip() == "[]"


async def test_the_exit_code_reaches_the_shell(tmp_path: Path) -> None:
    async with process(tmp_path / "data", "node", "show", "nope") as shown:
        out, err = await shown.communicate()
    assert (shown.returncode, out) == (1, b"")
    assert err.startswith(b"halext: There is no node called 'nope'.")
    assert err.count(b"\n") == 1


async def test_ctrl_c_while_an_answer_comes_is_quiet(halext: Halext, fake_ollama: StartOllama, tmp_path: Path) -> None:
    ollama = await fake_ollama([FakeModel("llama3.2:3b", answer_tokens=100_000)])
    await halext("node", "add", "mac", ollama.url)
    async with process(tmp_path / "data", "ask", "go on for ever", stdin=DEVNULL) as asking:
        assert asking.stdout is not None
        await asking.stdout.read(1)
        asking.send_signal(signal.SIGINT)
        out, err = await asking.communicate()
    assert (asking.returncode, err) == (130, b"")
    assert out.endswith(b"\n")
    await ollama.timeline.wait_for("cancelled")  # the node has been told


async def test_a_reader_who_has_seen_enough_ends_it_quietly(
    halext: Halext, fake_ollama: StartOllama, tmp_path: Path
) -> None:
    ollama = await fake_ollama([FakeModel("llama3.2:3b", answer_tokens=100_000)])
    await halext("node", "add", "mac", ollama.url)
    reading, writing = os.pipe()
    async with process(tmp_path / "data", "ask", "go on for ever", stdin=DEVNULL, stdout=writing) as asking:
        os.close(writing)
        await asyncio.to_thread(os.read, reading, 1)
        os.close(reading)
        _, err = await asking.communicate()
    assert (asking.returncode, err) == (1, b"")
    await ollama.timeline.wait_for("cancelled")


async def test_beside_a_running_house_commands_talk_to_it(
    halext: Halext, fake_ollama: StartOllama, tmp_path: Path
) -> None:
    ollama = await fake_ollama([FakeModel("llama3.2:3b", script=["Hel", "lo"])])
    async with process(tmp_path / "data", "up", "--port", "0", "--no-demo", stdin=DEVNULL) as house:
        await said(house, b"is ready")
        assert (await halext("node", "add", "mac", ollama.url)).code == 0
        asked = await halext("ask", "hi", "--why")
        assert (asked.code, asked.out) == (0, "Hello\n")
        assert "chose mac" in asked.err
        second = await halext("up", "--port", "0", "--no-demo")
        assert second.code == 1
        assert "running" in second.err
        house.send_signal(signal.SIGTERM)
        _, err = await house.communicate()
    assert house.returncode == 0
    assert b"Traceback" not in err
    assert "mac" in (await halext("node", "list")).out


async def said(house: Process, words: bytes) -> None:
    """Return once the process has said these words."""
    assert house.stdout is not None
    assert house.stderr is not None
    heard = b""
    async for line in house.stdout:
        heard += line
        if words in line:
            return
    pytest.fail((heard + await house.stderr.read()).decode())
