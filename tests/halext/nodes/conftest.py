"""A driver that does what the test says."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import pytest

from halext.errors import UpstreamError
from halext.events import Event
from halext.messages import ChatChunk, EmbedReply, EmbedRequest, TextRequest
from halext.nodes.registry import Registry
from halext.nodes.types import Node
from halext.testing.clock import ManualClock
from halext.types import EndpointId, Kind, ModelName, NodeName
from halext.upstream import Driver, Endpoint, ModelDetails, ModelInfo, Sighting


def node(name: str, *urls: str) -> Node:
    addresses = urls or (f"http://{name}:11434",)
    endpoints = (
        Endpoint(EndpointId(f"{name}-{i}" if i else name), NodeName(name), "ollama", url)
        for i, url in enumerate(addresses)
    )
    return Node(NodeName(name), tuple(endpoints))


def sighting(*models: str, slots: int | None = None) -> Sighting:
    return Sighting("1", tuple(ModelInfo(ModelName(name)) for name in models), slots=slots)


@dataclass
class Scripted:
    """Answers looks from a list per endpoint; the last answer repeats."""

    answers: dict[str, list[Sighting | UpstreamError]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def look(self, endpoint: Endpoint) -> Sighting:
        self.asked.append(endpoint.id)
        script = self.answers[endpoint.id]
        answer = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(answer, UpstreamError):
            raise answer
        return answer

    async def show(self, endpoint: Endpoint, model: ModelName) -> ModelDetails:
        raise NotImplementedError

    def generate(self, endpoint: Endpoint, request: TextRequest) -> AsyncGenerator[ChatChunk, None]:
        raise NotImplementedError

    async def embed(self, endpoint: Endpoint, request: EmbedRequest) -> EmbedReply:
        raise NotImplementedError

    async def unload(self, endpoint: Endpoint, model: ModelName) -> None:
        raise NotImplementedError

    def __call__(self, kind: Kind, /) -> Driver:
        return self


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def registry(clock: ManualClock, events: list[Event]) -> Registry:
    return Registry(records=None, clock=clock, publish=events.append)


@pytest.fixture
def driver() -> Scripted:
    return Scripted()
