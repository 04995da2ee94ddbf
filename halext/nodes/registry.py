"""All nodes and how they are, in memory: the one place that changes them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TypeVar

from halext.errors import AlreadyExists, ModelMissing, RateLimited, RequestRefused, UnknownNode, UpstreamError
from halext.events import Publish
from halext.nodes import policy
from halext.nodes.types import Cordon, EndpointState, Health, Node, NodeRecords, Rates
from halext.types import Clock, EndpointId, ModelName, NodeName
from halext.upstream import Endpoint, ModelInfo, RunningModel, Sighting

Named = TypeVar("Named", ModelInfo, RunningModel)


@dataclass(slots=True)
class _Entry:
    """The mutable state of one endpoint."""

    node: Node
    endpoint: Endpoint
    health: Health
    sighting: Sighting | None = None
    sighted_at: float | None = None
    rates: dict[ModelName, Rates] = field(default_factory=dict)
    warmed: dict[ModelName, float] = field(default_factory=dict)
    """Models that our own requests have loaded, and when: known before the next look sees them."""

    def snapshot(self) -> EndpointState:
        return EndpointState(
            node=self.node,
            endpoint=self.endpoint,
            health=self.health,
            sighting=self.sighting,
            sighted_at=self.sighted_at,
            rates=tuple(self.rates.items()),
        )


class Registry:
    """Knows every node. Reads are immediate and take no lock; changes are saved before they are told."""

    def __init__(self, *, records: NodeRecords | None, clock: Clock, publish: Publish) -> None:
        self._records = records
        self._clock = clock
        self._publish = publish
        self._nodes: dict[NodeName, Node] = {}
        self._entries: dict[EndpointId, _Entry] = {}
        self._index: dict[str, list[tuple[EndpointId, ModelInfo]]] = {}
        self._listeners: list[Callable[[], None]] = []
        self._unsaved: set[tuple[EndpointId, ModelName]] = set()
        self._changing = asyncio.Lock()
        """Held while a change is saved: the next one builds on what this one made of the node."""

    # --- nodes ---

    async def load(self) -> None:
        """Read the nodes and what was measured of them."""
        if self._records is None:
            return
        for node in await self._records.load():
            self._put(node)
        for endpoint, model, rates in await self._records.load_rates():
            if entry := self._entries.get(endpoint):
                entry.rates[model] = rates

    def nodes(self) -> list[Node]:
        """All nodes, by name."""
        return [self._nodes[name] for name in sorted(self._nodes)]

    def node(self, name: str) -> Node:
        """The node of this name. Raises `UnknownNode`, which names those that there are."""
        if node := self._nodes.get(NodeName(name)):
            return node
        known = ", ".join(sorted(self._nodes)) or "none yet; `halext node add NAME URL` adds one"
        raise UnknownNode(f"There is no node called {name!r}. Known nodes: {known}.")

    async def add(self, node: Node) -> Node:
        """A new node, or new endpoints for a known one. Raises `AlreadyExists` for an address that is known."""
        async with self._changing:
            for endpoint in node.endpoints:
                if known := next((e for e in self._entries.values() if e.endpoint.url == endpoint.url), None):
                    raise AlreadyExists(f"{endpoint.url} belongs to the node {known.node.name!r} already.")
            if known_node := self._nodes.get(node.name):
                node = replace(
                    known_node,
                    endpoints=known_node.endpoints + node.endpoints,
                    memory_bytes=node.memory_bytes or known_node.memory_bytes,
                    tags=tuple(dict.fromkeys(known_node.tags + node.tags)),
                )
            return await self._save(node)

    async def remove(self, name: str) -> Node:
        """Forget a node."""
        async with self._changing:
            node = self.node(name)
            if self._records is not None:
                await self._records.delete(node.name)
            del self._nodes[node.name]
            for endpoint in node.endpoints:
                self._entries.pop(endpoint.id, None)
            self._reindex()
            self._changed()
            return node

    async def set_cordon(self, name: str, cordon: Cordon, until: float | None = None) -> Node:
        """What a person decides about a node; with `until` it ends by itself."""
        async with self._changing:
            return await self._save(replace(self.node(name), cordon=cordon, cordon_until=until))

    async def _save(self, node: Node) -> Node:
        if self._records is not None:
            await self._records.save(node)
        self._put(node)
        self._reindex()
        self._changed()
        return node

    def _put(self, node: Node) -> None:
        self._nodes[node.name] = node
        for endpoint in node.endpoints:
            if entry := self._entries.get(endpoint.id):
                entry.node, entry.endpoint = node, endpoint
            else:
                self._entries[endpoint.id] = _Entry(node, endpoint, Health(since=self._clock.now()))

    # --- reading ---

    def states(self) -> list[EndpointState]:
        """A snapshot of every endpoint, in the order of their nodes' names."""
        return [self._entries[e.id].snapshot() for node in self.nodes() for e in node.endpoints]

    def state(self, endpoint: EndpointId) -> EndpointState:
        """A snapshot of one endpoint. Raises `UnknownNode` when it has been removed."""
        if entry := self._entries.get(endpoint):
            return entry.snapshot()
        raise UnknownNode(f"The endpoint {endpoint} has been removed.")

    def serving(self, model: str) -> Sequence[tuple[EndpointState, ModelInfo]]:
        """Every endpoint that has this model, online or not, with the model as that endpoint spells it."""
        found = self._index.get(policy.lookup_name(model), ())
        return [(self._entries[endpoint].snapshot(), info) for endpoint, info in found]

    def is_gone(self, endpoint: EndpointId) -> bool:
        """Whether it was ejected or removed: waiting for it any longer is in vain."""
        entry = self._entries.get(endpoint)
        return entry is None or entry.health.ejected

    def is_warm(self, endpoint: EndpointId, model: ModelName) -> bool:
        """Whether the model is in the endpoint's memory, as far as we know."""
        entry = self._entries.get(endpoint)
        if entry is None:
            return False
        return model in entry.warmed or any(running.name == model for running in _running(entry))

    def rates(self, endpoint: EndpointId, model: ModelName) -> Rates:
        """What was measured of this model there."""
        entry = self._entries.get(endpoint)
        return entry.rates.get(model, Rates()) if entry else Rates()

    def models(self) -> list[ModelInfo]:
        """Each model once, from every node that has been seen, by name."""
        return _by_name(entry.sighting.models for entry in self._entries.values() if entry.sighting)

    def known_models(self) -> list[ModelInfo]:
        """Each model once, from nodes that take requests now, by name."""
        now = self._clock.now()
        return _by_name(
            entry.sighting.models
            for entry in self._entries.values()
            if entry.sighting and policy.refusal(entry.node, entry.health, now=now) is None
        )

    def running_models(self) -> list[RunningModel]:
        """What is in memory anywhere, once per model."""
        return _by_name(_running(entry) for entry in self._entries.values() if not entry.health.ejected)

    # --- what was seen ---

    def saw(self, endpoint: EndpointId, sighting: Sighting, *, asked_at: float) -> None:
        """A look succeeded; `asked_at` is when it began."""
        if entry := self._entries.get(endpoint):
            now = self._clock.now()
            models_changed = entry.sighting is None or entry.sighting.models != sighting.models
            entry.sighting, entry.sighted_at = sighting, now
            entry.warmed = {model: at for model, at in entry.warmed.items() if at >= asked_at}
            if models_changed:
                self._reindex()
            latency_s = max(0.0, now - asked_at)
            self._set_health(entry, policy.check_passed(entry.health, sighting, now=now, latency_s=latency_s))

    def missed(self, endpoint: EndpointId, error: UpstreamError) -> None:
        """A look failed."""
        if entry := self._entries.get(endpoint):
            entry.warmed.clear()
            self._set_health(entry, policy.check_failed(entry.health, error, now=self._clock.now()))

    def cut_off(self, endpoint: EndpointId, error: UpstreamError) -> None:
        """The way to it is gone, as when a tunnel ends."""
        if entry := self._entries.get(endpoint):
            self._set_health(entry, policy.cut_off(entry.health, error, now=self._clock.now()))

    def worked(self, endpoint: EndpointId, model: ModelName, rates: Rates) -> None:
        """A request was served; `rates` is what is known of the pair now."""
        if entry := self._entries.get(endpoint):
            entry.warmed[model] = self._clock.now()
            entry.rates[model] = rates
            self._unsaved.add((endpoint, model))
            self._set_health(entry, policy.request_passed(entry.health, now=self._clock.now()))

    def failed(self, endpoint: EndpointId, model: ModelName, error: UpstreamError) -> None:
        """A request failed there."""
        if entry := self._entries.get(endpoint):
            if isinstance(error, ModelMissing) and entry.sighting:
                left = tuple(info for info in entry.sighting.models if info.name != model)
                entry.sighting = replace(entry.sighting, models=left)
                self._reindex()
            if not isinstance(error, RateLimited | RequestRefused):
                entry.warmed.pop(model, None)
            self._set_health(entry, policy.request_failed(entry.health, error, now=self._clock.now()))

    async def save_rates(self) -> None:
        """Write what was measured since the last time; called once a minute and at the end.

        What could not be written is written the next time.
        """
        if self._records is None or not self._unsaved:
            return
        batch, self._unsaved = self._unsaved, set()
        measured = {(e, m): entry.rates.get(m) for e, m in batch if (entry := self._entries.get(e))}
        try:
            await self._records.save_rates([(e, m, rates) for (e, m), rates in measured.items() if rates])
        except BaseException:
            self._unsaved |= batch
            raise

    # --- telling ---

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` after every change that may let a waiting request start, or make it wait in vain."""
        self._listeners.append(listener)

    def _set_health(self, entry: _Entry, after: Health) -> None:
        before, entry.health = entry.health, after
        for event in policy.events(entry.endpoint, before, after, now=self._clock.now()):
            self._publish(event)
        self._changed()

    def _changed(self) -> None:
        for listener in self._listeners:
            listener()

    def _reindex(self) -> None:
        index: dict[str, list[tuple[EndpointId, ModelInfo]]] = {}
        for entry in self._entries.values():
            for info in entry.sighting.models if entry.sighting else ():
                index.setdefault(policy.lookup_name(info.name), []).append((entry.endpoint.id, info))
        self._index = index


def _by_name(models: Iterable[Iterable[Named]]) -> list[Named]:
    found: dict[str, Named] = {}
    for model in chain.from_iterable(models):
        found.setdefault(policy.lookup_name(model.name), model)
    return sorted(found.values(), key=lambda model: model.name)


def _running(entry: _Entry) -> Iterable[RunningModel]:
    return entry.sighting.running if entry.sighting else ()
