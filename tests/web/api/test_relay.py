"""Streams: as they come, ended honestly, and given up at the moment nobody listens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.requests import ClientDisconnect

from halext.errors import Interrupted, RequestRefused, Unreachable
from halext.testing.clock import ManualClock
from halext_web.api.relay import ascii_text, while_connected

if TYPE_CHECKING:
    from tests.web.conftest import House, OpenHouse

PATIENCE_S = 10.0
CHAT = {"model": "llama3.2:3b", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
DIALECTS = ["/v1/chat/completions", "/v1/completions", "/api/chat", "/api/generate"]


def body_for(path: str, *, stream: bool = True) -> dict[str, Any]:
    if path.endswith(("/completions", "/generate")) and "chat" not in path:
        return {"model": "llama3.2:3b", "stream": stream, "prompt": "Hi"}
    return CHAT | {"stream": stream}


def parts(path: str, text: str) -> list[dict[str, Any]]:
    """The JSON of every event or line."""
    if path.startswith("/v1"):
        found = [line[6:] for line in text.split("\n") if line.startswith("data: ")]
        return [json.loads(data) for data in found if data != "[DONE]"]
    return [json.loads(line) for line in text.splitlines()]


def words(path: str, event: dict[str, Any]) -> str:
    match path:
        case "/v1/chat/completions":
            return str(event["choices"][0]["delta"].get("content", "")) if event.get("choices") else ""
        case "/v1/completions":
            return str(event["choices"][0]["text"]) if event.get("choices") else ""
        case "/api/chat":
            return str(event.get("message", {}).get("content", ""))
        case _:
            return str(event.get("response", ""))


async def read_until(chunks: AsyncIterator[str], wanted: str) -> str:
    """What has come when `wanted` has; fails when it does not come."""
    seen = ""
    async with asyncio.timeout(PATIENCE_S):
        async for chunk in chunks:
            seen += chunk
            if wanted in seen:
                return seen
    raise AssertionError(f"{wanted!r} never came; this did: {seen!r}")


@pytest.mark.parametrize("path", DIALECTS)
async def test_every_piece_arrives_when_it_is_said(house: House, member: httpx.AsyncClient, path: str) -> None:
    house.script.say("one", "two", "three")
    second, third = house.script.hold(1), house.script.hold(2)
    async with member.stream("POST", path, json=body_for(path)) as answer:
        assert answer.status_code == 200
        chunks = answer.aiter_text()
        seen = await read_until(chunks, "one")
        assert "two" not in seen
        second.set()
        seen += await read_until(chunks, "two")
        assert "three" not in seen
        third.set()
        async for chunk in chunks:
            seen += chunk
    events = parts(path, seen)
    assert "".join(words(path, event) for event in events) == "onetwothree"
    assert house.script.closed.is_set()


@pytest.mark.parametrize("path", DIALECTS)
async def test_headers_and_the_last_piece_tell_where_it_ran(house: House, member: httpx.AsyncClient, path: str) -> None:
    answer = await member.post(path, json=body_for(path), headers={"X-Halext-Explain": "1"})
    assert answer.headers["x-halext-model"] == "llama3.2:3b"
    assert answer.headers["x-halext-node"] == "mac"
    assert "mac" in answer.headers["x-halext-why"]
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.headers["cache-control"] == "no-store"
    told = [event["halext"] for event in parts(path, answer.text) if "halext" in event]
    assert len(told) == 1
    assert told[0]["id"] == answer.headers["x-halext-request"]
    assert (told[0]["node"], told[0]["outcome"]) == ("mac", "done")
    assert told[0]["completion_tokens"] == 2
    afterwards = await member.get(f"/hx/requests/{told[0]['id']}")
    assert afterwards.json() == told[0]


@pytest.mark.parametrize("path", DIALECTS)
async def test_the_same_without_a_stream(house: House, member: httpx.AsyncClient, path: str) -> None:
    answer = await member.post(path, json=body_for(path, stream=False))
    assert answer.status_code == 200
    assert answer.headers["x-halext-node"] == "mac"
    assert answer.json()["halext"]["outcome"] == "done"
    assert "Hello" in answer.text


@pytest.mark.parametrize("path", DIALECTS)
async def test_a_death_in_the_middle_is_never_a_clean_end(house: House, member: httpx.AsyncClient, path: str) -> None:
    house.script.say("one", "two")
    house.script.errors[1] = Interrupted("mac stopped in the middle of its answer.", node="mac")
    answer = await member.post(path, json=body_for(path))
    assert answer.status_code == 200
    assert "[DONE]" not in answer.text
    *_, last = parts(path, answer.text)
    assert words(path, parts(path, answer.text)[-2]) == "one"
    code = last["error"]["code"] if path.startswith("/v1") else last["code"]
    assert code == "interrupted"
    assert last["request_id"] == answer.headers["x-halext-request"]
    assert last["halext"]["outcome"] == "interrupted"
    assert not last.get("done")


@pytest.mark.parametrize("path", DIALECTS)
async def test_a_failure_before_the_first_piece_keeps_its_status(
    house: House, member: httpx.AsyncClient, path: str
) -> None:
    house.script.errors[0] = RequestRefused("mac refused the request.", node="mac")
    answer = await member.post(path, json=body_for(path))
    assert answer.status_code == 400
    assert "mac refused the request." in answer.text
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", DIALECTS)
async def test_an_unknown_model_is_404(member: httpx.AsyncClient, path: str) -> None:
    answer = await member.post(path, json=body_for(path) | {"model": "nobody:1b"})
    assert answer.status_code == 404


async def test_the_node_can_be_named(house: House, member: httpx.AsyncClient) -> None:
    there = await member.post("/v1/chat/completions", json=CHAT, headers={"X-Halext-Node": "mac"})
    assert there.status_code == 200
    nowhere = await member.post("/v1/chat/completions", json=CHAT, headers={"X-Halext-Node": "pc"})
    assert (nowhere.status_code, nowhere.json()["error"]["code"]) == (404, "unknown_node")


async def leave(house: House, path: str, *, stream: bool, after: str) -> None:
    """Send a request over a bare socket, wait for some bytes, and hang up."""
    where = urlsplit(house.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    body = json.dumps(body_for(path, stream=stream)).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {house.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    async with asyncio.timeout(PATIENCE_S):
        if after:
            await reader.readuntil(after.encode())
        await house.script.began.wait()
    writer.transport.abort()


@pytest.mark.parametrize("path", DIALECTS)
@pytest.mark.parametrize(("stream", "after"), [(True, "one"), (True, ""), (False, "")])
async def test_who_leaves_ends_the_work_at_the_node(house: House, path: str, *, stream: bool, after: str) -> None:
    house.script.say("one", "two")
    house.script.hold(1 if after else 0)  # never let go
    await leave(house, path, stream=stream, after=after)
    async with asyncio.timeout(PATIENCE_S):
        await house.script.closed.wait()
    (state,) = house.app.registry.states()
    assert house.app.gateway.in_flight(state.endpoint.id) == 0


async def test_a_long_wait_sends_headers_and_then_comments(open_house: OpenHouse) -> None:
    clock = ManualClock()
    house = await open_house(clock=clock)
    house.script.hold(0)
    async with house.client() as client, asyncio.TaskGroup() as group:
        opening = group.create_task(anext_headers(client))
        await asyncio.wait_for(house.script.began.wait(), PATIENCE_S)
        await clock.advance(14.9)
        assert not opening.done()
        await clock.advance(0.2)
        context, answer = await asyncio.wait_for(opening, PATIENCE_S)
        chunks = answer.aiter_text()
        first = await read_until(chunks, ": waiting\n\n")
        assert "data:" not in first
        await clock.advance(15.1)
        await read_until(chunks, ": waiting\n\n")
        house.script.gates[0].set()
        rest = await read_until(chunks, "[DONE]")
        assert "Hel" in rest
        await context.__aexit__(None, None, None)


async def anext_headers(client: httpx.AsyncClient) -> tuple[Any, httpx.Response]:
    context = client.stream("POST", "/v1/chat/completions", json=CHAT)
    return context, await context.__aenter__()


async def test_a_failure_after_the_headers_still_says_what_it_is(open_house: OpenHouse) -> None:
    clock = ManualClock()
    house = await open_house(clock=clock)
    gate = house.script.hold(0)
    house.script.errors[0] = Unreachable("mac is gone.", node="mac")
    async with house.client() as client, asyncio.TaskGroup() as group:
        opening = group.create_task(anext_headers(client))
        await asyncio.wait_for(house.script.began.wait(), PATIENCE_S)
        await clock.advance(15.1)
        context, answer = await asyncio.wait_for(opening, PATIENCE_S)
        gate.set()
        seen = await read_until(answer.aiter_text(), '"error"')
        assert "[DONE]" not in seen
        assert '"code":"' in seen
        await context.__aexit__(None, None, None)


async def test_work_is_cancelled_with_its_client_and_its_own_error_comes_plain() -> None:
    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def stays() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def fails() -> None:
        raise Unreachable

    async def answers() -> str:
        return "yes"

    with pytest.raises(ClientDisconnect):
        await while_connected(gone, work())
    assert ended.is_set()
    with pytest.raises(Unreachable):
        await while_connected(stays, fails())
    assert await while_connected(stays, answers()) == "yes"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mac: 2.1 s — chose “mac”", 'mac: 2.1 s - chose "mac"'),
        ("a\r\nSet-Cookie: x", "a  Set-Cookie: x"),
        ("модель", "??????"),
        ("x" * 3000, "x" * 2000),
    ],
)
def test_headers_are_ascii_on_one_line(text: str, expected: str) -> None:
    assert ascii_text(text) == expected
