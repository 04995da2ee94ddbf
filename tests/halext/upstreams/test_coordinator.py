from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from halext.errors import (
    AllBusy,
    BadAnswer,
    Forbidden,
    HalextError,
    Interrupted,
    KeyRefused,
    NoNodeHasModel,
    RateLimited,
    Unauthenticated,
    UnknownModel,
    Unreachable,
)
from halext.messages import ChatChunk, ChatRequest, CompletionRequest, Done, EmbedRequest, Message
from halext.testing.server import Exchange, HttpServer
from halext.types import EndpointId, ModelName, NodeName, SecretRef
from halext.upstream import Endpoint
from halext.upstreams.coordinator import Coordinator, parse_error
from halext.upstreams.http import Door

MODEL = ModelName("llama3.2:3b")
ASKED = ChatRequest(MODEL, (Message("user", "hello"),))
Handler = Callable[[Exchange], Awaitable[None]]


async def reveal(_: SecretRef) -> Mapping[str, str]:
    return {"authorization": "Bearer hx_token"}


@asynccontextmanager
async def talking_to(handler: Handler) -> AsyncIterator[Coordinator]:
    door = Door(reveal=reveal)
    async with HttpServer(handler) as server:
        try:
            yield Coordinator(
                door,
                Endpoint(
                    EndpointId("halext"),
                    NodeName("halext"),
                    "halext",
                    server.url,
                    cidrs=("127.0.0.0/8",),
                    secret=SecretRef("token"),
                ),
            )
        finally:
            await door.aclose()


def says(*lines: dict[str, Any], seen: list[Exchange] | None = None) -> Handler:
    """Answers every request with these lines."""

    async def answer(exchange: Exchange) -> None:
        if seen is not None:
            seen.append(exchange)
        await exchange.begin(content_type="application/x-ndjson")
        for line in lines:
            await exchange.write(json.dumps(line).encode() + b"\n")
        await exchange.end()

    return answer


def sends(status: int, body: Any, seen: list[Exchange] | None = None, **headers: str) -> Handler:
    """Answers every request with this body."""

    async def answer(exchange: Exchange) -> None:
        if seen is not None:
            seen.append(exchange)
        await exchange.send(status, b"" if body is None else json.dumps(body).encode(), headers=headers)

    return answer


async def test_a_call_brings_json_and_the_token() -> None:
    seen: list[Exchange] = []
    async with talking_to(sends(200, {"nodes": []}, seen)) as coordinator:
        assert await coordinator.call("GET", "/hx/nodes") == {"nodes": []}
        assert await coordinator.call("POST", "/hx/nodes", {"name": "mac"}) == {"nodes": []}
    got, posted = (exchange.request for exchange in seen)
    assert got.headers["authorization"] == "Bearer hx_token"
    assert (got.method, got.path, got.body) == ("GET", "/hx/nodes", b"")
    assert posted.json() == {"name": "mac"}


async def test_an_empty_answer_is_nothing() -> None:
    async with talking_to(sends(204, None)) as coordinator:
        assert await coordinator.call("DELETE", "/hx/nodes/mac") is None


async def test_an_answer_that_is_no_json() -> None:
    async def page(exchange: Exchange) -> None:
        await exchange.send(200, b"<html>", content_type="text/html")

    async with talking_to(page) as coordinator:
        with pytest.raises(BadAnswer) as caught:
            await coordinator.call("GET", "/hx/me")
    assert caught.value.node == "halext"


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (503, {"error": "wait", "code": "all_busy", "request_id": "r", "retry_after_s": 12}, AllBusy),
        (503, {"error": "none", "code": "no_node_has_model", "request_id": "r"}, NoNodeHasModel),
        (404, {"error": "which?", "code": "unknown_model", "request_id": "r"}, UnknownModel),
        (401, {"message": "who?", "code": "unauthenticated", "request_id": "r"}, Unauthenticated),
        (403, {"error": "no", "code": "forbidden"}, Forbidden),
        (502, {"error": "cut", "code": "interrupted"}, Interrupted),
        (503, {"error": "from a version to come", "code": "never_heard_of"}, RateLimited),
        (401, {"error": "not halext"}, KeyRefused),
        (502, "<html>", Unreachable),
        (500, {"code": "all_busy"}, BadAnswer),
    ],
)
def test_errors_come_back_as_what_they_were(status: int, body: Any, error: type[HalextError]) -> None:
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    found = parse_error(status, raw)
    assert type(found) is error


