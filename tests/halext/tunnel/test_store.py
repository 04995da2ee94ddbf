from __future__ import annotations

import asyncio

import pytest

from halext.nodes.store import NodeStore
from halext.nodes.types import Node
from halext.storage.scope import Scope
from halext.tunnel.store import TunnelStore
from halext.types import NodeName

from .conftest import endpoint

MAC, PC = NodeName("mac"), NodeName("pc")
NOW = 1000.0


@pytest.fixture
async def roster(scope: Scope) -> TunnelStore:
    """Two nodes without keys."""
    for name in (MAC, PC):
        await NodeStore(scope).save(Node(name, (endpoint(name),)))
    return TunnelStore(scope)


async def test_a_code_is_used_once_and_gives_a_key(roster: TunnelStore) -> None:
    assert not await roster.is_used()
    await roster.invite(MAC, "digest", NOW + 10)
    assert await roster.is_used()
    assert await roster.invited("digest", NOW) == MAC
    assert await roster.key_of(MAC) is None
    assert await roster.enrol("digest", "ssh-ed25519 A", NOW) == MAC
    assert await roster.key_of(MAC) == "ssh-ed25519 A"
    assert await roster.invited("digest", NOW) is None
    assert await roster.enrol("digest", "ssh-ed25519 B", NOW) is None
    assert await roster.key_of(MAC) == "ssh-ed25519 A"


async def test_a_code_ends_with_its_time(roster: TunnelStore) -> None:
    await roster.invite(MAC, "digest", NOW + 10)
    assert await roster.invited("digest", NOW + 10) is None
    assert await roster.enrol("digest", "ssh-ed25519 A", NOW + 10) is None
    assert await roster.invited("another", NOW) is None


async def test_a_new_code_ends_the_old_one_and_the_key(roster: TunnelStore) -> None:
    await roster.invite(MAC, "old", NOW + 10)
    await roster.invite(MAC, "new", NOW + 10)
    assert await roster.invited("old", NOW) is None
    assert await roster.enrol("new", "ssh-ed25519 A", NOW) == MAC
    await roster.invite(MAC, "newest", NOW + 10)
    assert await roster.key_of(MAC) is None


async def test_a_key_belongs_to_one_node(roster: TunnelStore) -> None:
    await roster.invite(MAC, "one", NOW + 10)
    await roster.invite(PC, "two", NOW + 10)
    assert await roster.enrol("one", "ssh-ed25519 A", NOW) == MAC
    assert await roster.enrol("two", "ssh-ed25519 A", NOW) is None
    assert await roster.key_of(PC) is None
    assert await roster.enrol("two", "ssh-ed25519 B", NOW) == PC, "the code is still good for another key"


async def test_of_two_who_show_a_code_one_gets_in(roster: TunnelStore) -> None:
    await roster.invite(MAC, "digest", NOW + 10)
    keys = [f"ssh-ed25519 {number}" for number in range(5)]
    assert sorted(map(str, await asyncio.gather(*(roster.enrol("digest", key, NOW) for key in keys)))) == [
        *["None"] * 4,
        "mac",
    ]


async def test_a_forgotten_node_lets_nobody_in(scope: Scope, roster: TunnelStore) -> None:
    await roster.invite(MAC, "digest", NOW + 10)
    await NodeStore(scope).delete(MAC)
    assert await roster.invited("digest", NOW) is None
    assert not await roster.is_used()
