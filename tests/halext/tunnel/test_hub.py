from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from unittest.mock import Mock

import pytest

from halext.errors import Unreachable
from halext.tunnel.hub import Tunnels
from halext.types import NodeName
from halext.upstream import Channel, Receiver

from .conftest import Watch, endpoint

MAC = NodeName("mac")


@dataclass
class FakeLine:
    """A line whose channels fail as told."""

    failure: OSError | None = None
    opened: list[int] = field(default_factory=list)
    has_ended: bool = False

    async def open(self, port: int, receiver: Receiver, /) -> Channel:
        del receiver
        if self.failure:
            raise self.failure
        self.opened.append(port)
        return Mock(spec=Channel)

    def end(self) -> None:
        self.has_ended = True


@pytest.fixture
def tunnels() -> Tunnels:
    return Tunnels()


@pytest.fixture
def watch(tunnels: Tunnels) -> Watch:
    watch = Watch(tunnels)
    tunnels.listen(watch)
    return watch


async def test_a_channel_goes_through_the_nodes_own_line(tunnels: Tunnels, watch: Watch) -> None:
    mac, pc = FakeLine(), FakeLine()
    tunnels.offer(MAC, mac, 11434)
    tunnels.offer(NodeName("pc"), pc, 11434)
    await tunnels.open_channel(endpoint(), asyncio.Protocol())
    assert (mac.opened, pc.opened) == ([11434], [])
    assert watch.told == [("mac", True), ("pc", True)]


async def test_a_new_line_replaces_the_old_one(tunnels: Tunnels, watch: Watch) -> None:
    old, new = FakeLine(), FakeLine()
    tunnels.offer(MAC, old, 11434)
    tunnels.offer(MAC, new, 8080)
    assert (old.has_ended, new.has_ended) == (True, False)
    tunnels.lost(MAC, old)
    tunnels.withdraw(MAC, old, 8080)
    assert tunnels.is_up(MAC)
    await tunnels.open_channel(endpoint(port=8080), asyncio.Protocol())
    with pytest.raises(Unreachable, match="does not offer its port 11434"):
        await tunnels.open_channel(endpoint(), asyncio.Protocol())
    tunnels.lost(MAC, new)
    tunnels.lost(MAC, new)
    assert watch.told == [("mac", True), ("mac", True), ("mac", False)]


async def test_a_line_may_take_an_offer_back(tunnels: Tunnels) -> None:
    line = FakeLine()
    tunnels.offer(MAC, line, 11434)
    tunnels.withdraw(MAC, line, 11434)
    assert tunnels.is_up(MAC)
    with pytest.raises(Unreachable, match="does not offer"):
        await tunnels.open_channel(endpoint(), asyncio.Protocol())


async def test_what_is_wrong_is_said(tunnels: Tunnels) -> None:
    with pytest.raises(Unreachable, match="mac is not dialled in: its tunnel is down") as caught:
        await tunnels.open_channel(endpoint(), asyncio.Protocol())
    assert (caught.value.node, caught.value.endpoint) == ("mac", "mac")
    tunnels.offer(MAC, FakeLine(ConnectionResetError()), 11434)
    with pytest.raises(Unreachable, match="tunnel is down"):
        await tunnels.open_channel(endpoint(), asyncio.Protocol())
    tunnels.offer(MAC, FakeLine(ConnectionRefusedError()), 11434)
    with pytest.raises(Unreachable, match="nothing answers on its port 11434"):
        await tunnels.open_channel(endpoint(), asyncio.Protocol())


def test_hanging_up(tunnels: Tunnels) -> None:
    line = FakeLine()
    tunnels.hang_up(MAC)
    tunnels.offer(MAC, line, 11434)
    tunnels.hang_up(MAC)
    assert line.has_ended
    assert tunnels.is_up(MAC), "until the line says that it has ended"
