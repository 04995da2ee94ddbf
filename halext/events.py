"""What has happened, in the past tense: published by the rooms, heard by alerts, logs and pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from halext.types import EndpointId, NodeName


@dataclass(frozen=True, slots=True)
class EndpointEjected:
    """An endpoint was taken out of routing because it failed."""

    node: NodeName
    endpoint: EndpointId
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class EndpointReadmitted:
    """An endpoint answers again and takes requests."""

    node: NodeName
    endpoint: EndpointId
    at: float


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """An endpoint went from one status to another."""

    node: NodeName
    endpoint: EndpointId
    before: str
    after: str
    reason: str
    at: float


Event = EndpointEjected | EndpointReadmitted | StatusChanged


class Publish(Protocol):
    """Hands an event to whoever listens; never waits and never fails."""

    def __call__(self, event: Event, /) -> None:
        """Publish one event."""
