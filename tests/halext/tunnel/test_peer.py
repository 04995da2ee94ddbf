"""What a computer may not do, each tried with the real ssh client."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import asyncssh
import pytest

from halext.hosts.llama import free_port
from halext.testing.ollama import FakeOllama
from halext.tunnel.gate import Gate
from halext.tunnel.hub import Tunnels
from halext.tunnel.peer import Peer

from .conftest import CODE, Computer, Server, endpoint, port_of

Start = Callable[..., Awaitable[FakeOllama]]
Make = Callable[..., Computer]


@pytest.fixture
async def mac(server: Server, computer: Make) -> Computer:
    """A computer that has joined and hung up."""
    mac = computer()
    ssh = await mac.dial(await server.invite(), 1)
    await server.watch.up()
    ssh.terminate()
    await server.watch.down()
    server.watch.told.clear()
    return mac


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["-R", "0.0.0.0:11434:127.0.0.1:1"], id="every address"),
        pytest.param(["-R", "11434:127.0.0.1:1"], id="no address"),
        pytest.param(["-R", "127.0.0.1:80:127.0.0.1:1"], id="another port"),
        pytest.param(["-R", "127.0.0.1:0:127.0.0.1:1"], id="any port"),
        pytest.param(["-R", "/tmp/halext-test.sock:127.0.0.1:1"], id="a unix path"),
    ],
)
async def test_forwards_that_are_refused(mac: Computer, server: Server, arguments: list[str]) -> None:
    assert "remote port forwarding failed" in await mac.refused("mac", "-N", "-T", *arguments)
    assert server.watch.told == []


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["-T"], id="a shell"),
        pytest.param(["-tt"], id="a shell with a terminal"),
        pytest.param(["-s"], id="sftp"),
        pytest.param(["-W", "127.0.0.1:22"], id="-W, and with it -L and -D"),
        pytest.param(["-N", "-w", "0:0"], id="a tun device"),
    ],
)
async def test_sessions_that_are_refused(mac: Computer, server: Server, arguments: list[str]) -> None:
    del server
    assert await mac.refused("mac", *arguments)


async def test_a_command_is_refused(mac: Computer) -> None:
    options = ["-T", "-o", "RemoteCommand=echo in"]
    assert "in\n" not in await mac.refused("mac", *options)


async def test_local_forwards_reach_nothing(mac: Computer, server: Server, fake_ollama: Start) -> None:
    fake, port = await fake_ollama(["m:1b"]), free_port()
    await mac.ssh("mac", "-N", "-L", f"127.0.0.1:{port}:127.0.0.1:{port_of(fake)}", "-R", "127.0.0.1:11434:127.0.0.1:1")
    await server.watch.up()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /api/tags HTTP/1.1\r\nHost: localhost\r\n\r\n")
    with suppress(ConnectionResetError):  # how it is cut depends on who is quicker
        assert await reader.read() == b""
    writer.close()
    assert fake.timeline.of("arrival") == []


@pytest.mark.parametrize("user", ["pc", "root", "join-" + "0" * 32, "join-", "Mac", "mac ", "../mac"])
async def test_names_that_are_refused(mac: Computer, user: str) -> None:
    assert "Permission denied (publickey)" in await mac.refused(user, "-N", "-R", "127.0.0.1:11434:127.0.0.1:1")


async def test_a_password_is_not_even_asked_for(mac: Computer) -> None:
    said = await mac.refused("mac", "-N", "-o", "PubkeyAuthentication=no", "-o", "PreferredAuthentications=password")
    assert "Permission denied (publickey)" in said


async def test_an_offer_that_nothing_proves_binds_no_key(server: Server, computer: Make) -> None:
    """Whoever holds a code could otherwise enrol a public key that is not theirs."""
    victim, user = computer(), await server.invite()
    peer = Peer(server.roster, Tunnels(), Gate(), server.clock, set())
    assert await peer.begin_auth(user)
    assert peer.validate_public_key(user, asyncssh.import_public_key(victim.public_key))
    assert await server.roster.key_of(endpoint().node) is None
    assert CODE in user
