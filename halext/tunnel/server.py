"""The ssh server that home computers dial into. It gives them nothing; they offer it their own servers."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncssh

from halext.errors import PortInUse
from halext.tunnel.gate import Gate
from halext.tunnel.hostkey import HostKey
from halext.tunnel.hub import Tunnels
from halext.tunnel.peer import Peer
from halext.tunnel.types import Roster
from halext.types import Clock

KEEPALIVE_S = 15
KEEPALIVE_MISSES = 2
"""A line that went dead in silence is noticed after 45 s; requests through it give up long before."""
LOGIN_TIMEOUT_S = 10


@asynccontextmanager
async def listening(
    host: str, port: int, key: HostKey, *, roster: Roster, tunnels: Tunnels, clock: Clock, gate: Gate | None = None
) -> AsyncIterator[int]:
    """Let computers dial in until the block ends; gives the port. An empty host is every address of this machine.

    Raises `PortInUse`.
    """
    asyncssh.set_log_level(logging.ERROR)  # below that it writes user names, and with them codes
    door, present = gate or Gate(), set[Peer]()
    try:
        server = await asyncssh.listen(
            host,
            port,
            server_host_keys=[key.private],
            server_factory=lambda: Peer(roster, tunnels, door, clock, present),
            keepalive_interval=KEEPALIVE_S,
            keepalive_count_max=KEEPALIVE_MISSES,
            login_timeout=LOGIN_TIMEOUT_S,
            public_key_auth=True,
            password_auth=False,
            kbdint_auth=False,
            host_based_auth=False,
            gss_host=None,
            agent_forwarding=False,
            x11_forwarding=False,
            allow_pty=False,
            compression_algs=None,
            config=[],
        )
    except OSError as error:
        message = f"Computers can't dial in on port {port}: {error.strerror or error}. Set HALEXT_TUNNEL_PORT."
        raise PortInUse(message) from error
    tunnels.port = server.get_port()
    try:
        yield tunnels.port
    finally:
        tunnels.port = None
        server.close()
        for peer in list(present):
            peer.end()
        await server.wait_closed()
