"""Bodies: as large as they may be, and no larger."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest

from halext_web import visit
from halext_web.visit import FORM_LIMIT, IMAGE_LIMIT, JSON_LIMIT

if TYPE_CHECKING:
    from tests.web.conftest import House

LIMITS = [
    ("/v1/chat/completions", IMAGE_LIMIT),
    ("/api/chat", IMAGE_LIMIT),
    ("/api/generate", IMAGE_LIMIT),
    ("/v1/completions", JSON_LIMIT),
    ("/v1/embeddings", JSON_LIMIT),
    ("/api/embed", JSON_LIMIT),
    ("/api/show", JSON_LIMIT),
    ("/hx/tokens", JSON_LIMIT),
    ("/hx/session", FORM_LIMIT),
]


async def exchange(house: House, head: str, body: AsyncIterator[bytes] | None = None) -> tuple[int, int]:
    """The status and how many bytes of the body had been sent by then, over a bare socket."""
    where = urlsplit(house.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(f"{head}Host: x\r\nAuthorization: Bearer {house.token}\r\n\r\n".encode())
    status = asyncio.get_running_loop().create_task(reader.readline())
    sent = 0
    try:
        async with asyncio.timeout(20):
            async for chunk in body or nothing():
                if status.done():
                    break
                writer.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
                await writer.drain()
                sent += len(chunk)
            return int((await status).split()[1]), sent
    finally:
        status.cancel()
        writer.transport.abort()


async def nothing() -> AsyncIterator[bytes]:
    for _ in ():
        yield b""


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b" " * 65_536
        await asyncio.sleep(0)


@pytest.mark.parametrize(("path", "limit"), LIMITS)
async def test_too_much_is_refused_before_a_byte_is_read(house: House, path: str, limit: int) -> None:
    status, _ = await exchange(house, f"POST {path} HTTP/1.1\r\nContent-Length: {limit + 1}\r\n")
    assert status == 413


@pytest.mark.parametrize(("path", "limit"), [("/hx/tokens", JSON_LIMIT), ("/hx/session", FORM_LIMIT)])
async def test_too_much_without_a_length_is_cut_off(house: House, path: str, limit: int) -> None:
    status, sent = await exchange(house, f"POST {path} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", endless())
    assert status == 413
    assert sent < limit + 8 * 1024 * 1024  # what fits into the buffers of two sockets on top


@pytest.mark.parametrize(("path", "limit"), LIMITS)
async def test_the_limit_itself_is_taken(member: httpx.AsyncClient, path: str, limit: int) -> None:
    answer = await member.post(path, content=b" " * limit)
    assert answer.status_code in {400, 422}


async def test_413_has_the_shape_of_its_client(member: httpx.AsyncClient) -> None:
    too_much = b" " * (JSON_LIMIT + 1)
    assert (await member.post("/v1/embeddings", content=too_much)).json()["error"]["code"] == "too_large"
    assert (await member.post("/api/embed", content=too_much)).json()["code"] == "too_large"
    assert "1,024 KB" in (await member.post("/hx/tokens", content=too_much)).json()["message"]


@pytest.mark.parametrize("limits", [{"BODY_GAP_S": 0.1}, {"BODY_S": 0.1, "BODY_RATE": 1_000_000}])
async def test_a_body_that_drips_is_given_up(
    house: House, monkeypatch: pytest.MonkeyPatch, limits: dict[str, float]
) -> None:
    for name, value in limits.items():
        monkeypatch.setattr(visit, name, value)

    async def drip() -> AsyncIterator[bytes]:
        yield b"{"
        while True:
            await asyncio.sleep(0.05 if "BODY_S" in limits else 1)
            yield b" "

    status, sent = await exchange(house, "POST /hx/tokens HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", drip())
    assert status == 400
    assert sent < 100


async def test_a_large_body_has_more_time(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visit, "BODY_S", 0.3)
    monkeypatch.setattr(visit, "BODY_RATE", 1_000)

    async def slowly() -> AsyncIterator[bytes]:
        for _ in range(6):
            yield b" " * 1000
            await asyncio.sleep(0.1)

    async with house.client() as client:
        answer = await client.post("/hx/tokens", content=slowly())
    assert answer.json()["message"].startswith("The request's body is not valid JSON")
