"""A gateway over nodes that fail when they are told to."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

import pytest

from halext.accounts.quotas.types import Quota
from halext.accounts.types import LOCAL, UsageEntry
from halext.errors import Interrupted, UpstreamError
from halext.gateway.dispatch import Gateway, Options
from halext.gateway.types import Ask
from halext.messages import (
    ChatChunk,
    ChatRequest,
    CompletionRequest,
    Done,
    EmbedReply,
    EmbedRequest,
    Message,
    TextRequest,
    Timings,
    Usage,
)
from halext.nodes.registry import Registry
from halext.nodes.types import Node, Rates
from halext.testing.clock import ManualClock
from halext.types import EndpointId, Kind, ModelName, NodeName, RequestId
from halext.upstream import Driver, Endpoint, ModelDetails, ModelInfo, Sighting

WORDS = ("a", "b", "c")
M = ModelName("m")


@dataclass
class Machine:
    """What one endpoint does with its next requests: a list of failures, each (pieces before it, error).

    None instead of an error means that the answer just ends there.
    """

    faults: list[tuple[int, Exception | None]] = field(default_factory=list)
    gate: asyncio.Event | None = None
    """Holds the first piece back until it is set."""
    began: asyncio.Event = field(default_factory=asyncio.Event)
    served: int = 0
    closed_early: int = 0

    async def pieces(self) -> AsyncGenerator[str, None]:
        self.began.set()
        self.served += 1
        fault = self.faults.pop(0) if self.faults else None
        try:
            if self.gate:
                await self.gate.wait()
            for number, word in enumerate(WORDS):
                if fault and fault[0] == number:
                    raise fault[1] or Ends
                yield word
            if fault:
                raise fault[1] or Ends
        except (GeneratorExit, asyncio.CancelledError):
            self.closed_early += 1
            raise


class Ends(Exception):
    """The answer is over before its end."""


class Machines:
    """The driver of all kinds."""

    def __init__(self, *names: str) -> None:
        self.of = defaultdict(Machine, {name: Machine() for name in names})

    def __call__(self, kind: Kind, /) -> Driver:
        return self

    async def look(self, endpoint: Endpoint) -> Sighting:
        raise NotImplementedError

    async def show(self, endpoint: Endpoint, model: ModelName) -> ModelDetails:
        async for _ in self.of[endpoint.id].pieces():
            pass
        return ModelDetails(ModelInfo(model), template=endpoint.id)

    async def generate(self, endpoint: Endpoint, request: TextRequest) -> AsyncGenerator[ChatChunk, None]:
        pieces = self.of[endpoint.id].pieces()
        try:
            async for word in pieces:
                yield ChatChunk(word)
        except Ends:
            return
        except UpstreamError as error:
            if not isinstance(error, Interrupted):
                error.node, error.endpoint = endpoint.node, endpoint.id
            raise
        finally:
            await pieces.aclose()
        yield ChatChunk(done=Done(usage=Usage(10, len(WORDS)), timings=Timings(eval_s=0.003)))

    async def embed(self, endpoint: Endpoint, request: EmbedRequest) -> EmbedReply:
        async for _ in self.of[endpoint.id].pieces():
            pass
        return EmbedReply(tuple((1.0,) for _ in request.inputs), Usage(7))

    async def unload(self, endpoint: Endpoint, model: ModelName) -> None:
        raise NotImplementedError


class Entries(list[UsageEntry]):
    """A ledger to look into."""

    def record(self, entry: UsageEntry) -> None:
        self.append(entry)


@dataclass
class House:
    """Everything that a test holds in its hands."""

    registry: Registry
    machines: Machines
    gateway: Gateway
    ledger: Entries
    clock: ManualClock
    looked: list[EndpointId]

    def ask(self, model: str = "m", *, node: str | None = None, request: TextRequest | None = None) -> Ask:
        chat = request or ChatRequest(ModelName(model), (Message("user", "hi"),))
        return Ask(self.gateway.new_id(), LOCAL, chat, NodeName(node) if node else None)

    def embed(self, *texts: str, model: str = M) -> Ask:
        return Ask(self.gateway.new_id(), LOCAL, EmbedRequest(ModelName(model), texts))

    def prefer(self, name: str) -> None:
        """The node that has the model in memory is the first choice."""
        self.registry.worked(EndpointId(name), M, Rates())

    async def text(self, ask: Ask) -> str:
        return "".join([chunk.text async for chunk in self.gateway.generate(ask)])

    def outcome(self, request: RequestId) -> str | None:
        record = self.gateway.records.find(request)
        return record.outcome if record else "unknown"

    def is_idle(self) -> bool:
        flying = sum(self.gateway.in_flight(state.endpoint.id) for state in self.registry.states())
        return flying == 0 and self.gateway.waiting == 0


async def furnish(
    *names: str, models: Sequence[str] = ("m",), options: Options | None = None, quota: Quota | None = None
) -> House:
    """A house with one node per name, all seen and healthy."""
    clock, looked = ManualClock(), list[EndpointId]()
    registry = Registry(records=None, clock=clock, publish=lambda _event: None)
    machines, ledger = Machines(*names), Entries()
    gateway = Gateway(
        registry=registry,
        drivers=machines,
        clock=clock,
        ledger=ledger,
        quota=quota,
        options=options,
        look_again=looked.append,
    )
    for name in names:
        endpoint = Endpoint(EndpointId(name), NodeName(name), "ollama", f"http://{name}:1")
        await registry.add(Node(NodeName(name), (endpoint,), builtin=name == "builtin"))
        seen = Sighting(models=tuple(ModelInfo(ModelName(model), size_bytes=10**9) for model in models))
        registry.saw(endpoint.id, seen, asked_at=clock.now())
    return House(registry, machines, gateway, ledger, clock, looked)


@pytest.fixture
async def house() -> House:
    """Two nodes, `a` and `b`, that both have the model `m`."""
    return await furnish("a", "b")


@pytest.fixture
async def alone() -> House:
    """One node, `a`."""
    return await furnish("a")


COMPLETION = CompletionRequest(M, "once")
