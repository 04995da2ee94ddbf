"""Who may connect, and how often."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.runtime.settings import Settings
from halext_web.gate import REFUSED, Gate

if TYPE_CHECKING:
    from tests.web.conftest import OpenHouse


def gate(**settings: Any) -> Gate:
    limits: dict[str, Any] = {"max_connections": 20, "max_connections_per_address": 4}
    return Gate.of(Settings(data_dir=Path("/nowhere"), **limits | settings))


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        (["203.0.113.5"] * 6, 4),
        (["203.0.113.5", "203.0.113.6"] * 6, 8),
        ([f"2001:db8::{number:x}" for number in range(9)], 4),
        ([f"2001:db8:0:{number:x}::1" for number in range(9)], 9),
        (["::ffff:203.0.113.5", "203.0.113.5"] * 4, 4),
        (["127.0.0.1"] * 30, 20),
        (["::1"] * 30, 20),
        (["10.0.0.1"] * 30, 20),
        ([""] * 9, 4),
        ([f"203.0.113.{number}" for number in range(40)], 20),
    ],
)
def test_how_many_come_in(addresses: list[str], expected: int) -> None:
    one = gate(trusted_proxies="10.0.0.0/8")
    assert sum(one.enter(address) for address in addresses) == expected


@given(st.lists(st.tuples(st.sampled_from(["203.0.113.5", "2001:db8::1", "127.0.0.1"]), st.booleans()), max_size=60))
def test_who_leaves_makes_room(steps: list[tuple[str, bool]]) -> None:
    one, inside = gate(max_connections=8), []
    for address, comes in steps:
        if comes and one.enter(address):
            inside.append(address)
        elif not comes and address in inside:
            inside.remove(address)
            one.leave(address)
        assert one.open.total() == len(inside) <= 8
    for address in inside:
        one.leave(address)
    assert not one.open


async def test_one_too_many_is_told_to_come_back(open_house: OpenHouse) -> None:
    house = await open_house(max_connections=8)
    where = urlsplit(house.url)
    lines = [await asyncio.open_connection(where.hostname, where.port) for _ in range(9)]
    async with asyncio.timeout(10):
        refused = await lines[8][0].read()
    assert refused == REFUSED
    head, _, body = refused.partition(b"\r\n\r\n")
    assert b"Retry-After: 10" in head
    assert f"Content-Length: {len(body)}".encode() in head
    lines[0][1].transport.abort()
    async with house.client(headers={}) as client:
        async with asyncio.timeout(10):
            while (await client.get("/healthz")).status_code != 200:
                pass
    for _, writer in lines:
        writer.transport.abort()
