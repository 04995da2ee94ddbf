"""Every fault, seen by a client on the wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from halext.testing.clock import ScaledClock
from halext.testing.faults import FaultKind, Step
from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama
from halext.testing.stream import split_point

Start = Callable[..., Awaitable[FakeOllama]]
BODY = {"model": "m", "prompt": "go"}
SCRIPT = ["a", "日本", "c"]


@pytest.fixture
async def fake(fake_ollama: Start) -> FakeOllama:
    return await fake_ollama([FakeModel("m", script=SCRIPT, load_s=0)], clock=ScaledClock(1000))


async def ask(fake: FakeOllama, **body: Any) -> tuple[int, bytes, Exception | None]:
    """Status, every byte that arrived, and how the transport ended."""
    received = b""
    async with httpx.AsyncClient(base_url=fake.url, verify=False) as http:
        try:
            async with http.stream("POST", "/api/generate", json={**BODY, **body}) as answer:
                try:
                    async for piece in answer.aiter_raw():
                        received += piece
                except httpx.TransportError as error:
                    return answer.status_code, received, error
                return answer.status_code, received, None
        except httpx.TransportError as error:
            return 0, received, error


async def wire(fake: FakeOllama) -> list[bytes]:
    """The chunks of one answer, as they were written."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(fake.url.rpartition(":")[2]))
    text = json.dumps(BODY).encode()
    writer.write(b"POST /api/generate HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text))
    await reader.readuntil(b"\r\n\r\n")
    chunks = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        chunks.append(await reader.readexactly(size))
        await reader.readexactly(2)
    writer.close()
    return chunks


def texts(received: bytes) -> list[str]:
    return [json.loads(line)["response"] for line in received.splitlines()]


@pytest.mark.parametrize("step", ["head", "first_token", 1])
@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [
        (None, "", (500, "llama runner process has terminated: exit status 2")),
        (503, "", (503, "server busy, please try again.  maximum pending requests exceeded")),
        (404, "model 'm' not found", (404, "model 'm' not found")),
        (418, "", (418, "error 418")),
    ],
)
async def test_an_error_before_the_first_byte_has_its_status(
    fake: FakeOllama, step: Step, status: int | None, text: str, expected: tuple[int, str]
) -> None:
    fake.faults.at(step, "error", status=status, text=text)
    got, received, end = await ask(fake)
    assert (got, json.loads(received)["error"]) == expected
    assert end is None
    assert (await ask(fake))[0] == 200  # only the next request


async def test_a_later_error_is_a_last_line(fake: FakeOllama) -> None:
    fake.faults.at(2, "error", text="broken")
    status, received, end = await ask(fake)
    assert (status, end) == (200, None)
    first, last = received.splitlines()
    assert json.loads(first)["response"] == "a"
    assert json.loads(last) == {"error": "broken"}


async def test_out_of_memory_under_way_empties_the_server(fake: FakeOllama) -> None:
    fake.faults.at(2, "oom")
    _, received, _ = await ask(fake)
    assert "out of memory" in json.loads(received.splitlines()[-1])["error"]
    assert fake.loaded == []


@pytest.mark.parametrize(("step", "lines"), [(1, 0), (2, 1), ("before_done", 3)])
async def test_a_reset_leaves_half_a_line(fake: FakeOllama, step: Step, lines: int) -> None:
    fake.faults.at(step, "reset")
    status, received, end = await ask(fake)
    assert status == 200
    assert isinstance(end, httpx.TransportError)
    assert received.count(b"\n") == lines
    assert not received.endswith(b"\n")


@pytest.mark.parametrize("step", ["connect", "head"])
async def test_a_reset_can_come_before_everything(fake: FakeOllama, step: Step) -> None:
    fake.faults.at(step, "reset")
    status, received, end = await ask(fake)
    assert (status, received) == (0, b"")
    assert isinstance(end, httpx.TransportError)
    assert (await ask(fake))[0] == 200


async def test_a_reset_after_the_last_line_still_brought_it(fake: FakeOllama) -> None:
    fake.faults.at("after_done", "reset")
    _, received, end = await ask(fake)
    assert json.loads(received.splitlines()[-1])["done"] is True
    assert isinstance(end, httpx.TransportError)


@pytest.mark.parametrize(("step", "lines"), [("head", 0), ("first_token", 0), (3, 2), ("before_done", 3)])
async def test_a_clean_end_without_done(fake: FakeOllama, step: Step, lines: int) -> None:
    fake.faults.at(step, "eof")
    status, received, end = await ask(fake)
    assert (status, end) == (200, None)
    assert received.count(b"\n") == lines
    assert b'"done":true' not in received


