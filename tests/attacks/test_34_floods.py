"""Attack 34: flooding the log, the audit log and the alert channels, by breaking off uploads, asking for what is
forbidden and provoking the same fault again and again. Every repetition costs one short line or none."""

from __future__ import annotations

import asyncio
import io
import logging
import sys
from collections.abc import Iterator

import httpx
import pytest

from halext.accounts.audit.types import Query
from halext.accounts.types import LOCAL
from halext.alerts.types import Rule
from halext.alerts.watch import Watch
from halext.runtime import log
from halext.storage.scope import Scope
from halext.testing.clock import ManualClock
from tests.halext.alerts.conftest import Chat, Machines
from tests.web.conftest import House

MANY = 100
FLAPS = 1_000


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What a process that is set up as `halext up` writes."""
    stream, root = io.StringIO(), logging.getLogger()
    before, level, hook = root.handlers[:], root.level, sys.excepthook
    monkeypatch.setattr(sys, "stderr", stream)
    log.configure("json", "debug")
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    sys.excepthook = hook


async def break_off(house: House) -> None:
    """Begin an upload and leave."""
    host, port = house.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {house.token}\r\n"
    writer.write(f"{head}Content-Type: application/json\r\nContent-Length: 900000\r\n\r\n".encode() + b'{"model": "')
    await writer.drain()
    writer.close()
    await writer.wait_closed()


async def test_an_upload_that_is_broken_off_is_one_short_line(house: House, lines: io.StringIO) -> None:
    await asyncio.gather(*(break_off(house) for _ in range(20)))
    async with asyncio.timeout(10), house.client() as client:
        while sum("the client has left" in line for line in lines.getvalue().splitlines()) < 20:
            await client.get("/healthz")
    told = [line for line in lines.getvalue().splitlines() if '"logger": "halext' in line and "/healthz" not in line]
    assert len(told) == 20
    assert all('"level": "debug"' in line and "exception" not in line for line in told)
    assert "Traceback" not in lines.getvalue()


async def test_requests_that_are_none_are_one_line_and_a_count(house: House, lines: io.StringIO) -> None:
    async def send_rubbish(number: int) -> None:
        host, port = house.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"rubbish {number}\r\n\r\n".encode())
        await reader.read()
        writer.close()
        await writer.wait_closed()

    for number in range(MANY):
        await send_rubbish(number)
    told = [line for line in lines.getvalue().splitlines() if "Invalid HTTP request" in line]
    assert len(told) == 1
    assert '"level": "warning"' in told[0]
    log.tell_counts(1e12)
    assert f"{MANY - 1} more like this" in lines.getvalue()


async def test_a_node_that_comes_and_goes_a_thousand_times_is_no_thousand_messages(scope: Scope) -> None:
    """Short outages are told to nobody; one that lasts is one message, which is changed, however it flaps then."""
    clock, machines, chat = ManualClock(), Machines(), Chat()
    watch = Watch(scope, machines.states, clock, {"chat": chat}, Rule())

    async def look(*, is_on: bool) -> None:
        await clock.advance(30.0)
        machines.look("mac", is_on=is_on, now=clock.now())
        if not is_on or machines.health["mac"].good_checks > 1:
            await watch.tick()

    for _ in range(FLAPS):
        await look(is_on=True)
        await look(is_on=False)
    assert chat.calls == 0
    for _ in range(20):
        await look(is_on=False)
    assert (chat.calls, len(chat.began)) == (1, 1)
    for _ in range(FLAPS // 20):  # never good for long enough to be back
        await look(is_on=True)
        await look(is_on=False)
    assert (chat.calls, len(chat.began)) == (1, 1)
    for _ in range(5):
        await look(is_on=True)
    assert (chat.calls, len(chat.shown)) == (2, 1)


async def test_the_same_fault_again_and_again_is_one_traceback_and_a_count(
    house: House, member: httpx.AsyncClient, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(house.app.links, "links", broken)
    for _ in range(MANY):
        assert (await member.get("/hx/links")).status_code == 500
    assert lines.getvalue().count("Traceback") == 1
    log.tell_counts(1e12)
    assert f"{MANY - 1} more like this" in lines.getvalue()


async def test_what_is_refused_again_and_again_is_two_entries(house: House, member: httpx.AsyncClient) -> None:
    for _ in range(MANY):
        assert (await member.get("/hx/admin/users")).status_code == 403
        assert (await member.post("/hx/nodes/x/cordon", json={})).status_code == 403
    await house.app.audit.close()
    found = await house.app.audit.page(LOCAL, Query(who="Mia", action="request", limit=1000))
    assert sorted((entry.subject, entry.count) for entry in found) == [
        ("GET /hx/admin/users", 1),
        ("GET /hx/admin/users", MANY - 1),
        ("POST /hx/nodes/{name}/cordon", 1),
        ("POST /hx/nodes/{name}/cordon", MANY - 1),
    ]
    assert {entry.outcome for entry in found} == {"denied"}
    assert all(entry.address == "127.0.0.1" and entry.request_id for entry in found)


async def test_guessing_passwords_fills_no_table(house: House, stranger: httpx.AsyncClient) -> None:
    for number in range(30):
        name = ("Ada", "Mia", f"nobody-{number}")[number % 3]
        answer = await stranger.post("/hx/session", json={"name": name, "password": "wrong horses"})
        assert answer.status_code in {401, 429}
    await house.app.audit.close()
    found = await house.app.audit.page(LOCAL, Query(action="people.sign-in", who="stranger"))
    assert sum(entry.count for entry in found) == 30
    assert len(found) <= 8
    assert {entry.subject for entry in found} == {"", "Ada", "Mia"}, "what nobody is called may be a password"
