"""Which tunnels are up, and the way through them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from halext.errors import Unreachable
from halext.tunnel.types import Line
from halext.types import NodeName
from halext.upstream import Channel, Endpoint, Receiver


class Changed(Protocol):
    """Hears of every tunnel that comes or goes; never waits and never fails."""

    def __call__(self, node: NodeName, /, *, up: bool) -> None:
        """The node can be reached through its tunnel (told again for each port that it offers), or no more."""


@dataclass(slots=True)
class _Tunnel:
    line: Line
    ports: set[int] = field(default_factory=set)


class Tunnels:
    """One tunnel per node, the newest. Knows nothing of ssh: `tunnel.peer` brings the lines."""

    def __init__(self) -> None:
        self._tunnels: dict[NodeName, _Tunnel] = {}
        self._listeners: list[Changed] = []
        self.wanted = asyncio.Event()
        """Set once any computer may dial in: before that, no port has to be open."""
        self.port: int | None = None
        """Where computers dial in, while that is open."""

    def listen(self, changed: Changed) -> None:
        """Call `changed` whenever a tunnel comes or goes."""
        self._listeners.append(changed)

    def is_up(self, node: NodeName) -> bool:
        """Whether the node is dialled in."""
        return node in self._tunnels

    def offer(self, node: NodeName, line: Line, port: int) -> None:
        """The node can be reached at this port through this line. Another line that it had is hung up."""
        tunnel = self._tunnels.get(node)
        if tunnel is None or tunnel.line is not line:
            if tunnel is not None:
                tunnel.line.end()
            tunnel = self._tunnels[node] = _Tunnel(line)
        tunnel.ports.add(port)
        self._tell(node, up=True)

    def withdraw(self, node: NodeName, line: Line, port: int) -> None:
        """The node offers this port no more."""
        tunnel = self._tunnels.get(node)
        if tunnel is not None and tunnel.line is line:
            tunnel.ports.discard(port)

    def lost(self, node: NodeName, line: Line) -> None:
        """A line has ended; that of one that was replaced before changes nothing."""
        tunnel = self._tunnels.get(node)
        if tunnel is not None and tunnel.line is line:
            del self._tunnels[node]
            self._tell(node, up=False)

    def hang_up(self, node: NodeName) -> None:
        """End the node's tunnel, if it has one."""
        if tunnel := self._tunnels.get(node):
            tunnel.line.end()

    async def open_channel(self, endpoint: Endpoint, receiver: Receiver) -> Channel:
        """A channel to a server on a node. Raises `Unreachable` in the words of the step that failed."""
        port = int(endpoint.url.rpartition(":")[2])
        tunnel = self._tunnels.get(endpoint.node)
        if tunnel is None:
            raise down(endpoint)
        if port not in tunnel.ports:
            raise _unreachable(endpoint, f"is dialled in but does not offer its port {port}.")
        try:
            return await tunnel.line.open(port, receiver)
        except ConnectionRefusedError as error:
            raise _unreachable(
                endpoint, f"is dialled in, but nothing answers on its port {port}; is its server running?"
            ) from error
        except ConnectionResetError as error:
            raise down(endpoint) from error

    def _tell(self, node: NodeName, *, up: bool) -> None:
        for changed in self._listeners:
            changed(node, up=up)


def down(endpoint: Endpoint) -> Unreachable:
    """What is said of a node that is not dialled in."""
    return _unreachable(endpoint, "is not dialled in: its tunnel is down.")


def _unreachable(endpoint: Endpoint, what: str) -> Unreachable:
    return Unreachable(f"{endpoint.node} {what}", node=endpoint.node, endpoint=endpoint.id)
