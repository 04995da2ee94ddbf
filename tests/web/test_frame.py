"""What is around every request: nothing gets out of it unanswered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from halext.errors import DatabaseUnavailable, TooManyRequests
from halext_web.frame import Frame, page_policy
from halext_web.pages.failure import failure_page
from halext_web.templates import Templates

if TYPE_CHECKING:
    from tests.web.conftest import House, OpenHouse

Inner = Callable[[Scope, Receive, Send], Any]


async def through(
    house: House, inner: Inner, path: str = "/hx/x", scope: dict[str, Any] | None = None
) -> list[Message]:
    """What the frame sends around this app."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    base = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"x")],
        "client": ("127.0.0.1", 5),
        "scheme": "http",
    }
    await Frame(inner, house.app, Templates(), failure_page)(base | (scope or {}), receive, send)
    return sent


async def test_a_bug_is_answered_and_told_to_the_log_only(house: House, caplog: pytest.LogCaptureFixture) -> None:
    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        raise KeyError("secret-detail")

    with caplog.at_level(logging.ERROR, logger="halext.web"):
        start, body = await through(house, inner)
    assert start["status"] == 500
    assert b'"code":"internal"' in body["body"]
    assert b"secret-detail" not in body["body"]
    (record,) = caplog.records
    assert record.exc_info is not None
    request_id = dict(start["headers"])[b"x-halext-request"].decode()
    assert request_id in record.getMessage()
    assert request_id.encode() in body["body"]


async def test_a_client_that_left_is_one_quiet_line(house: House, caplog: pytest.LogCaptureFixture) -> None:
    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        raise ClientDisconnect

    with caplog.at_level(logging.INFO, logger="halext.web"):
        assert await through(house, inner) == []
    assert caplog.records == []


async def test_a_failure_in_the_middle_cuts_the_connection(house: House) -> None:
    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise DatabaseUnavailable

    with pytest.raises(DatabaseUnavailable):
        await through(house, inner)


async def test_who_has_to_wait_is_told_how_long(house: House) -> None:
    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        raise TooManyRequests(retry_after_s=11.2)

    start, body = await through(house, inner)
    assert start["status"] == 429
    assert dict(start["headers"])[b"retry-after"] == b"12"
    assert b'"retry_after_s":11.2' in body["body"]


async def test_a_web_socket_is_not_wanted(house: House) -> None:
    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError

    assert await through(house, inner, scope={"type": "websocket"}) == [{"type": "websocket.close", "code": 1008}]


async def test_a_whole_site_can_be_closed_to_all_but_some_networks(open_house: OpenHouse) -> None:
    house = await open_house(allowed_cidrs="192.0.2.0/24", trusted_proxies="127.0.0.1/32")
    async with house.client() as client:
        refused = await client.get("/healthz")
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        allowed = await client.get("/healthz", headers={"X-Forwarded-For": "192.0.2.7"})
        assert allowed.status_code == 200
        lied = await client.get("/healthz", headers={"X-Forwarded-For": "192.0.2.7, 203.0.113.1"})
        assert lied.status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "ai.example.org.evil.example", ""])
async def test_a_foreign_host_changes_nothing_but_the_answer(open_house: OpenHouse, host: str) -> None:
    house = await open_house(public_url="https://ai.example.org")
    async with house.client() as client:
        assert (await client.get("/hx/me", headers={"Host": host})).status_code == 400
        assert (await client.get("/hx/me", headers={"Host": "ai.example.org"})).status_code == 200


async def test_who_forwards_without_being_trusted_is_remembered_for_doctor(open_house: OpenHouse) -> None:
    house = await open_house()
    async with house.client() as client:
        await client.get("/healthz")
        assert house.app.proxy_signs == {}
        await client.get("/healthz", headers={"X-Forwarded-For": "192.0.2.7"})
    assert house.app.proxy_signs == {"untrusted": "127.0.0.1"}


async def test_a_trusted_proxy_is_no_news(open_house: OpenHouse) -> None:
    house = await open_house(trusted_proxies="127.0.0.1")
    async with house.client() as client:
        await client.get("/healthz", headers={"X-Forwarded-For": "192.0.2.7"})
    assert house.app.proxy_signs == {}


def test_the_policy_of_pages_lets_in_only_what_is_ours() -> None:
    policy = dict(part.strip().split(" ", 1) for part in page_policy("N").decode().split(";") if " " in part.strip())
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self' 'nonce-N'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert not {"unsafe-inline", "unsafe-eval", "*", "data:", "http:", "https:"} & set(
        " ".join(policy.values()).split()
    )
