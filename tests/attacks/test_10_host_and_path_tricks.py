"""Attack 10: say one thing to whoever decides and another to whoever acts.

Raw sockets, since a client library would tidy up what is sent. Whatever Host, form or spelling a request has, it is
decided as its plain form is, or refused.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from tests.web.conftest import House, OpenHouse

HOSTS = (
    *("x", "evil.example", "127.0.0.1", "localhost", "x:99999", "[::1]", "[::1", "", "*", "healthz", "x/healthz"),
    *("x/healthz?", "x?/healthz", "x#/healthz", "a@b", "x, y", "x y", "/healthz", "http://x/healthz", "x\\healthz"),
)
PLAIN = {"/healthz": 200, "/hx/me": 401, "/hx/admin/users": 401, "/nothing": 404, "/v1/models": 401}
SPELLINGS = (
    *("//hx/admin/users", "/hx//admin/users", "/hx/admin//users", "/hx/./admin/users", "/healthz/../hx/admin/users"),
    *("/hx/admin/users/", "/hx/admin/users/.", "/hx/admin/users;x", "/hx/admin/users%2f", "/hx/admin/users%3f"),
    *("/%68x/admin/users", "/hx%2fadmin%2fusers", "/HX/admin/users", "/hx/admin/users#x", "/hx/admin/users?x"),
    *("/hx/admin/users%20", "/hx/admin/users%09", "/static/../hx/admin/users", "/static/%2e%2e/hx/admin/users"),
    *("/v1/models/../../hx/admin/users", "/v1/models/%2e%2e/%2e%2e/hx/admin/users", "/hx/admin/users%00", "/\\hx\\me"),
    *("http://evil.example/hx/admin/users", "http://127.0.0.1/hx/admin/users", "https://x:443/hx/admin/users"),
    *("http:///hx/admin/users", "http://healthz/hx/admin/users", "http://x@y/hx/admin/users", "///hx/admin/users"),
)
OVERRIDES = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-URL", "X-Rewrite-URL")


async def status(house: House, line: str, *headers: str) -> int:
    """The status of one request exactly as written; 0 when the connection just ends."""
    where = urlsplit(house.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    try:
        writer.write("\r\n".join([f"{line} HTTP/1.1", *headers, "Connection: close", "", ""]).encode())
        async with asyncio.timeout(10):
            first = await reader.readline()
        return int(first.split()[1]) if first else 0
    finally:
        writer.transport.abort()


async def test_no_host_changes_what_a_path_means(house: House) -> None:
    wrong = []
    for host in HOSTS:
        for path, expected in PLAIN.items():
            got = await status(house, f"GET {path}", f"Host: {host}")
            if got not in {expected, 400}:
                wrong.append((host, path, got))
    assert wrong == []


async def test_two_hosts_or_none(house: House) -> None:
    for path, expected in PLAIN.items():
        for headers in ([], ["Host: healthz", "Host: x"]):
            assert await status(house, f"GET {path}", *headers) in {expected, 400}


async def test_no_spelling_of_a_path_opens_it(house: House) -> None:
    wrong = []
    for spelling in SPELLINGS:
        for extra, refusals in (
            ([], {0, 400, 401, 404}),
            ([f"Authorization: Bearer {house.token}"], {0, 400, 403, 404}),
        ):
            got = await status(house, f"GET {spelling}", "Host: x", *extra)
            if got not in refusals:
                wrong.append((spelling, bool(extra), got))
    assert wrong == []


async def test_the_whole_address_in_the_first_line_is_the_path_in_it(house: House) -> None:
    for path, expected in PLAIN.items():
        for before in ("http://evil.example", "http://x", "HTTP://X:1", "https://ai.example.org"):
            assert await status(house, f"GET {before}{path}", "Host: x") in {expected, 400}


@pytest.mark.parametrize("header", OVERRIDES)
async def test_a_request_can_not_be_another_one_in_secret(house: House, header: str) -> None:
    me = f"Authorization: Bearer {house.token}"
    for value in ("GET", "DELETE", "/healthz", "/hx/admin/users"):
        assert await status(house, "GET /hx/me", "Host: x", me, f"{header}: {value}") == 400
        assert await status(house, "POST /hx/admin/users", "Host: x", f"{header}: {value}", "Content-Length: 0") == 400


async def test_a_method_in_the_query_or_of_another_kind_is_none(house: House) -> None:
    me = f"Authorization: Bearer {house.token}"
    assert await status(house, "GET /hx/tokens/1?_method=DELETE", "Host: x", me) == 405
    for method in ("TRACE", "CONNECT", "PROPFIND", "get", "G3T", "PATCH"):
        assert await status(house, f"{method} /hx/me", "Host: x", me) in {0, 400, 405}
    assert await status(house, "CONNECT evil.example:443", "Host: x", me) in {0, 400, 404, 405}
    assert await status(house, "OPTIONS *", "Host: x", me) in {0, 400, 404, 405}


async def test_only_its_own_name_and_local_ones_reach_a_public_house(open_house: OpenHouse) -> None:
    house = await open_house(public_url="https://ai.example.org")
    for host in ("evil.example", "ai.example.org.evil.example", "ai.example.org@evil.example", ""):
        assert await status(house, "GET /healthz", f"Host: {host}") == 400
    for host in ("ai.example.org", "AI.example.org:443", "127.0.0.1"):
        assert await status(house, "GET /healthz", f"Host: {host}") == 200