def test_an_error_says_when_to_come_back() -> None:
    body = {"error": "wait", "code": "all_busy"}
    assert parse_error(503, json.dumps(body | {"retry_after_s": 12}).encode(), "7").retry_after_s == 12
    assert parse_error(503, json.dumps(body).encode(), "7").retry_after_s == 7
    assert parse_error(503, json.dumps(body).encode()).message == "wait"


@pytest.mark.parametrize("method", ["call", "models", "embed", "generate"])
async def test_every_way_of_asking_raises_what_the_server_names(method: str) -> None:
    async with talking_to(sends(503, {"error": "wait", "code": "all_busy", "retry_after_s": 2})) as coordinator:
        ways: dict[str, Callable[[], Awaitable[object]]] = {
            "call": lambda: coordinator.call("GET", "/hx/me"),
            "models": coordinator.models,
            "embed": lambda: coordinator.embed(EmbedRequest(MODEL, ("a",))),
            "generate": lambda: anext(coordinator.generate(ASKED)),
        }
        with pytest.raises(AllBusy, match="wait") as caught:
            await ways[method]()
    assert caught.value.retry_after_s == 2


async def test_an_answer_and_what_is_said_beside_it() -> None:
    seen: list[Exchange] = []
    heard: list[Mapping[str, Any]] = []
    lines = (
        {"message": {"content": 'a "halext" in the text'}},
        {"message": {"content": ""}, "done": True, "halext": {"node": "mac", "why": ["warm"]}},
    )
    async with talking_to(says(*lines, seen=seen)) as coordinator:
        stream = coordinator.generate(ASKED, node=NodeName("mac"), on_extension=heard.append)
        chunks = [chunk async for chunk in stream]
    assert chunks == [ChatChunk('a "halext" in the text'), ChatChunk(done=Done())]
    assert heard == [{"node": "mac", "why": ["warm"]}]
    request = seen[0].request
    assert (request.path, request.headers["x-halext-node"]) == ("/api/chat", "mac")
    assert request.headers["authorization"] == "Bearer hx_token"


async def test_a_node_is_named_only_when_one_is_wanted() -> None:
    seen: list[Exchange] = []
    async with talking_to(says({"response": "a", "done": True}, seen=seen)) as coordinator:
        chunks = [chunk async for chunk in coordinator.generate(CompletionRequest(MODEL, "x"))]
    assert chunks == [ChatChunk("a", done=Done())]
    assert seen[0].request.path == "/api/generate"
    assert "x-halext-node" not in seen[0].request.headers


async def test_an_error_in_the_first_line_keeps_its_code() -> None:
    async with talking_to(says({"error": "wait", "code": "all_busy"})) as coordinator:
        with pytest.raises(AllBusy):
            await anext(coordinator.generate(ASKED))


@pytest.mark.parametrize(
    "rest",
    [
        [],
        [{"error": "cut", "code": "interrupted", "request_id": "r"}],
        [{"error": "unexpected EOF"}],
    ],
)
async def test_after_the_first_piece_a_break_is_an_interruption(rest: list[dict[str, Any]]) -> None:
    async with talking_to(says({"response": "a"}, *rest)) as coordinator:
        stream = coordinator.generate(ASKED)
        assert await anext(stream) == ChatChunk("a")
        with pytest.raises(Interrupted) as caught:
            await anext(stream)
    assert (caught.value.node, caught.value.began) == ("halext", True)


async def test_vectors_and_models() -> None:
    seen: list[Exchange] = []
    async with talking_to(sends(200, {"embeddings": [[1.0]]}, seen)) as coordinator:
        reply = await coordinator.embed(EmbedRequest(MODEL, ("a",)), node=NodeName("pc"))
    assert reply.vectors == ((1.0,),)
    assert seen[0].request.headers["x-halext-node"] == "pc"
    async with talking_to(sends(200, {"models": [{"name": MODEL}]})) as coordinator:
        assert [model.name for model in await coordinator.models()] == [MODEL]
