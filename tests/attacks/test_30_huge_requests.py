"""Attack 30: send more than a small server can hold.

The flood comes from a process of its own, so that what is measured is the memory of the house alone.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest

from halext.dialects.reading import BRACKETS_MAX
from halext_web.visit import JSON_LIMIT

if TYPE_CHECKING:
    from tests.web.conftest import House

GROWTH_MAX = 10 * 1024 * 1024
FLOOD = """
import asyncio, sys
host, port, token, kind = sys.argv[1:5]
ROUTES = ("/v1/chat/completions", "/api/chat", "/api/generate", "/hx/tasks", "/v1/embeddings", "/hx/session")
PIECE = b"x" * 65536

async def send(path, number):
    reader, writer = await asyncio.open_connection(host, int(port))
    length = "Content-Length: 9999999999" if kind == "declared" else "Transfer-Encoding: chunked"
    head = f"POST {path} HTTP/1.1\\r\\nHost: x\\r\\nContent-Type: application/json\\r\\n{length}\\r\\n"
    if path != "/hx/session":
        head += f"Authorization: Bearer {token}\\r\\n"
    writer.write(head.encode() + b"\\r\\n")
    status = asyncio.create_task(reader.readline())
    try:
        for _ in range(1024):  # 64 MB
            if status.done():
                break
            writer.write(PIECE if kind == "declared" else b"10000\\r\\n" + PIECE + b"\\r\\n")
            await writer.drain()
        return int((await asyncio.wait_for(status, 20)).split()[1])
    except ConnectionError:
        return 0
    finally:
        writer.transport.abort()

async def main():
    count = 24 if kind == "declared" else 6
    print(*await asyncio.gather(*(send(ROUTES[n % len(ROUTES)], n) for n in range(count))))

asyncio.run(main())
"""


def resident() -> int:
    """Bytes of this process, in which the house runs, that are in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def flood(house: House, kind: str) -> list[int]:
    where = urlsplit(house.url)
    arguments = [sys.executable, "-c", FLOOD, str(where.hostname), str(where.port), house.token, kind]
    process = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    return [int(part) for part in out.split()]


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc here")
@pytest.mark.parametrize("kind", ["declared", "chunked"])
async def test_what_is_too_large_never_gets_in(house: House, kind: str) -> None:
    await flood(house, "declared")  # what is loaded with the first requests is not theirs
    before = resident()
    statuses = await flood(house, kind)
    assert statuses
    assert set(statuses) <= {413, 503, 0}
    assert 413 in statuses
    assert resident() - before < GROWTH_MAX
    async with house.client() as member:
        assert (await member.get("/hx/me")).status_code == 200


def chat(content: str) -> bytes:
    return b'{"model":"llama3.2:3b","stream":false,"messages":[{"role":"user","content":"' + content.encode() + b'"}]}'


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (chat("x" * JSON_LIMIT), 413),
        (chat("\\u00e9" * (JSON_LIMIT // 6)), 413),
        (b'{"model":"m","x":' + b"[" * 60_000 + b"]" * 60_000 + b"}", 422),
        (b'{"model":"m","x":' + b'{"a":' * 60_000 + b"1" + b"}" * 60_000 + b"}", 422),
        (b'{"model":"m","messages":' + b"[" * 65 + b"]" * 65 + b"}", 422),
        (b'{"model":"m","x":[' + b"[]," * (BRACKETS_MAX + 1) + b"1]}", 422),
        (b'{"model":"m","x":[' + b"1," * 2_000_000 + b"1]}", 422),
        (b'{"model":"m","temperature":1e400,"options":{"temperature":1e400}}', 422),
        (b'{"model":"m","seed":' + b"9" * 20_000 + b',"options":{"seed":' + b"9" * 20_000 + b"}}", 422),
        (b'{"model":"\\ud800"}', 400),
        (b'{"model":"m"', 400),
        (b"\xff\xfe{}", 400),
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/chat"])
async def test_monsters_are_refused_before_any_node_hears_of_them(
    house: House, member: httpx.AsyncClient, path: str, body: bytes, status: int
) -> None:
    answer = await member.post(path, content=body)
    assert answer.status_code == status, answer.text[:200]
    assert house.script.requests == []


async def test_of_two_equal_keys_one_counts_and_it_is_the_one_that_is_sent_on(
    house: House, member: httpx.AsyncClient
) -> None:
    body = b'{"model":"forbidden:1b","model":"llama3.2:3b","stream":false,"messages":[{"role":"user","content":"Hi"}]}'
    assert (await member.post("/api/chat", content=body)).status_code == 200
    assert [request.model for request in house.script.requests] == ["llama3.2:3b"]


async def test_pictures_have_room_where_they_may_come(house: House, member: httpx.AsyncClient) -> None:
    picture = "/9j/" + "A" * (3 * JSON_LIMIT)
    body = {
        "model": "llama3.2:3b",
        "stream": False,
        "messages": [{"role": "user", "content": "?", "images": [picture]}],
    }
    assert (await member.post("/api/chat", json=body)).status_code == 200
    assert (await member.post("/api/embed", json=body)).status_code == 413
