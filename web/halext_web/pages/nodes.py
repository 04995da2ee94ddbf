"""The page of the nodes: what is stored about them, so that it never waits for one that is off."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from starlette.types import ASGIApp

from halext.accounts.types import Permission
from halext.nodes.types import Cordon, Status
from halext.runtime.shapes import NodeInfo, Nothing
from halext.runtime.verbs.nodes import list_nodes
from halext_web.pages.page import page
from halext_web.routes import Route, route
from halext_web.visit import Visit

WORDS: dict[str, tuple[str, str]] = {
    Status.UNKNOWN: ("fair", "not seen yet"),
    Status.HEALTHY: ("good", "online"),
    Status.BUSY: ("good", "online, busy"),
    Status.DEGRADED: ("fair", "unsteady"),
    Status.OFFLINE: ("bad", "offline"),
    Status.MISCONFIGURED: ("bad", "set up wrongly"),
    Status.RATE_LIMITED: ("fair", "asks for a pause"),
    Cordon.CORDONED: ("fair", "kept free"),
    Cordon.DRAINING: ("fair", "finishing its work"),
}
"""How a status looks and what it is called. The look has a shape of its own: colour alone tells nobody anything."""


@dataclass(frozen=True, slots=True)
class NodeRow:
    """One node as a line of the table."""

    name: str
    tone: str
    word: str
    reason: str
    builtin: bool
    tags: list[str]
    kinds: list[str]
    in_flight: int
    slots: int
    latency: str
    loaded: list[str]
    models: list[str]

    @property
    def is_online(self) -> bool:
        """Takes requests."""
        return self.tone == "good"


def routes() -> list[Route]:
    """The page."""
    return [route("/nodes", nodes, Permission.USE)]


async def nodes(visit: Visit) -> ASGIApp:
    """GET /nodes."""
    at = dt.datetime.fromtimestamp(visit.app.clock.now(), dt.UTC)
    return page(visit, "nodes.html", nodes=await node_rows(visit), at=f"{at:%H:%M:%S} UTC")


async def node_rows(visit: Visit) -> list[NodeRow]:
    """All nodes, by name."""
    return [_row(info) for info in await list_nodes(visit.app, visit.caller, Nothing())]


def _row(node: NodeInfo) -> NodeRow:
    tone, word = WORDS.get(node.status, ("fair", node.status))
    best = min((e.latency_s for e in node.endpoints if e.latency_s is not None), default=None)
    return NodeRow(
        name=node.name,
        tone=tone,
        word=word,
        reason="" if tone == "good" else "; ".join(dict.fromkeys(e.reason for e in node.endpoints if e.reason)),
        builtin=node.builtin,
        tags=node.tags,
        kinds=[f"{e.kind} {e.version}".strip() for e in node.endpoints],
        in_flight=sum(e.in_flight for e in node.endpoints),
        slots=sum(e.slots for e in node.endpoints),
        latency="–" if best is None else f"{best * 1000:.0f} ms",
        loaded=sorted({name for e in node.endpoints for name in e.loaded}),
        models=sorted({name for e in node.endpoints for name in e.models}),
    )
