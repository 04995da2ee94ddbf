"""A computer at home dials in with one pasted line, is asked, is cut off, and comes back."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from halext.accounts.types import LOCAL
from halext.messages import ChatRequest, Message
from halext.nodes.types import Status
from halext.runtime.app import App
from halext.runtime.control import LocalControl
from halext.runtime.settings import Settings
from halext.runtime.shapes import AddNode
from halext.runtime.shapes_tunnel import JoinNode
from halext.runtime.tunnel_service import TunnelService
from halext.runtime.verbs.nodes import add_node
from halext.runtime.verbs.tunnel import join_node
from halext.runtime.wiring import open_app
from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama
from halext.types import EndpointId, ModelName, NodeName

from .conftest import Up

MODEL = "llama3.2:3b"
WORDS = (" one", " two", " three")
PATIENCE_S = 40.0
MAC = EndpointId("mac")


@pytest.fixture(autouse=True)
def has_ssh() -> None:
    if shutil.which("ssh") is None:
        if os.environ.get("TEST_REQUIRE_ALL"):
            pytest.fail("openssh-client is not installed")
        pytest.skip("openssh-client is not installed")


@contextmanager
def pasted(line: str, home: Path, fake: FakeOllama) -> Iterator[Callable[[signal.Signals], None]]:
    """The line runs in a shell of its own, on a computer whose Ollama is `fake`; gives a way to signal its ssh."""
    home.mkdir(exist_ok=True)
    target = fake.url.removeprefix("http://")
    mine = line.replace(":127.0.0.1:11434", f":{target}").replace("sleep 2", "sleep 0.2")
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    shell = subprocess.Popen(["sh", "-c", mine], env=environment, stdin=subprocess.DEVNULL, start_new_session=True)

    def send(what: signal.Signals) -> None:
        listed = subprocess.run(["pgrep", "-x", "ssh", "-g", str(shell.pid)], capture_output=True, text=True).stdout
        for pid in listed.split():
            os.kill(int(pid), what)

    try:
        yield send
    finally:
        os.killpg(shell.pid, signal.SIGKILL)
        shell.wait(PATIENCE_S)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
    return number


@dataclass
class Home:
    """A halext with a PC that it reaches by address, and a Mac that dials in."""

    app: App
    mac: FakeOllama
    pc: FakeOllama
    line: str
    changed: asyncio.Event

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until it is so; asked again whenever the registry changes."""
        async with asyncio.timeout(PATIENCE_S):
            while not is_so():
                self.changed.clear()
                await self.changed.wait()

    def status(self) -> Status:
        return self.app.registry.state(MAC).health.status

    async def ask(self, node: str | None = None) -> tuple[str, str | None]:
        """The answer, and who gave it."""
        request = ChatRequest(ModelName(MODEL), (Message("user", "go"),))
        answer = LocalControl(self.app, LOCAL).generate(request, NodeName(node) if node else None)
        text = "".join([chunk.text async for chunk in answer])
        return text, answer.info.node if answer.info else None


@pytest.fixture
async def home(tmp_path: Path, fake_ollama: Callable[..., Awaitable[FakeOllama]]) -> AsyncIterator[Home]:
    mac, pc = [await fake_ollama([FakeModel(MODEL, script=WORDS)], keep_alive_s=1e7) for _ in range(2)]
    settings = Settings(
        data_dir=tmp_path / "data", port=0, tunnel_host="127.0.0.1", tunnel_port=free_port(), probe_interval_s=3600
    )
    changed, ready = asyncio.Event(), asyncio.Event()
    async with open_app(settings) as app:
        app.registry.listen(changed.set)
        await add_node(app, LOCAL, AddNode(name="pc", urls=[pc.url]))
        line = await join_node(app, LOCAL, JoinNode(name="mac"))
        part = asyncio.get_running_loop().create_task(TunnelService().run(app, lambda _line: ready.set()))
        async with asyncio.timeout(PATIENCE_S):
            await ready.wait()
        yield Home(app, mac, pc, line.unix, changed)
        part.cancel()
        await asyncio.gather(part, return_exceptions=True)


async def test_it_is_asked_like_any_other_and_comes_back_by_itself(home: Home, tmp_path: Path) -> None:
    with pasted(home.line, tmp_path / "home", home.mac) as send:
        await home.until(lambda: home.status() is Status.HEALTHY)
        assert await home.ask("mac") == ("".join(WORDS), "mac")
        await asyncio.to_thread(send, signal.SIGTERM)
        await home.until(lambda: home.status() is Status.OFFLINE)
        assert "tunnel is down" in home.app.registry.state(MAC).health.reason
        await home.until(lambda: home.status() is Status.HEALTHY)
        assert await home.ask("mac") == ("".join(WORDS), "mac")


async def test_cut_off_while_somebody_waits_another_node_answers(home: Home, tmp_path: Path) -> None:
    with pasted(home.line, tmp_path / "home", home.mac) as send:
        await home.until(lambda: home.status() is Status.HEALTHY)
        await home.ask("mac")  # in memory there, and not on the pc: the mac is the first choice
        home.mac.faults.at("first_token", "stall")
        arrivals = len(home.mac.timeline.of("arrival"))
        waiting = asyncio.get_running_loop().create_task(home.ask())
        await home.mac.timeline.wait_for("arrival", count=arrivals + 1, timeout_s=PATIENCE_S)
        await asyncio.to_thread(send, signal.SIGKILL)
        async with asyncio.timeout(PATIENCE_S):
            assert await waiting == ("".join(WORDS), "pc")


def test_with_the_programs_alone(
    up: Up, halext: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    port = free_port()
    (tmp_path / "halext.toml").write_text(f'tunnel_host = "127.0.0.1"\ntunnel_port = {port}\n')
    house = up("--no-demo")
    assert "no port is open; `halext node join NAME` opens one" in house.said
    line = json.loads(halext("node", "join", "mac", "--json", data=house.data).stdout)
    assert line["port"] == port
    with asyncio.Runner() as runner:
        fake = FakeOllama([FakeModel(MODEL, script=WORDS)], keep_alive_s=1e7)
        runner.run(fake.start())
        with pasted(line["unix"], tmp_path / "home", fake):
            listed = runner.run(asyncio.to_thread(until_healthy, halext, house.data))
            assert listed[0]["endpoints"][0]["via"] == "tunnel"
            answer = runner.run(asyncio.to_thread(halext, "ask", "go", "--node", "mac", data=house.data))
            assert "".join(WORDS).strip() in answer.stdout
            report = runner.run(asyncio.to_thread(halext, "node", "test", "mac", data=house.data)).stdout
            assert "tunnel: its computer dials in" in report
            assert "first token" in report
        runner.run(fake.close())


def until_healthy(
    halext: Callable[..., subprocess.CompletedProcess[str]], data: Path, name: str = "mac"
) -> list[dict[str, Any]]:
    """The list of nodes once this one is healthy; each look is a program that takes a while."""
    deadline = time.monotonic() + PATIENCE_S
    listed: list[dict[str, Any]] = []
    while time.monotonic() < deadline:
        listed = json.loads(halext("node", "list", "--json", data=data).stdout)
        if any(node["name"] == name and node["status"] == "healthy" for node in listed):
            return listed
    raise TimeoutError(listed)
