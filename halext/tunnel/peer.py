"""One home computer at the door: who it is, and the little that it may do.

Everything that is not written here is refused: asyncssh's defaults say no to shells, commands, sftp, forwards towards
us, unix paths, tun devices and passwords.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import asyncssh

from halext.errors import HalextError
from halext.tunnel import policy
from halext.tunnel.channel import Session
from halext.tunnel.gate import Gate
from halext.tunnel.hostkey import public_text
from halext.tunnel.hub import Tunnels
from halext.tunnel.types import Claim, Invited, Member, Roster
from halext.types import Clock, NodeName
from halext.upstream import Channel, Receiver

_log = logging.getLogger(__name__)


class Peer(asyncssh.SSHServer):
    """The server's side of one connection. A `Line` once it is admitted; in `present` for as long as it lasts."""

    def __init__(self, roster: Roster, tunnels: Tunnels, gate: Gate, clock: Clock, present: set[Peer]) -> None:
        self._roster = roster
        self._tunnels = tunnels
        self._gate = gate
        self._clock = clock
        self._present = present
        self._conn: asyncssh.SSHServerConnection | None = None
        self._address: str | None = None
        """Where it stands in the gate; None when it does not."""
        self._claim: Claim | None = None
        self._wanted_key: str | None = None
        """The only key for this claim; None when any may be offered (with a good code) or none will do."""
        self._shown_key = ""
        self._node: NodeName | None = None
        self._decided = asyncio.Event()

    # --- coming and going ---

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Somebody knocks."""
        self._conn = conn
        self._present.add(self)
        peer = conn.get_extra_info("peername")
        address = str(peer[0]) if peer else ""
        if self._gate.enter(address):
            self._address = address
        else:
            conn.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        del exc
        self._present.discard(self)
        self._leave_gate()
        self._decided.set()
        if self._node is not None:
            self._tunnels.lost(self._node, self)

    def _leave_gate(self) -> None:
        if self._address is not None:
            self._gate.leave(self._address)
            self._address = None

    # --- who it is ---

    async def begin_auth(self, username: str) -> bool:
        """Look up who that is; a key must always be shown."""
        self._claim = self._wanted_key = None
        match claim := policy.claim(username):
            case Invited(digest):
                self._claim = claim if await self._roster.invited(digest, self._clock.now()) else None
            case Member(node):
                self._wanted_key = await self._roster.key_of(node)
                self._claim = claim if self._wanted_key else None
            case None:
                pass
        return True

    def public_key_auth_supported(self) -> bool:
        """The only way in."""
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Whether this key would do. Asked for offers too that nothing proves yet, so nothing is bound here."""
        del username
        self._shown_key = public_text(key)
        return self._claim is not None and self._wanted_key in {None, self._shown_key}

    async def auth_completed(self) -> None:
        """The signature was good: only now a code binds the key."""
        self._leave_gate()
        try:
            self._node = await self._admit(self._claim, self._shown_key)
        except HalextError as error:
            _log.warning("a tunnel can't be admitted: %s", error.message)
        self._decided.set()
        if self._node is None:
            self.end()

    async def _admit(self, claim: Claim | None, key: str) -> NodeName | None:
        match claim:
            case Invited(digest):
                node = await self._roster.enrol(digest, key, self._clock.now())
                if node is not None:
                    _log.info("%s has joined with a key of its own", node)
                return node
            case Member(node):
                return node
            case None:
                return None

    # --- what it may do ---

    async def server_requested(self, listen_host: str, listen_port: int) -> asyncssh.SSHListener | bool:
        """It offers a port of its own, with `-R`. No socket is opened for it here."""
        await self._decided.wait()
        if self._node is None or not policy.may_forward(listen_host, listen_port):
            _log.info("%s was refused to forward %r port %d", self._node, listen_host, listen_port)
            return False
        node = self._node
        self._tunnels.offer(node, self, listen_port)
        return _Offer(listen_port, lambda: self._tunnels.withdraw(node, self, listen_port))

    # --- the line ---

    async def open(self, port: int, receiver: Receiver) -> Channel:
        """A channel to a port that it offers."""
        if self._conn is None or self._conn.is_closed():
            raise ConnectionResetError("the ssh connection is gone")
        try:
            channel, _ = await self._conn.create_connection(
                lambda: Session(receiver), policy.FORWARD_HOST, port, policy.FORWARD_HOST, 0
            )
        except asyncssh.Error as error:
            if self._conn.is_closed():
                raise ConnectionResetError("the ssh connection broke") from error
            raise ConnectionRefusedError(str(error)) from error
        return channel

    def end(self) -> None:
        """Hang up."""
        if self._conn is not None:
            self._conn.abort()


class _Offer(asyncssh.SSHListener):
    """What asyncssh holds for an accepted `-R`: no socket, only a way to take the offer back."""

    def __init__(self, port: int, withdraw: Callable[[], None]) -> None:
        super().__init__()
        self._port = port
        self._withdraw = withdraw

    def get_port(self) -> int:
        """The port as it was asked for."""
        return self._port

    def close(self) -> None:
        """It is offered no more."""
        self._withdraw()

    async def wait_closed(self) -> None:
        """Nothing is left to close."""
