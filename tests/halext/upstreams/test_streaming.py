from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from typing import Literal

import pytest

from halext.dialects.ollama import node
from halext.errors import BadAnswer, HalextError, Interrupted, RateLimited, TimedOut, Unreachable, UpstreamError
from halext.messages import ChatChunk, Done
from halext.testing.server import Exchange, HttpServer
from halext.types import EndpointId, NodeName
from halext.upstream import Endpoint
from halext.upstreams.http import Answer, Door
from halext.upstreams.streaming import at, body_of, naming, stream_answer, together

MAC = Endpoint(EndpointId("mac/ollama"), NodeName("mac"), "ollama", "http://mac:11434", cidrs=("127.0.0.0/8",))
DONE = ChatChunk(done=Done())


def on(server: HttpServer) -> Endpoint:
    return Endpoint(MAC.id, MAC.node, MAC.kind, server.url, MAC.cidrs)


async def test_a_busy_node_says_when_to_come_back(door: Door) -> None:
    async def busy(exchange: Exchange) -> None:
        await exchange.send(503, b'{"error":"server busy"}', headers={"Retry-After": "7"})

    async with HttpServer(busy) as server:
        with pytest.raises(RateLimited) as caught:
            await anext(stream_answer(door, on(server), "/api/chat", b"{}", node.AnswerReader()))
    assert caught.value.retry_after_s == 7.0
    assert (caught.value.node, caught.value.endpoint, caught.value.began) == ("mac", "mac/ollama", False)


async def test_the_caller_may_read_refusals_in_another_way(door: Door) -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.send(418, b"no", headers={"Retry-After": "1"})

    def refusal(status: int, body: bytes, retry_after: str | None) -> HalextError:
        return HalextError(f"{status} {body.decode()} {retry_after}")

    async with HttpServer(refuse) as server:
        stream = stream_answer(door, on(server), "/api/chat", b"{}", node.AnswerReader(), refusal=refusal)
        with pytest.raises(HalextError, match="418 no 1"):
            await anext(stream)


async def test_the_pieces_before_an_error_in_the_same_write_are_handed_out(door: Door) -> None:
    async def break_off(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.write(b'{"response":"a"}\n{"error":"unexpected EOF"}\n')
        await exchange.end()

    async with HttpServer(break_off) as server:
        stream = stream_answer(door, on(server), "/api/generate", b"{}", node.AnswerReader())
        assert (await anext(stream)).text == "a"
        with pytest.raises(Interrupted, match=r"mac stopped in the middle.*unexpected EOF"):
            await anext(stream)


async def test_the_connection_serves_the_next_answer_too(door: Door) -> None:
    greeted = 0

    async def answer(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.write(b'{"response":"a"}\n')
        await exchange.write(b'{"done":true}\n')
        await exchange.end()

    def greet() -> Literal["serve"]:
        nonlocal greeted
        greeted += 1
        return "serve"

    async with HttpServer(answer, greet=greet) as server:
        for _ in range(5):
            stream = stream_answer(door, on(server), "/api/generate", b"{}", node.AnswerReader())
            async with aclosing(stream) as chunks:
                assert [await anext(chunks), await anext(chunks)] == [ChatChunk("a"), DONE]
    assert greeted == 1


class Scripted:
    """A reader that knows what it will say."""

    def feed(self, data: bytes) -> Iterator[ChatChunk]:
        yield ChatChunk(data.decode())

    def close(self) -> Iterator[ChatChunk]:
        yield DONE


async def test_a_reader_may_find_the_end_when_the_stream_closes(door: Door) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.write(b"a")
        await exchange.end()

    async with HttpServer(answer) as server:
        found = [chunk async for chunk in stream_answer(door, on(server), "/api/chat", b"{}", Scripted())]
    assert found == [ChatChunk("a"), DONE]


@pytest.mark.parametrize(
    ("error", "began", "kind"),
    [
        (Unreachable("gone"), False, Unreachable),
        (Unreachable("gone"), True, Interrupted),
        (RateLimited("busy", retry_after_s=3.0), True, Interrupted),
        (Interrupted("cut"), True, Interrupted),
    ],
)
def test_an_error_is_placed(error: UpstreamError, *, began: bool, kind: type[UpstreamError]) -> None:
    placed = at(MAC, error, began=began)
    assert (type(placed), placed.node, placed.endpoint, placed.began) == (kind, "mac", "mac/ollama", began)
    assert error.message in placed.message
    assert placed.retry_after_s == error.retry_after_s


def test_naming_names_node_errors_only() -> None:
    with pytest.raises(BadAnswer) as caught, naming(MAC):
        raise BadAnswer
    assert (caught.value.node, caught.value.endpoint) == ("mac", "mac/ollama")
    with pytest.raises(ValueError, match="ours"), naming(MAC):
        raise ValueError("ours")


def test_body_of() -> None:
    assert body_of(Answer(200, {}, b"x")) == b"x"
    with pytest.raises(RateLimited) as caught:
        body_of(Answer(429, {"retry-after": "5"}, b""))
    assert caught.value.retry_after_s == 5.0
    with pytest.raises(BadAnswer):
        body_of(Answer(400, {}, b'{"error":"out of memory"}'), embedding=True)


async def test_together_hands_back_results_in_order() -> None:
    second_ran = asyncio.Event()

    async def first() -> str:
        await second_ran.wait()
        return "first"

    async def second() -> str:
        second_ran.set()
        return "second"

    assert await together(first(), second()) == ["first", "second"]


async def test_the_first_failure_ends_the_others_and_keeps_its_cause() -> None:
    ended = asyncio.Event()

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def fail() -> None:
        raise TimedOut("too late") from OSError("refused")

    with pytest.raises(TimedOut, match="too late") as caught:
        await together(wait(), fail())
    assert isinstance(caught.value.__cause__, OSError)
    assert ended.is_set()
