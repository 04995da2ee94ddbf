"""Attack 3: a node's name leads to another address than the one that was looked at when it was added."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from halext.errors import InvalidInput, Unreachable
from halext.types import EndpointId, NodeName
from halext.upstream import Endpoint
from halext.upstreams.http import Door, pin

from .conftest import Sentinel

THERE = "127.0.0.2"
"""Where the node is. The sentinel is at 127.0.0.1, on the same port."""
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n%s\r\n{}"


@asynccontextmanager
async def node(port: int, *, keeps: bool) -> AsyncIterator[list[bytes]]:
    """A node that closes each connection after its answer, or keeps it; yields what it heard."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                heads.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(OK % (b"" if keeps else b"Connection: close\r\n"))
                await writer.drain()
                if not keeps:
                    break
        except (OSError, asyncio.IncompleteReadError):
            pass
        writer.close()

    server = await asyncio.start_server(serve, THERE, port)
    try:
        yield heads
    finally:
        server.close()


class Resolver:
    """Says one answer after the other, as a name server with a time to live of 0 can; the last one for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, _host: str, _port: int) -> list[str]:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def at(port: int) -> Endpoint:
    return Endpoint(EndpointId("mac"), NodeName("mac"), "ollama", f"http://mac.lan:{port}", cidrs=(f"{THERE}/32",))


async def ask(door: Door, port: int) -> bytes:
    return (await door.request(at(port), "GET", "/api/tags")).body


async def test_a_name_that_changes_between_two_connections(sentinel: Sentinel) -> None:
    resolve = Resolver([THERE], ["127.0.0.1"])
    async with node(sentinel.port, keeps=False) as heads:
        door = Door(resolve=resolve)
        assert await ask(door, sentinel.port) == b"{}"
        for _ in range(3):
            with pytest.raises(Unreachable, match="outside the networks"):
                await ask(door, sentinel.port)
        await door.aclose()
    assert (len(heads), resolve.asked) == (1, 4)  # asked at each connect: nothing is remembered
    assert sentinel.heard == []


async def test_a_name_that_changes_between_the_check_and_the_connection(sentinel: Sentinel) -> None:
    """There is no second look-up to lie to: what was judged is what is connected to."""
    resolve = Resolver([THERE], [THERE], ["127.0.0.1"])
    async with node(sentinel.port, keeps=False) as heads:
        assert await pin("mac.lan", sentinel.port, resolve=resolve) == (f"{THERE}/32",)
        door = Door(resolve=resolve)
        assert await ask(door, sentinel.port) == b"{}"
        await door.aclose()
    assert (len(heads), resolve.asked) == (1, 2)
    assert sentinel.heard == []


async def test_a_kept_connection_goes_on_where_it_is_and_a_new_one_is_judged(sentinel: Sentinel) -> None:
    resolve = Resolver([THERE], ["127.0.0.1"])
    async with node(sentinel.port, keeps=True) as heads:
        door = Door(resolve=resolve)
        assert [await ask(door, sentinel.port) for _ in range(3)] == [b"{}"] * 3
        assert (len(heads), resolve.asked) == (3, 1)
        await door.forget(EndpointId("mac"))
        with pytest.raises(Unreachable, match="outside the networks"):
            await ask(door, sentinel.port)
        await door.aclose()
    assert sentinel.heard == []


@pytest.mark.parametrize(
    "wrong",
    [
        "127.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:7f00:1",
        "169.254.169.254",
        "fd00:ec2::254",
        "0.0.0.0",
        "mac.lan",
        "",
    ],
)
@pytest.mark.parametrize("order", [lambda mine, bad: [mine, bad], lambda mine, bad: [bad, mine]], ids=["last", "first"])
async def test_one_wrong_answer_refuses_all_of_them(
    sentinel: Sentinel, wrong: str, order: Callable[[str, str], list[str]]
) -> None:
    async with node(sentinel.port, keeps=False) as heads:
        door = Door(resolve=Resolver(order(THERE, wrong)))
        with pytest.raises(Unreachable, match="may not be contacted"):
            await ask(door, sentinel.port)
        await door.aclose()
    assert (heads, sentinel.heard) == ([], [])


@pytest.mark.parametrize("answers", [["169.254.169.254"], [THERE, "fd00:ec2::254"], ["::ffff:169.254.169.254"]])
async def test_a_name_is_judged_when_it_is_added_too(answers: list[str]) -> None:
    with pytest.raises(InvalidInput, match="can't be a node"):
        await pin("mac.lan", 80, resolve=Resolver(answers))
