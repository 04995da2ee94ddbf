"""The table of keys and codes."""

from __future__ import annotations

from sqlalchemy import Double, ForeignKey, String, Text, select
from sqlalchemy.orm import Mapped, mapped_column

from halext.storage.base import Base
from halext.storage.scope import Scope
from halext.types import NodeName


class TunnelKeyRow(Base):
    """What lets one node's computer in: the key it was given by a code, or the code that waits to be used."""

    __tablename__ = "tunnel_keys"
    node: Mapped[str] = mapped_column(ForeignKey("nodes.name", ondelete="CASCADE"), primary_key=True)
    public_key: Mapped[str | None] = mapped_column(Text, unique=True)
    enrolled_at: Mapped[float | None] = mapped_column(Double)
    code_digest: Mapped[str | None] = mapped_column(String(64), unique=True)
    code_expires_at: Mapped[float | None] = mapped_column(Double)


class TunnelStore:
    """The house's tunnels: they belong to nodes, and only those who may manage nodes make codes. A `Roster`."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def invite(self, node: NodeName, digest: str, expires_at: float) -> None:
        """Keep a new code for a node. The one before it, and the key that the node had, are good for nothing more."""
        async with self._scope.write() as session:
            row = await session.get(TunnelKeyRow, node)
            if row is None:
                row = TunnelKeyRow(node=node)
                session.add(row)
            row.public_key = row.enrolled_at = None
            row.code_digest, row.code_expires_at = digest, expires_at

    async def invited(self, digest: str, now: float) -> NodeName | None:
        """The node that a code was made for; None when it is unknown, used or too old."""
        statement = select(TunnelKeyRow.node).where(
            TunnelKeyRow.code_digest == digest, TunnelKeyRow.code_expires_at > now
        )
        async with self._scope.read() as session:
            node = await session.scalar(statement)
        return NodeName(node) if node is not None else None

    async def key_of(self, node: NodeName) -> str | None:
        """The node's public key; None when it has none yet."""
        async with self._scope.read() as session:
            return await session.scalar(select(TunnelKeyRow.public_key).where(TunnelKeyRow.node == node))

    async def enrol(self, digest: str, public_key: str, now: float) -> NodeName | None:
        """Use up a code and give its node this key, in one step; None when the code or the key can't be used."""
        usable = select(TunnelKeyRow).where(TunnelKeyRow.code_digest == digest, TunnelKeyRow.code_expires_at > now)
        async with self._scope.write() as session:
            # The row is locked where the database can, so that of two who show the same code one finds it gone.
            row = await session.scalar(usable.with_for_update())
            taken = await session.scalar(select(TunnelKeyRow.node).where(TunnelKeyRow.public_key == public_key))
            if row is None or taken is not None:
                return None
            row.public_key, row.enrolled_at = public_key, now
            row.code_digest = row.code_expires_at = None
            return NodeName(row.node)

    async def is_used(self) -> bool:
        """Whether any computer may dial in: without one, no port has to be open."""
        async with self._scope.read() as session:
            return await session.scalar(select(TunnelKeyRow.node).limit(1)) is not None
