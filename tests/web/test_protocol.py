"""Clients that are slow on purpose: cut off, while everyone else is served."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest

from halext.messages import ChatChunk
from halext_web import protocol

if TYPE_CHECKING:
    from tests.web.conftest import House

PATIENCE_S = 10.0


@asynccontextmanager
async def line(house: House) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    where = urlsplit(house.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def is_cut(reader: asyncio.StreamReader) -> bool:
    """Whether the other end hangs up without a word."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await reader.read() == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("beginning", [b"", b"G", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: "])
async def test_a_head_that_never_ends(house: House, monkeypatch: pytest.MonkeyPatch, beginning: bytes) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 0.1)
    async with line(house) as (reader, writer):
        writer.write(beginning)
        assert await is_cut(reader)


async def test_the_second_head_on_a_kept_connection_never_ends(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 0.2)
    async with line(house) as (reader, writer):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"ok\n")
        writer.write(b"GET /hea")
        assert await is_cut(reader)


async def test_a_connection_that_is_only_kept_open_is_left_alone(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 0.05)
    request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    async with line(house) as (reader, writer):
        writer.write(request)
        await reader.readuntil(b"ok\n")
        await asyncio.sleep(0.2)  # much longer than a head may take
        writer.write(request)
        async with asyncio.timeout(PATIENCE_S):
            await reader.readuntil(b"ok\n")


async def test_a_head_without_bounds(house: House) -> None:
    async def pour(writer: asyncio.StreamWriter) -> None:
        for number in range(100_000):
            writer.write(f"X-{number}: {'y' * 1000}\r\n".encode())
            await writer.drain()

    async with line(house) as (_, writer):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(pour(writer), PATIENCE_S)


async def test_a_body_that_goes_on_after_its_refusal(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "REST_S", 0.1)
    async with line(house) as (reader, writer):
        writer.write(b"POST /hx/session HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\nx")
        async with asyncio.timeout(PATIENCE_S):
            assert b" 413 " in await reader.readline()
            await reader.readuntil(b'"too_large"')
            await reader.read()  # the rest, and then the end
        assert reader.at_eof()


async def test_who_never_reads_frees_the_node(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "STALL_S", 0.2)
    house.script.answer = [ChatChunk(text="x" * 1_000_000) for _ in range(100)]
    body = b'{"model":"llama3.2:3b","messages":[{"role":"user","content":"Hi"}]}'
    head = f"POST /api/chat HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {house.token}\r\n"
    async with line(house) as (reader, writer):
        reader._transport.pause_reading()  # type: ignore[attr-defined]  # there is no public way not to read
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        async with asyncio.timeout(PATIENCE_S):
            await house.script.closed.wait()
    (state,) = house.app.registry.states()
    assert house.app.gateway.in_flight(state.endpoint.id) == 0


async def test_a_slow_reader_gets_all_of_it(house: House, member: httpx.AsyncClient) -> None:
    house.script.answer = [*(ChatChunk(text="x" * 100_000) for _ in range(20)), *house.script.answer]
    body = {"model": "llama3.2:3b", "messages": [{"role": "user", "content": "Hi"}]}
    size = 0
    async with member.stream("POST", "/api/chat", json=body) as answer:
        async for text in answer.aiter_text():
            size += text.count("x")
            await asyncio.sleep(0)
    assert size >= 2_000_000


async def answer_to(house: House, request: bytes) -> bytes:
    """Everything that comes back until the connection ends."""
    async with line(house) as (reader, writer):
        writer.write(request)
        async with asyncio.timeout(PATIENCE_S):
            return await reader.read()


PIPELINED = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


async def test_a_second_request_before_the_first_is_answered_ends_both(house: House) -> None:
    answer = await answer_to(house, PIPELINED * 3)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"Content-Length: 5\r\nContent-Length: 5\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: 5, 5\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 0x5\r\n",
        b"Content-Length: 99999999999999999999999\r\n",
        b"Transfer-Encoding: identity\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: chunked, chunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b" Folded: x\r\n",
        b"X: a\rb\r\n",
        b"X: a\0b\r\n",
    ],
)
async def test_a_body_whose_end_two_servers_could_see_in_two_places(house: House, lines: bytes) -> None:
    head = b"POST /hx/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    smuggled = b"5\r\nhello\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = await answer_to(house, head + lines + b"\r\n" + smuggled)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"ok\n" not in answer


async def test_an_answer_that_is_not_read_to_its_end_is_dropped(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "STALL_S", 0.2)
    house.script.answer = [ChatChunk(text="x" * 20_000) for _ in range(300)] + list(house.script.answer)
    body = b'{"model":"llama3.2:3b","stream":false,"messages":[{"role":"user","content":"Hi"}]}'
    head = f"POST /api/chat HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {house.token}\r\n"
    async with line(house) as (reader, writer):
        reader._transport.pause_reading()  # type: ignore[attr-defined]  # there is no public way not to read
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await house.script.closed.wait()
        await asyncio.sleep(0.5)  # the time that it has, and some more
        reader._transport.resume_reading()  # type: ignore[attr-defined]
        async with asyncio.timeout(PATIENCE_S):
            try:
                got = await reader.read()
            except ConnectionResetError:
                got = b""
    assert len(got) < 6_000_000
