"""Files that browsers keep for ever."""

from __future__ import annotations

import re

import httpx


async def addresses(client: httpx.AsyncClient) -> list[str]:
    return re.findall(r"/static/[\w.]+", (await client.get("/sign-in")).text)


async def test_what_a_page_names_is_there(stranger: httpx.AsyncClient) -> None:
    found = await addresses(stranger)
    assert found
    for address in found:
        answer = await stranger.get(address)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["vary"] == "accept-encoding"
        assert answer.headers["content-encoding"] == "gzip"
        plain = await stranger.get(address, headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.content == answer.content


async def test_nothing_else_is(stranger: httpx.AsyncClient) -> None:
    for name in ("app.css", "app.000000000000.css", "..%2ftemplates.py", "%2e%2e/app.py", ""):
        assert (await stranger.get(f"/static/{name}")).status_code == 404
