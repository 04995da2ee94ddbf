"""The outbound door through channels that are made of two queues."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from halext.errors import BadAnswer, TimedOut, Unreachable
from halext.types import EndpointId, NodeName
from halext.upstream import Channel, Endpoint, Receiver
from halext.upstreams.channel import ChannelTransport
from halext.upstreams.http import Deadlines, Door

MAC = Endpoint(EndpointId("mac"), NodeName("mac"), "ollama", "http://mac.internal:11434", via="tunnel")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class FakeChannel:
    """A channel whose far side is the test."""

    def __init__(self, receiver: Receiver, says: bytes = b"") -> None:
        self.receiver = receiver
        self.says = says
        self.sent = b""
        self.ended = ""
        self.is_paused = False

    def write(self, data: bytes, /) -> None:
        self.sent += data
        if self.says and b"\r\n\r\n" in data:
            asyncio.get_running_loop().call_soon(self.receiver.data_received, self.says)

    def get_write_buffer_size(self) -> int:
        return 7

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def close(self) -> None:
        self.ended = "closed"

    def abort(self) -> None:
        self.ended = "aborted"


class Far:
    """Opens channels that answer with the same bytes each time."""

    def __init__(self) -> None:
        self.says = ANSWER
        self.channels: list[FakeChannel] = []
        self.failure: Exception | None = None

    async def __call__(self, endpoint: Endpoint, receiver: Receiver, /) -> Channel:
        assert endpoint is MAC
        if self.failure:
            raise self.failure
        self.channels.append(FakeChannel(receiver, self.says))
        return self.channels[-1]


@pytest.fixture
def far() -> Far:
    return Far()


@pytest.fixture
async def door(far: Far) -> AsyncIterator[Door]:
    async def never(host: str, port: int) -> list[str]:
        raise AssertionError(f"{host}:{port} was looked up")

    door = Door(open_channel=far, resolve=never)
    yield door
    await door.aclose()


async def test_requests_go_through_one_channel_and_no_address_is_looked_up(door: Door, far: Far) -> None:
    for _ in range(2):
        assert (await door.request(MAC, "GET", "/api/tags")).body == b"{}"
    (channel,) = far.channels
    assert channel.sent.count(b"GET /api/tags HTTP/1.1\r\n") == 2
    assert channel.sent.count(b"Host: mac.internal:11434\r\n") == 2


async def test_a_channel_that_ended_while_idle_is_not_used_again(door: Door, far: Far) -> None:
    await door.request(MAC, "GET", "/api/tags")
    far.channels[0].receiver.eof_received()
    await door.request(MAC, "GET", "/api/tags")
    assert [channel.ended for channel in far.channels] == ["closed", ""]


async def test_what_the_tunnel_says_is_passed_on(door: Door, far: Far) -> None:
    far.failure = Unreachable("mac is not dialled in.")
    with pytest.raises(Unreachable, match="not dialled in"):
        await door.request(MAC, "GET", "/api/tags")


async def test_a_door_without_tunnels() -> None:
    async with aclosing(Door()) as door:
        with pytest.raises(Unreachable, match="nothing here receives tunnels"):
            await door.request(MAC, "GET", "/api/tags")


async def test_a_line_that_breaks_in_the_middle(door: Door, far: Far) -> None:
    far.says = ANSWER[:-1]
    async with door.stream(MAC, "POST", "/api/chat", json=b"{}") as stream:
        far.channels[0].receiver.connection_lost(ConnectionResetError())
        with pytest.raises(Unreachable, match="before its answer was whole"):
            await stream.read()


async def test_leaving_early_closes_the_channel(door: Door, far: Far) -> None:
    far.says = ANSWER[:-1]
    async with door.stream(MAC, "POST", "/api/chat", json=b"{}"):
        pass
    assert far.channels[0].ended


async def test_a_far_side_that_says_nothing(door: Door, far: Far) -> None:
    far.says = b""
    with pytest.raises(TimedOut):
        await door.request(MAC, "GET", "/api/tags", deadlines=Deadlines(first_byte_s=0.01))
    assert far.channels[0].ended


async def test_a_body_that_nobody_reads_is_held_back(door: Door, far: Far) -> None:
    far.says = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + bytes(500_000)
    async with door.stream(MAC, "POST", "/api/chat", json=b"{}") as stream:
        (channel,) = far.channels
        assert channel.is_paused
        async for _ in stream.chunks():
            break
        assert not channel.is_paused


async def test_a_redirect_is_refused_here_too(door: Door, far: Far) -> None:
    far.says = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n"
    with pytest.raises(BadAnswer, match="redirect refused"):
        await door.request(MAC, "GET", "/api/tags")


class Heard(asyncio.Protocol):
    """A protocol that counts its ends."""

    def __init__(self) -> None:
        self.ends: list[Exception | None] = []
        self.data = b""

    def data_received(self, data: bytes) -> None:
        self.data += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.ends.append(exc)


@pytest.mark.parametrize("way", ["close", "abort"])
async def test_an_end_is_told_once_and_at_once(way: str) -> None:
    heard = Heard()
    transport = ChannelTransport(heard)
    channel = FakeChannel(transport)
    transport.start(channel)
    transport.data_received(b"x")
    getattr(transport, way)()
    assert transport.is_closing()
    assert heard.ends == []
    await asyncio.sleep(0)
    assert heard.ends == [None]
    transport.close()
    transport.data_received(b"late")
    transport.eof_received()
    transport.connection_lost(OSError())
    transport.write(b"late")
    await asyncio.sleep(0)
    assert (heard.ends, heard.data, channel.sent) == ([None], b"x", b"")
    assert transport.get_write_buffer_size() == 7
