"""Attack 17: read somebody's data from another site's page, by CORS, a WebSocket or a stream of events."""

from __future__ import annotations

import asyncio
import base64
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from halext_web.app import all_routes

if TYPE_CHECKING:
    from tests.web.conftest import House

ORIGINS = ("https://evil.example", "null", "http://localhost:3000", "file://")


@pytest.fixture
async def cookie(house: House) -> dict[str, str]:
    return {"Cookie": f"hx_session={(await house.app.people.sign_in('Mia', 'battery staple'))[0]}"}


async def test_no_answer_lets_another_origin_read_it(house: House, cookie: dict[str, str]) -> None:
    wrong = []
    paths = sorted({re.sub(r"\{[^}]*\}", "1", entry.path) for entry in all_routes()})
    async with house.client(headers=cookie) as browser:
        for number, path in enumerate([*paths, "/nothing"]):
            origin = {"Origin": ORIGINS[number % len(ORIGINS)]}
            preflight = origin | {
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization, content-type",
            }
            for method, headers in (("GET", origin), ("OPTIONS", preflight)):
                answer = await browser.request(method, path, headers=headers)
                shared = [name for name in answer.headers if name.startswith("access-control-")]
                if shared or answer.headers["cross-origin-resource-policy"] != "same-origin":
                    wrong.append((method, path, str(shared)))
                if method == "OPTIONS" and answer.status_code < 400:
                    wrong.append((method, path, str(answer.status_code)))
    assert wrong == []


@pytest.mark.parametrize("path", ["/", "/hx/answers/1", "/hx/events", "/ws", "/socket.io/?transport=websocket"])
@pytest.mark.parametrize("origin", ORIGINS[:2])
async def test_no_web_socket_is_opened(house: House, cookie: dict[str, str], path: str, origin: str) -> None:
    where = urlsplit(house.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    key = base64.b64encode(b"0123456789abcdef").decode()
    lines = (
        f"GET {path} HTTP/1.1\r\nHost: {where.netloc}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nOrigin: {origin}\r\n"
        f"Cookie: {cookie['Cookie']}\r\n\r\n"
    )
    try:
        writer.write(lines.encode())
        async with asyncio.timeout(10):
            first = await reader.readline()
        assert b" 101 " not in first
        assert int(first.split()[1]) in {200, 400, 403, 404, 405}
    finally:
        writer.transport.abort()


async def test_a_live_answer_is_told_to_no_other_site(house: House, cookie: dict[str, str]) -> None:
    caller = await house.app.people.caller_for(cookie["Cookie"].partition("=")[2])
    _, turn = await house.app.answers.ask(caller, "Hi")
    address = f"/hx/answers/{turn.id}"
    foreign = [
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"},
        {"Origin": "https://other.example.org", "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    ]
    async with house.client(headers=cookie) as browser:
        for headers in foreign:
            assert (await browser.get(address, headers=headers)).status_code == 403
            assert (await browser.get("/hx/tasks", headers=headers)).status_code == 403
        own = await browser.get(address, headers={"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"})
        assert own.status_code == 200
        assert "Hello" in own.text
        # A link from elsewhere leads here; what it shows, the other site can't see.
        followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        page = await browser.get("/", headers=followed)
        assert page.status_code == 200
        assert page.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
