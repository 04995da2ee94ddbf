"""Dialling in with the real ssh client: who gets in, and how the tunnel carries."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from halext.errors import Interrupted, PortInUse, Unreachable
from halext.hosts.llama import free_port
from halext.messages import ChatChunk, ChatRequest, Message
from halext.runtime.clock import SystemClock
from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama
from halext.tunnel.gate import Gate
from halext.tunnel.server import listening
from halext.types import ModelName
from halext.upstreams.ollama import OllamaDriver

from .conftest import CODE, PATIENCE_S, Computer, Server, endpoint, port_of

Start = Callable[..., Awaitable[FakeOllama]]
Make = Callable[..., Computer]
MODEL = "llama3.2:3b"
SCRIPT = tuple(f" w{i}" for i in range(20))
QUESTION = ChatRequest(ModelName(MODEL), (Message("user", "go"),))


def computer_model() -> FakeModel:
    return FakeModel(MODEL, script=SCRIPT)


async def ask(server: Server, name: str = "mac") -> str:
    return await text_of(OllamaDriver(server.door).generate(endpoint(name), QUESTION))


async def text_of(answer: AsyncIterator[ChatChunk]) -> str:
    return "".join([chunk.text async for chunk in answer])


async def test_joining_with_a_code_and_dialling_in_with_the_key(
    server: Server, computer: Make, fake_ollama: Start, caplog: pytest.LogCaptureFixture
) -> None:
    fake, mac = await fake_ollama([computer_model()]), computer()
    with caplog.at_level(logging.DEBUG):
        first = await mac.dial(await server.invite(), fake)
        await server.watch.up()
    assert await ask(server) == "".join(SCRIPT)
    assert await server.roster.key_of(endpoint().node) == mac.public_key
    assert CODE not in caplog.text
    first.terminate()
    await server.watch.down()
    await mac.dial("mac", fake)
    await server.watch.up()
    assert await ask(server) == "".join(SCRIPT)


async def test_a_code_works_once(server: Server, computer: Make, fake_ollama: Start) -> None:
    fake, mac, thief = await fake_ollama([MODEL]), computer(), computer("thief")
    user = await server.invite()
    await mac.dial(user, fake)
    await server.watch.up()
    assert "Permission denied" in await thief.refused(user, "-N", "-R", f"127.0.0.1:11434:127.0.0.1:{port_of(fake)}")
    assert "Permission denied" in await mac.refused(user, "-N", "-R", f"127.0.0.1:11434:127.0.0.1:{port_of(fake)}")
    assert await server.roster.key_of(endpoint().node) == mac.public_key
    assert server.watch.told == [("mac", True)]


async def test_the_newest_call_with_the_same_key_wins(server: Server, computer: Make, fake_ollama: Start) -> None:
    old, new, mac = await fake_ollama([MODEL]), await fake_ollama([computer_model()]), computer()
    first = await mac.dial(await server.invite(), old)
    await server.watch.up()
    await mac.dial("mac", new)
    async with asyncio.timeout(PATIENCE_S):
        assert await first.wait() != 0
    assert await ask(server) == "".join(SCRIPT)
    assert server.watch.told == [("mac", True), ("mac", True)], "it was never gone"


async def test_another_key_never_takes_over(server: Server, computer: Make, fake_ollama: Start) -> None:
    fake, mac, pc, stranger = await fake_ollama([computer_model()]), computer(), computer("pc"), computer("stranger")
    await mac.dial(await server.invite(), fake)
    await server.watch.up()
    await pc.dial(await server.invite("pc", "f" * 32), fake)
    await server.watch.up("pc")
    for other in (pc, stranger):
        assert "Permission denied" in await other.refused("mac", "-N", "-R", "127.0.0.1:11434:127.0.0.1:1")
    assert await ask(server) == "".join(SCRIPT)


async def test_one_key_is_one_node(server: Server, computer: Make) -> None:
    mac = computer()
    await mac.dial(await server.invite(), 1)
    await server.watch.up()
    await mac.refused(await server.invite("pc", "f" * 32), "-N", "-R", "127.0.0.1:11434:127.0.0.1:1")
    assert await server.roster.key_of(endpoint("pc").node) is None


async def test_ssh_killed_in_the_middle_of_an_answer(server: Server, computer: Make, fake_ollama: Start) -> None:
    fake, mac = await fake_ollama([computer_model()]), computer()
    fake.faults.at(3, "stall")
    ssh = await mac.dial(await server.invite(), fake)
    await server.watch.up()
    answer = OllamaDriver(server.door).generate(endpoint(), QUESTION)
    assert (await anext(answer)).text
    ssh.kill()
    with pytest.raises(Interrupted, match="closed the connection"):
        await text_of(answer)
    with pytest.raises(Unreachable, match="tunnel is down"):
        await ask(server)


async def test_ollama_down_behind_a_tunnel_that_is_up(server: Server, computer: Make) -> None:
    await computer().dial(await server.invite(), free_port())
    await server.watch.up()
    with pytest.raises(Unreachable, match="is dialled in, but nothing answers on its port 11434"):
        await ask(server)


async def test_leaving_an_answer_stops_the_work(server: Server, computer: Make, fake_ollama: Start) -> None:
    fake = await fake_ollama([computer_model()])
    fake.faults.at(2, "stall")
    await computer().dial(await server.invite(), fake)
    await server.watch.up()
    answer = OllamaDriver(server.door).generate(endpoint(), QUESTION)
    await anext(answer)
    await answer.aclose()
    await fake.timeline.wait_for("cancelled", timeout_s=PATIENCE_S)


async def test_connections_are_used_again(server: Server, computer: Make, fake_ollama: Start) -> None:
    fake = await fake_ollama([computer_model()])
    await computer().dial(await server.invite(), fake)
    await server.watch.up()
    for _ in range(3):
        assert await ask(server) == "".join(SCRIPT)
    assert fake.open_connections == 1


@pytest.mark.parametrize("server", [Gate(per_address=64)], indirect=True)
async def test_twenty_at_once(server: Server, computer: Make, fake_ollama: Start) -> None:
    fake = await fake_ollama([computer_model()], slots=20)
    names = [f"pc-{number}" for number in range(20)]
    for number, name in enumerate(names):
        await computer(name).dial(await server.invite(name, f"{number:032x}"), fake)
    await asyncio.gather(*(server.watch.up(name) for name in names))
    assert await asyncio.gather(*(ask(server, name) for name in names)) == ["".join(SCRIPT)] * 20


async def test_a_port_that_is_taken(server: Server) -> None:
    with pytest.raises(PortInUse, match="HALEXT_TUNNEL_PORT"):
        async with listening(
            "127.0.0.1", server.port, server.key, roster=server.roster, tunnels=server.tunnels, clock=SystemClock()
        ):
            pass


@pytest.mark.parametrize("server", [Gate(per_address=2)], indirect=True)
async def test_silent_connections_are_few(server: Server) -> None:
    silent = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(2)]
    for reader, _ in silent:
        assert (await reader.readline()).startswith(b"SSH-2.0-")
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    async with asyncio.timeout(PATIENCE_S):
        assert await reader.read() == b""
    for _, one in [*silent, (reader, writer)]:
        one.close()
        await one.wait_closed()
