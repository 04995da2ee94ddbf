from __future__ import annotations

import asyncio
import gc
import threading
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from halext.testing.server import Exchange, Greeting, HttpServer, in_thread


async def echo(exchange: Exchange) -> None:
    request = exchange.request
    text = f"{request.method} {request.path} {dict(request.query)} ".encode() + request.body
    await exchange.send(200, text, content_type="text/plain")


@asynccontextmanager
async def wire(server: HttpServer) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def read_answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return head + await reader.readexactly(length)


async def test_one_connection_serves_many_requests_in_any_framing() -> None:
    async with HttpServer(echo) as server, wire(server) as (reader, writer):
        writer.write(b"POST /a%20b?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")
        assert (await read_answer(reader)).endswith(b"POST /a b {'x': '1'} abc")
        chunked = b"POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(chunked + b"2;ext=1\r\nab\r\n1\r\nc\r\n0\r\nTrailer: x\r\n\r\n")
        assert (await read_answer(reader)).endswith(b"POST /c {} abc")
        writer.write(b"GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n")  # pipelined
        assert b"/1" in await read_answer(reader)
        assert b"/2" in await read_answer(reader)
        assert server.open_connections == 1


async def test_a_client_that_waits_for_leave_to_send_its_body_gets_it() -> None:
    async with HttpServer(echo) as server, wire(server) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"ok")
        assert (await read_answer(reader)).endswith(b"ok")


@pytest.mark.parametrize(
    "request_bytes", [b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n"], ids=["close", "1.0"]
)
async def test_the_server_hangs_up_where_that_is_the_rule(request_bytes: bytes) -> None:
    async with HttpServer(echo) as server, wire(server) as (reader, writer):
        writer.write(request_bytes)
        assert b"Connection: close" in await reader.read()


async def test_an_old_client_gets_a_stream_without_chunks() -> None:
    async def pieces(exchange: Exchange) -> None:
        await exchange.begin(content_type="text/plain")
        await exchange.write(b"one ")
        await exchange.write(b"")
        await exchange.write(b"two")
        await exchange.end()

    async with HttpServer(pieces) as server, wire(server) as (reader, writer):
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        answer = await reader.read()
        assert answer.endswith(b"\r\n\r\none two")
        assert b"chunked" not in answer
        async with httpx.AsyncClient(verify=False) as client:
            assert (await client.get(server.url)).text == "one two"


@pytest.mark.parametrize("nonsense", [b"hello\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n"])
async def test_what_is_no_http_is_refused(nonsense: bytes) -> None:
    async with HttpServer(echo) as server, wire(server) as (reader, writer):
        writer.write(nonsense)
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")


async def test_a_head_request_gets_no_body() -> None:
    async with HttpServer(echo) as server, httpx.AsyncClient(verify=False) as client:
        answer = await client.head(f"{server.url}/x")
        assert answer.content == b""
        assert answer.headers["content-length"] == str(len("HEAD /x {} "))


async def test_a_handler_is_cancelled_as_soon_as_its_client_leaves() -> None:
    left = asyncio.Event()

    async def endless(exchange: Exchange) -> None:
        await exchange.begin()
        try:
            await asyncio.Event().wait()
        finally:
            left.set()

    async with HttpServer(endless) as server:
        async with wire(server) as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            assert not left.is_set()
        await asyncio.wait_for(left.wait(), 5)


async def test_a_slow_reader_holds_up_the_writer() -> None:
    held_up = asyncio.Event()

    async def much(exchange: Exchange) -> None:
        await exchange.begin()
        for _ in range(1000):  # far more than the buffers of both sockets take
            try:
                await asyncio.wait_for(exchange.write(b"x" * 65536), 0.1)
            except TimeoutError:
                held_up.set()
                return

    async with HttpServer(much) as server, wire(server) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.wait_for(held_up.wait(), 5)


async def test_an_aborted_answer_reaches_the_client_as_a_reset() -> None:
    async def cut(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.write_half(b"0123456789")
        exchange.abort()

    async with HttpServer(cut) as server, wire(server) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert (await reader.readuntil(b"01234")).endswith(b"\r\n\r\na\r\n01234")
        with pytest.raises(ConnectionResetError):
            await reader.read()


async def test_nothing_can_be_written_after_an_abort() -> None:
    ended: list[type[BaseException]] = []

    async def cut(exchange: Exchange) -> None:
        exchange.abort()
        try:
            await exchange.send(200)
        except ConnectionResetError as error:
            ended.append(type(error))
            raise

    async with HttpServer(cut) as server, wire(server) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            await reader.read()
    assert ended == [ConnectionResetError]


async def test_a_power_cut_resets_everyone_and_the_same_port_comes_back() -> None:
    async def wait(exchange: Exchange) -> None:
        await exchange.begin()
        await asyncio.Event().wait()

    server = HttpServer(wait)
    await server.start()
    port = server.port
    reader, writer = await asyncio.open_connection(server.host, port)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    await server.kill()
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(server.host, port)
    await server.kill()  # twice is once
    server.handler = echo
    await server.start()
    assert server.port == port
    async with httpx.AsyncClient(verify=False) as client:
        assert (await client.get(server.url)).status_code == 200
    await server.close()


async def test_a_taken_port_is_told() -> None:
    async with HttpServer(echo) as server:
        with pytest.raises(OSError, match="address already in use"):
            await HttpServer(echo, port=server.port).start()


@pytest.mark.parametrize("greeting", ["reset", "silent"])
async def test_a_connection_can_be_met_rudely(greeting: Greeting) -> None:
    async with HttpServer(echo, greet=lambda: greeting) as server, wire(server) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        if greeting == "reset":
            with pytest.raises(ConnectionResetError):
                await reader.read()
        else:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(), 0.05)


async def test_a_bug_in_a_handler_comes_out_at_the_end() -> None:
    async def broken(exchange: Exchange) -> None:
        raise KeyError("a bug")

    server = HttpServer(broken)
    await server.start()
    async with httpx.AsyncClient(verify=False) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(server.url)
    with pytest.raises(KeyError, match="a bug"):
        await server.close()


async def test_a_hundred_streams_run_side_by_side_and_nothing_stays_behind() -> None:
    together = asyncio.Barrier(100)

    async def meet(exchange: Exchange) -> None:
        await exchange.begin()
        await together.wait()
        await exchange.write(b"met")
        await exchange.end()

    async with HttpServer(meet) as server:
        limits = httpx.Limits(max_connections=100)
        async with httpx.AsyncClient(limits=limits, timeout=20, verify=False) as client:
            answers = await asyncio.gather(*(client.get(server.url) for _ in range(100)))
        assert {answer.text for answer in answers} == {"met"}
    assert asyncio.all_tasks() == {asyncio.current_task()}
    gc.collect()  # an unclosed socket would warn, and warnings are errors


def test_a_server_runs_in_a_thread_for_those_who_are_not_async() -> None:
    before = threading.active_count()
    with in_thread(HttpServer(echo)) as server, urllib.request.urlopen(f"{server.url}/x", timeout=5) as answer:
        assert answer.read() == b"GET /x {} "
    assert threading.active_count() == before
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(server.url, timeout=5)
