"""Attack 33: hold connections and nodes by being slow: heads and bodies that never end, answers that nobody reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from halext.messages import ChatChunk
from halext_web import protocol, visit
from halext_web.gate import Gate

if TYPE_CHECKING:
    from tests.web.conftest import House, OpenHouse

PATIENCE_S = 20.0
Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def lines(house: House, count: int, said: bytes) -> AsyncIterator[list[Line]]:
    """So many clients that have said this."""
    where = urlsplit(house.url)
    opened = [await asyncio.open_connection(where.hostname, where.port) for _ in range(count)]
    try:
        for _, writer in opened:
            writer.write(said)
        yield opened
    finally:
        for _, writer in opened:
            writer.transport.abort()


async def ended(opened: list[Line]) -> list[bytes]:
    """What each heard until the other end hung up."""

    async def one(reader: asyncio.StreamReader) -> bytes:
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""

    async with asyncio.timeout(PATIENCE_S):
        return list(await asyncio.gather(*(one(reader) for reader, _ in opened)))


@pytest.fixture
async def hasty(open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch) -> tuple[House, Gate]:
    """A house with little patience, and its gate."""
    monkeypatch.setattr(protocol, "HEAD_S", 0.3)
    monkeypatch.setattr(protocol, "STALL_S", 0.3)
    monkeypatch.setattr(visit, "BODY_GAP_S", 0.3)
    gates: list[Gate] = []
    made = Gate.of

    def keep(settings: object) -> Gate:
        gates.append(made(settings))  # type: ignore[arg-type]
        return gates[-1]

    monkeypatch.setattr(Gate, "of", keep)
    return await open_house(), gates[0]


async def test_slow_heads_are_cut_while_others_are_served(hasty: tuple[House, Gate]) -> None:
    house, gate = hasty
    async with lines(house, 100, b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ") as slow, house.client() as member:
        waiting = asyncio.get_running_loop().create_task(ended(slow))
        while not waiting.done():
            assert (await member.get("/hx/me")).status_code == 200
        assert waiting.result() == [b""] * 100
    assert gate.open.total() <= 1


async def test_slow_bodies_are_told_and_cut(hasty: tuple[House, Gate]) -> None:
    house, _ = hasty
    head = f"POST /api/chat HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {house.token}\r\nContent-Length: 900\r\n\r\n"
    async with lines(house, 40, head.encode() + b'{"model":') as slow, house.client() as member:
        waiting = asyncio.gather(*(reader.readline() for reader, _ in slow))
        while not waiting.done():
            assert (await member.get("/hx/me")).status_code == 200
        assert {line.split()[1] for line in waiting.result()} == {b"400"}
    assert house.script.requests == []


async def test_streams_that_nobody_reads_give_the_node_back(hasty: tuple[House, Gate]) -> None:
    house, _ = hasty
    house.script.answer = [ChatChunk(text="x" * 1_000_000) for _ in range(100)]
    body = b'{"model":"llama3.2:3b","messages":[{"role":"user","content":"Hi"}]}'
    head = f"POST /api/chat HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {house.token}\r\n"
    said = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    (state,) = house.app.registry.states()
    slots = state.endpoint.slots or 0
    assert slots
    async with lines(house, slots, b"") as deaf, house.client() as member:
        for reader, writer in deaf:
            reader._transport.pause_reading()  # type: ignore[attr-defined]  # there is no public way not to read
            writer.write(said)
        async with asyncio.timeout(PATIENCE_S):
            await house.script.closed.wait()
            while house.app.gateway.in_flight(state.endpoint.id):
                await member.get("/hx/me")
        assert len(house.script.requests) == slots
    house.script.say("free")
    async with house.client() as member:
        answer = await member.post("/api/chat", content=body)
        assert "free" in answer.text
