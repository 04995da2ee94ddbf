"""Nodes, their endpoints, and what was measured of them, in the database."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import JSON, BigInteger, Boolean, Double, ForeignKey, Integer, String, delete, select
from sqlalchemy.orm import Mapped, mapped_column, relationship

from halext.nodes.types import Cordon, Node, Rates
from halext.storage.base import Base
from halext.storage.scope import Scope
from halext.types import EndpointId, Kind, ModelName, NodeName, SecretRef
from halext.upstream import Endpoint, Via


class NodeRow(Base):
    """A machine."""

    __tablename__ = "nodes"
    name: Mapped[str] = mapped_column(String(63), primary_key=True)
    memory_bytes: Mapped[int | None] = mapped_column(BigInteger)
    tags: Mapped[list[str]] = mapped_column(JSON)
    cordon: Mapped[str] = mapped_column(String(16))
    cordon_until: Mapped[float | None] = mapped_column(Double)
    builtin: Mapped[bool] = mapped_column(Boolean)
    created_at: Mapped[float] = mapped_column(Double)
    endpoints: Mapped[list[EndpointRow]] = relationship(
        order_by="EndpointRow.position", cascade="all, delete-orphan", lazy="selectin"
    )


class EndpointRow(Base):
    """A server on a machine."""

    __tablename__ = "endpoints"
    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    node: Mapped[str] = mapped_column(ForeignKey("nodes.name", ondelete="CASCADE"), index=True)
    position: Mapped[int] = mapped_column(Integer)
    kind: Mapped[Kind] = mapped_column(String(32))
    url: Mapped[str] = mapped_column(String(512), unique=True)
    cidrs: Mapped[list[str]] = mapped_column(JSON)
    secret: Mapped[str | None] = mapped_column(String(255))
    slots: Mapped[int | None] = mapped_column(Integer)
    insecure: Mapped[bool] = mapped_column(Boolean)
    via: Mapped[Via] = mapped_column(String(16), server_default="direct")


class RateRow(Base):
    """What was measured of one model on one endpoint."""

    __tablename__ = "rates"
    endpoint: Mapped[str] = mapped_column(ForeignKey("endpoints.id", ondelete="CASCADE"), primary_key=True)
    model: Mapped[str] = mapped_column(String(255), primary_key=True)
    decode_tps: Mapped[float] = mapped_column(Double)
    decode_count: Mapped[int] = mapped_column(Integer)
    prefill_tps: Mapped[float] = mapped_column(Double)
    prefill_count: Mapped[int] = mapped_column(Integer)
    load_s: Mapped[float] = mapped_column(Double)
    load_count: Mapped[int] = mapped_column(Integer)
    last_total_s: Mapped[float] = mapped_column(Double)


_MEASURED = ("decode_tps", "decode_count", "prefill_tps", "prefill_count", "load_s", "load_count", "last_total_s")


class NodeStore:
    """The house's nodes: they belong to nobody, and only those who may manage nodes change them."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def load(self) -> Sequence[Node]:
        """All nodes, by name."""
        async with self._scope.read() as session:
            return [_node(row) for row in await session.scalars(select(NodeRow).order_by(NodeRow.name))]

    async def save(self, node: Node) -> None:
        """Insert or replace one node with its endpoints."""
        async with self._scope.write() as session:
            row = await session.get(NodeRow, node.name)
            if row is None:
                row = NodeRow(name=node.name, builtin=node.builtin, created_at=node.created_at, endpoints=[])
                session.add(row)
            row.memory_bytes, row.tags = node.memory_bytes, list(node.tags)
            row.cordon, row.cordon_until = str(node.cordon), node.cordon_until
            known = {endpoint.id: endpoint for endpoint in row.endpoints}
            row.endpoints = [_row(endpoint, known.get(endpoint.id), i) for i, endpoint in enumerate(node.endpoints)]

    async def delete(self, name: NodeName) -> None:
        """Forget one node, with all that was measured of it."""
        async with self._scope.write() as session:
            await session.execute(delete(NodeRow).where(NodeRow.name == name))

    async def load_rates(self) -> Sequence[tuple[EndpointId, ModelName, Rates]]:
        """All measured rates."""
        async with self._scope.read() as session:
            return [
                (EndpointId(row.endpoint), ModelName(row.model), Rates(**{key: getattr(row, key) for key in _MEASURED}))
                for row in await session.scalars(select(RateRow))
            ]

    async def save_rates(self, rates: Sequence[tuple[EndpointId, ModelName, Rates]]) -> None:
        """Insert or replace these rates; those of endpoints that are gone meanwhile are left out."""
        async with self._scope.write() as session:
            known = set(await session.scalars(select(EndpointRow.id)))
            for endpoint, model, values in rates:
                if endpoint in known:
                    measured = {key: getattr(values, key) for key in _MEASURED}
                    await session.merge(RateRow(endpoint=endpoint, model=model, **measured))


def _row(endpoint: Endpoint, row: EndpointRow | None, position: int) -> EndpointRow:
    row = row or EndpointRow(id=endpoint.id, node=endpoint.node)
    row.position, row.kind, row.url = position, endpoint.kind, endpoint.url
    row.cidrs, row.secret = list(endpoint.cidrs), endpoint.secret
    row.slots, row.insecure, row.via = endpoint.slots, endpoint.insecure, endpoint.via
    return row


def _node(row: NodeRow) -> Node:
    return Node(
        name=NodeName(row.name),
        endpoints=tuple(_endpoint(endpoint) for endpoint in row.endpoints),
        memory_bytes=row.memory_bytes,
        tags=tuple(row.tags),
        cordon=Cordon(row.cordon),
        cordon_until=row.cordon_until,
        builtin=row.builtin,
        created_at=row.created_at,
    )


def _endpoint(row: EndpointRow) -> Endpoint:
    return Endpoint(
        id=EndpointId(row.id),
        node=NodeName(row.node),
        kind=row.kind,
        url=row.url,
        cidrs=tuple(row.cidrs),
        secret=SecretRef(row.secret) if row.secret else None,
        slots=row.slots,
        insecure=row.insecure,
        via=row.via,
    )
