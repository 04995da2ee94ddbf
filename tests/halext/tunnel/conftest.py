"""A server to dial into, and home computers that do so with the real ssh client."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from halext.nodes.store import NodeStore
from halext.nodes.types import Node
from halext.runtime.clock import SystemClock
from halext.storage.engine import open_database
from halext.storage.schema import upgrade
from halext.storage.scope import Scope
from halext.testing.ollama import FakeOllama
from halext.tunnel import hostkey, policy
from halext.tunnel.gate import Gate
from halext.tunnel.hostkey import HostKey
from halext.tunnel.hub import Tunnels
from halext.tunnel.server import listening
from halext.tunnel.store import TunnelStore
from halext.types import EndpointId, NodeName
from halext.upstream import Endpoint
from halext.upstreams.http import Door

PATIENCE_S = 20.0
CODE = "0123456789abcdef" * 2


def endpoint(name: str = "mac", port: int = 11434) -> Endpoint:
    url = f"http://{name}.internal:{port}"
    return Endpoint(EndpointId(name), NodeName(name), "ollama", url, via="tunnel")


def port_of(target: FakeOllama | int) -> int:
    return target if isinstance(target, int) else int(target.url.rpartition(":")[2])


@dataclass
class Watch:
    """Remembers every tunnel that comes and goes, and lets a test wait for one."""

    tunnels: Tunnels
    told: list[tuple[str, bool]] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, node: NodeName, /, *, up: bool) -> None:
        self.told.append((node, up))
        self._news.set()

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until it is so; asked again whenever a tunnel changes."""
        async with asyncio.timeout(PATIENCE_S):
            while not is_so():
                self._news.clear()
                await self._news.wait()

    async def up(self, node: str = "mac") -> None:
        await self.until(lambda: self.tunnels.is_up(NodeName(node)))

    async def down(self, node: str = "mac") -> None:
        await self.until(lambda: not self.tunnels.is_up(NodeName(node)))


@dataclass
class Server:
    """Where computers dial in."""

    port: int
    key: HostKey
    roster: TunnelStore
    tunnels: Tunnels
    watch: Watch
    door: Door
    nodes: NodeStore
    clock: SystemClock

    async def invite(self, name: str = "mac", code: str = CODE) -> str:
        """The ssh user for a node's first call."""
        node = NodeName(name)
        if node not in {known.name for known in await self.nodes.load()}:
            await self.nodes.save(Node(node, (endpoint(name),)))
        await self.roster.invite(node, policy.digest(code), self.clock.now() + policy.CODE_LIFETIME_S)
        return f"join-{code}"


@dataclass
class Computer:
    """A computer at home: a key, and ssh."""

    home: Path
    server: Server
    running: list[asyncio.subprocess.Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.home.mkdir()
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.home / "key")]
        subprocess.run(command, check=True, timeout=PATIENCE_S)
        (self.home / "hosts").write_text(f"[127.0.0.1]:{self.server.port} {self.server.key.public}\n")

    @property
    def public_key(self) -> str:
        return " ".join((self.home / "key.pub").read_text().split()[:2])

    async def ssh(self, user: str, *arguments: str) -> asyncio.subprocess.Process:
        """Start ssh with these arguments; it is gone at the end of the test."""
        options = [
            *("-F", "none", "-p", str(self.server.port), "-i", str(self.home / "key"), "-o", "LogLevel=INFO"),
            *("-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"),
            *("-o", f"UserKnownHostsFile={self.home / 'hosts'}", "-o", "ExitOnForwardFailure=yes"),
        ]
        process = await asyncio.create_subprocess_exec(
            "ssh",
            *options,
            *arguments,
            f"{user}@127.0.0.1",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={name: value for name, value in os.environ.items() if name != "SSH_AUTH_SOCK"},
        )
        self.running.append(process)
        return process

    async def dial(self, user: str, target: FakeOllama | int) -> asyncio.subprocess.Process:
        """Dial in and offer a server, or what listens on this port here, as an Ollama."""
        return await self.ssh(user, "-N", "-T", "-R", f"127.0.0.1:11434:127.0.0.1:{port_of(target)}")

    async def refused(self, user: str, *arguments: str) -> str:
        """What ssh says before it gives up, which it must."""
        process = await self.ssh(user, *arguments)
        async with asyncio.timeout(PATIENCE_S):
            said, _ = await process.communicate()
        assert process.returncode != 0, said
        return said.decode()

    async def close(self) -> None:
        for process in self.running:
            if process.returncode is None:
                process.kill()
            await process.communicate()


@pytest.fixture
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Server]:
    """A server without nodes; `pytest.mark.parametrize("server", [Gate(…)], indirect=True)` gives it another gate."""
    if shutil.which("ssh") is None:
        if os.environ.get("TEST_REQUIRE_ALL"):
            pytest.fail("openssh-client is not installed")
        pytest.skip("openssh-client is not installed")
    gate: Gate | None = getattr(request, "param", None)
    async with AsyncExitStack() as stack:
        database = open_database(f"sqlite:///{tmp_path / 'halext.db'}")
        stack.push_async_callback(database.close)
        await upgrade(database)
        scope, key, tunnels, clock = Scope(database), hostkey.read(hostkey.make()), Tunnels(), SystemClock()
        roster, watch = TunnelStore(scope), Watch(tunnels)
        tunnels.listen(watch)
        door = Door(open_channel=tunnels.open_channel)
        stack.push_async_callback(door.aclose)
        port = await stack.enter_async_context(
            listening("127.0.0.1", 0, key, roster=roster, tunnels=tunnels, clock=clock, gate=gate)
        )
        yield Server(port, key, roster, tunnels, watch, door, NodeStore(scope), clock)


@pytest.fixture
async def computer(server: Server, tmp_path: Path) -> AsyncIterator[Callable[..., Computer]]:
    """`computer("mac")`: a computer with a key of its own."""
    computers: list[Computer] = []

    def make(name: str = "mac") -> Computer:
        computers.append(Computer(tmp_path / f"home-{name}", server))
        return computers[-1]

    yield make
    for one in computers:
        await one.close()
