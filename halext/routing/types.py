"""What routing considers and what it returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from halext.nodes.types import Rates
from halext.types import EndpointId, ModelName, NodeName


@dataclass(frozen=True, slots=True)
class Need:
    """What a request asks of a node, as far as choosing one goes."""

    prompt_tokens: int
    output_tokens: int
    waited_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """One endpoint that could serve the request, with all that the estimate reads."""

    node: NodeName
    endpoint: EndpointId
    model: ModelName
    """The model's name as this endpoint spells it."""
    resident: bool
    size_bytes: int
    slots: int
    in_flight: int
    """Requests of ours that the endpoint works on now, of any model."""
    latency_s: float = 0.0
    penalty_s: float = 0.0
    """Added for recent failures: a quick failure must not look like a fast node."""
    rates: Rates = field(default_factory=Rates)
    tie: int = 0
    """Breaks ties evenly; the caller turns it from request to request."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """How soon one candidate would finish, in seconds, and why."""

    node: NodeName
    endpoint: EndpointId
    score_s: float
    finish_s: float
    first_token_s: float
    can_start: bool
    """It has a free slot now."""
    terms: Mapping[str, float]
    """The parts that `finish_s` is the sum of: network, penalty, wait, load, prefill, decode."""
    reason: str
    """The same in words: "warm, 1 of 4 slots"."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """An endpoint that has the model and is no candidate, and why."""

    node: NodeName
    endpoint: EndpointId
    reason: str


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Send it there now."""

    candidate: Candidate
    estimates: tuple[Estimate, ...]
    """Best first; the first is the one chosen."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Wait at the gateway: the best candidate has no free slot."""

    want: Candidate
    start_in_s: float
    estimates: tuple[Estimate, ...]


@dataclass(frozen=True, slots=True)
class NoNode:
    """Nobody can: the three reasons have three remedies."""

    why: Literal["no_node_online", "no_node_has_model", "unknown_model"]


Decision = Dispatch | Hold | NoNode