async def test_one_shot_the_same_end_says_that_it_is_not_done(fake: FakeOllama) -> None:
    fake.faults.at(3, "eof")
    status, received, _ = await ask(fake, stream=False)
    whole = json.loads(received)
    assert (status, whole["done"], whole["response"]) == (200, False, "a日本")


async def test_one_shot_a_reset_sends_nothing(fake: FakeOllama) -> None:
    fake.faults.at(2, "reset")
    status, received, end = await ask(fake, stream=False)
    assert (status, received) == (0, b"")
    assert isinstance(end, httpx.TransportError)


@pytest.mark.parametrize("step", ["connect", "head", "first_token", 2, "before_done", "after_done"])
async def test_a_stall_lasts_until_the_client_leaves(fake: FakeOllama, step: Step) -> None:
    fake.faults.at(step, "stall")
    stuck = asyncio.create_task(ask(fake))
    if step == "connect":
        done, _ = await asyncio.wait([stuck], timeout=0.1)
        assert not done
        assert not fake.requests
    else:
        await fake.timeline.wait_for("fault")
        assert not stuck.done()
    stuck.cancel()
    if step not in {"connect", "after_done"}:
        await fake.timeline.wait_for("cancelled")
    assert (await ask(fake))[0] == 200


async def test_a_stall_can_end(fake: FakeOllama) -> None:
    fake.faults.at(2, "stall", seconds=20)
    began = fake.clock.monotonic()
    _, received, _ = await ask(fake)
    assert fake.clock.monotonic() - began >= 20
    assert texts(received) == [*SCRIPT, ""]


async def test_garbage_comes_between_good_lines(fake: FakeOllama) -> None:
    fake.faults.at(2, "garbage")
    _, received, _ = await ask(fake)
    first, junk, *rest = received.splitlines()
    assert json.loads(first)["response"] == "a"
    with pytest.raises(ValueError, match=r"decode|Expecting"):
        json.loads(junk)
    assert [json.loads(line)["response"] for line in rest] == ["日本", "c", ""]


async def test_a_huge_line(fake: FakeOllama) -> None:
    fake.faults.at("first_token", "huge", size=9 << 20)
    _, received, _ = await ask(fake)
    assert [len(text) for text in texts(received)] == [9 << 20, 1, 2, 1, 0]


async def test_a_drip_changes_no_text_only_the_writes(fake: FakeOllama) -> None:
    fake.faults.at("head", "drip")
    chunks = await wire(fake)
    assert max(len(chunk) for chunk in chunks) == 3
    assert texts(b"".join(chunks)) == [*SCRIPT, ""]


async def test_a_drip_can_take_its_time(fake: FakeOllama) -> None:
    fake.faults.at("before_done", "drip", seconds=1)
    began = fake.clock.monotonic()
    assert (await ask(fake))[0] == 200
    assert fake.clock.monotonic() - began > 50  # more than 150 bytes, three at a time


async def test_a_split_cuts_inside_a_character(fake: FakeOllama) -> None:
    fake.faults.at(2, "split")
    chunks = await wire(fake)
    assert len(chunks) == 1 + 2 * 3
    with pytest.raises(UnicodeDecodeError):
        chunks[1].decode()
    assert texts(b"".join(chunks)) == [*SCRIPT, ""]


async def test_glue_puts_two_lines_into_one_write(fake: FakeOllama) -> None:
    fake.faults.at(1, "glue")
    chunks = await wire(fake)
    assert [chunk.count(b"\n") for chunk in chunks] == [2, 2]
    assert texts(b"".join(chunks)) == [*SCRIPT, ""]


@pytest.mark.parametrize(("step", "kind"), [(3, "eof"), (2, "error")])
async def test_glue_holds_nothing_back_at_the_end(fake: FakeOllama, step: Step, kind: FaultKind) -> None:
    fake.faults.at(1, "glue")
    fake.faults.at(step, kind)
    _, received, _ = await ask(fake)
    assert received.count(b"\n") == 2


@pytest.mark.parametrize(("status", "expected"), [(None, 530), (502, 502)])
async def test_a_tunnels_page_is_html(fake: FakeOllama, status: int | None, expected: int) -> None:
    fake.faults.at("head", "page", status=status)
    got, received, _ = await ask(fake)
    assert got == expected
    assert received.startswith(b"<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("piece", "at"), [("ab日".encode(), 3), (b"abcd", 2), ("é".encode(), 1)], ids=["inside", "middle", "two bytes"]
)
def test_where_a_piece_is_split(piece: bytes, at: int) -> None:
    assert split_point(piece) == at
