"""Machines, their endpoints, and how they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from halext.types import EndpointId, ModelName, NodeName
from halext.upstream import Endpoint, Sighting


class Status(StrEnum):
    """How an endpoint is. A closed set: every page and every policy knows all of them."""

    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    BUSY = "busy"
    DEGRADED = "degraded"
    OFFLINE = "offline"
    MISCONFIGURED = "misconfigured"
    RATE_LIMITED = "rate-limited"


class Cordon(StrEnum):
    """What a person decided about a node: no new requests, with running ones left alone or being waited for."""

    OPEN = "open"
    CORDONED = "cordoned"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True)
class Node:
    """A machine that we own or borrow, with the servers on it."""

    name: NodeName
    endpoints: tuple[Endpoint, ...]
    memory_bytes: int | None = None
    tags: tuple[str, ...] = ()
    cordon: Cordon = Cordon.OPEN
    cordon_until: float | None = None
    """When the cordon ends by itself; None means that a person ends it."""
    builtin: bool = False
    """The small model that halext brings along: used by name, or when nothing else can answer."""
    created_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Health:
    """What checks and real traffic say of one endpoint; changed only by `nodes.policy`."""

    status: Status = Status.UNKNOWN
    reason: str = ""
    since: float = 0.0
    failed_checks: int = 0
    """Checks that failed in a row."""
    failing_since: float | None = None
    good_checks: int = 0
    """Checks that succeeded in a row."""
    failed_requests: int = 0
    """Requests that failed in a row, not counting the caller's own mistakes."""
    ejected: bool = False
    """Takes no requests, because it failed."""
    retry_at: float = 0.0
    """Until then it takes no requests: the breaker's pause, or the server's own Retry-After."""
    pauses: int = 0
    """How often in a row the breaker has paused it; each pause is twice as long."""
    last_seen_at: float | None = None
    latency_s: float | None = None
    """How long its last good check took."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What was measured of one model on one endpoint; zero counts mean that nothing is known yet.

    Rates are tokens per second of one stream, moving averages over `…_count` samples.
    """

    decode_tps: float = 0.0
    decode_count: int = 0
    prefill_tps: float = 0.0
    prefill_count: int = 0
    load_s: float = 0.0
    load_count: int = 0
    last_total_s: float = 0.0
    """How long the last answer took as a whole: used where nothing better is known."""


@dataclass(frozen=True, slots=True)
class EndpointState:
    """One endpoint as routing and the pages see it: an immutable snapshot."""

    node: Node
    endpoint: Endpoint
    health: Health = field(default_factory=Health)
    sighting: Sighting | None = None
    """None until it has been seen once; kept while it is offline."""
    sighted_at: float | None = None
    rates: tuple[tuple[ModelName, Rates], ...] = ()


class NodeRecords(Protocol):
    """Where nodes are kept between runs: `nodes.store` in a database, or nothing at all for the library."""

    async def load(self) -> Sequence[Node]:
        """All nodes."""

    async def save(self, node: Node) -> None:
        """Insert or replace one node with its endpoints."""

    async def delete(self, name: NodeName) -> None:
        """Forget one node."""

    async def load_rates(self) -> Sequence[tuple[EndpointId, ModelName, Rates]]:
        """All measured rates."""

    async def save_rates(self, rates: Sequence[tuple[EndpointId, ModelName, Rates]]) -> None:
        """Insert or replace these rates."""
