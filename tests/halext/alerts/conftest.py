"""Nodes that are switched on and off, and a place to be told about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest

from halext.alerts.types import Alert
from halext.errors import HalextError, NotFound, Unreachable
from halext.nodes import policy
from halext.nodes.types import EndpointState, Health, Node
from halext.testing.clock import ManualClock
from halext.types import EndpointId, NodeName
from halext.upstream import Endpoint, Sighting

OFF = Unreachable("mac refuses the connection; is its server running?")


def endpoint(name: str, node: str) -> Endpoint:
    return Endpoint(EndpointId(name), NodeName(node), "ollama", f"http://{node}:11434")


def state(name: str = "mac", health: Health | None = None, **known: object) -> EndpointState:
    """One endpoint of a node with that name; `known` are fields of the node."""
    node = replace(Node(NodeName(name), (endpoint(name, name),)), **known)  # type: ignore[arg-type]  # fields of Node
    return EndpointState(node, node.endpoints[0], health or Health())


@dataclass
class Machines:
    """Each as looks see it, by the rules that real looks follow."""

    health: dict[str, Health] = field(default_factory=dict)
    nodes: dict[str, dict[str, object]] = field(default_factory=dict)

    def look(self, name: str, *, is_on: bool, now: float) -> None:
        before = self.health.get(name, Health(since=now))
        if is_on:
            self.health[name] = policy.check_passed(before, Sighting(), now=now, latency_s=0.01)
        else:
            self.health[name] = policy.check_failed(before, OFF, now=now)

    def forget(self) -> None:
        """As a restart does."""
        self.health = {name: Health() for name in self.health}

    def states(self) -> Sequence[EndpointState]:
        return [state(name, health, **self.nodes.get(name, {})) for name, health in sorted(self.health.items())]


@dataclass
class Chat:
    """A platform that knows keys. `fault` is raised when asked for: before a message is shown, or after."""

    fault: Callable[[], tuple[HalextError | Exception | None, HalextError | Exception | None]] = lambda: (None, None)
    shown: dict[str, Alert] = field(default_factory=dict)
    """By their refs, which are the keys they were sent with."""
    began: list[str] = field(default_factory=list)
    """The titles under which messages were first seen."""
    calls: int = 0

    async def send(self, alert: Alert, /) -> str:
        self.calls += 1
        before, after = self.fault()
        if before:
            raise before
        if alert.key not in self.shown:
            self.shown[alert.key] = alert
            self.began.append(alert.title)
        if after:
            raise after
        return alert.key

    async def edit(self, ref: str, alert: Alert, /) -> None:
        self.calls += 1
        before, after = self.fault()
        if before:
            raise before
        if ref not in self.shown:
            raise NotFound("The message is gone.")
        self.shown[ref] = alert
        if after:
            raise after


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def machines() -> Machines:
    return Machines()


@pytest.fixture
def chat() -> Chat:
    return Chat()
