"""One request on its way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from halext.accounts.types import Caller, Outcome
from halext.messages import EmbedRequest, TextRequest, Usage
from halext.routing.types import Estimate, Rejected
from halext.types import EndpointId, ModelName, NodeName, RequestId


@dataclass(frozen=True, slots=True)
class Ask:
    """What a door hands to the gateway."""

    id: RequestId
    caller: Caller
    request: TextRequest | EmbedRequest
    node: NodeName | None = None
    """Only this node, for `--node`."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One decision of routing, kept for whoever asks why."""

    node: NodeName
    endpoint: EndpointId
    estimates: tuple[Estimate, ...]
    rejected: tuple[Rejected, ...]
    waited_s: float


@dataclass(slots=True)
class Record:
    """What happened to one request; grows while it runs, and is readable by its owner afterwards."""

    id: RequestId
    caller: Caller
    model: ModelName
    started_at: float
    kind: Literal["chat", "completion", "embed", "image"]
    node: NodeName | None = None
    endpoint: EndpointId | None = None
    choices: list[Choice] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """A sentence per attempt that failed."""
    first_token_s: float | None = None
    total_s: float | None = None
    usage: Usage = field(default_factory=Usage)
    tokens_per_s: float | None = None
    """How fast the pieces came after the first one: the node's own figure where it gives one."""
    outcome: Outcome | None = None
    """None while it runs."""
    cached: bool = False
    """The answer was kept from before: no node has worked on this."""
