"""Who may dial in, and what stands behind a tunnel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from halext.types import NodeName
from halext.upstream import Channel, Receiver


@dataclass(frozen=True, slots=True)
class Invited:
    """An ssh user name that shows a one-time code; `digest` is what is kept of the code."""

    digest: str


@dataclass(frozen=True, slots=True)
class Member:
    """An ssh user name that is a node's."""

    node: NodeName


Claim = Invited | Member
"""Who somebody says they are, before any key has been looked at."""


class Roster(Protocol):
    """Codes and keys of the computers that dial in: `tunnel.store`. A node has one key, and a key one node."""

    async def invited(self, digest: str, now: float) -> NodeName | None:
        """The node that a code was made for; None when it is unknown, used or too old."""

    async def key_of(self, node: NodeName) -> str | None:
        """The node's public key, as `type base64`; None when it has none yet."""

    async def enrol(self, digest: str, public_key: str, now: float) -> NodeName | None:
        """Use up a code and give its node this key, in one step; None when the code or the key can't be used."""


class Line(Protocol):
    """One live ssh connection of a node."""

    async def open(self, port: int, receiver: Receiver, /) -> Channel:
        """A channel to the server on this port of the node.

        Raises `ConnectionRefusedError` when nothing answers there, `ConnectionResetError` when the line is gone.
        """

    def end(self) -> None:
        """Hang up."""
