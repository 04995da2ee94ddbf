"""Nodes: registering, testing, cordoning."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from halext.accounts.types import Caller, Permission
from halext.errors import HalextError, InvalidInput, UnknownSecret
from halext.nodes.types import Cordon, EndpointState, Node
from halext.runtime.app import App, Fleet
from halext.runtime.operations import operation
from halext.runtime.present import node_info
from halext.runtime.shapes import (
    AddNode,
    Done,
    DrainNode,
    Named,
    NodeInfo,
    Nothing,
    TrialReport,
    TryNode,
    UnloadModel,
)
from halext.runtime.trial import try_endpoint
from halext.types import EndpointId, ModelName, NodeName, SecretRef
from halext.upstream import Endpoint
from halext.upstreams.address import place
from halext.upstreams.http import pin
from halext.upstreams.kinds import detect

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


@operation("GET", "/hx/nodes", Permission.USE)
async def list_nodes(fleet: Fleet, caller: Caller, params: Nothing) -> list[NodeInfo]:
    """All nodes and how they are."""
    del caller, params
    return [_info(fleet, node) for node in fleet.registry.nodes()]


@operation("GET", "/hx/nodes/{name}", Permission.USE)
async def show_node(fleet: Fleet, caller: Caller, params: Named) -> NodeInfo:
    """One node and how it is."""
    del caller
    return _info(fleet, fleet.registry.node(params.name))


@operation("POST", "/hx/nodes", Permission.MANAGE_NODES, fresh=True)
async def add_node(app: App, caller: Caller, params: AddNode) -> NodeInfo:
    """Register a node, or add endpoints to a known one; it is looked at before this returns."""
    del caller
    name = node_name(params.name)
    endpoints: list[Endpoint] = []
    taken = {endpoint.id for node in app.registry.nodes() for endpoint in node.endpoints}
    try:
        for url in params.urls:
            endpoint = await _endpoint(app, name, url, params, taken)
            taken.add(endpoint.id)
            endpoints.append(endpoint)
        node = await app.registry.add(
            Node(
                name=name,
                endpoints=tuple(endpoints),
                memory_bytes=params.memory_bytes,
                tags=tuple(params.tags),
                created_at=app.clock.now(),
            )
        )
    except HalextError:
        await _forget_secrets(app, endpoints)
        raise
    for endpoint in endpoints:
        await app.prober.look(endpoint.id)
    return _info(app, node)


@operation("POST", "/hx/nodes/{name}/test", Permission.MANAGE_NODES)
async def try_node(app: App, caller: Caller, params: TryNode) -> list[TrialReport]:
    """Go through every step from the name to the first token, and stop at the one that fails."""
    del caller
    node = app.registry.node(params.name)
    reports = [await try_endpoint(app, endpoint, params.model) for endpoint in node.endpoints]
    for endpoint in node.endpoints:
        await app.prober.look(endpoint.id)
    return reports


@operation("DELETE", "/hx/nodes/{name}", Permission.MANAGE_NODES)
async def remove_node(app: App, caller: Caller, params: Named) -> Done:
    """Forget a node, its stored headers and what was measured of it."""
    del caller
    node = await app.registry.remove(params.name)
    await _forget_secrets(app, node.endpoints)
    app.tunnels.hang_up(node.name)
    for endpoint in node.endpoints:
        await app.door.forget(endpoint.id)
    return Done(f"The node {node.name!r} is forgotten.")


@operation("POST", "/hx/nodes/{name}/cordon", Permission.MANAGE_NODES)
async def cordon_node(fleet: Fleet, caller: Caller, params: Named) -> NodeInfo:
    """Send a node nothing new; what runs there goes on."""
    del caller
    return _info(fleet, await fleet.registry.set_cordon(params.name, Cordon.CORDONED))


@operation("POST", "/hx/nodes/{name}/uncordon", Permission.MANAGE_NODES)
async def uncordon_node(fleet: Fleet, caller: Caller, params: Named) -> NodeInfo:
    """Let a node work again."""
    del caller
    return _info(fleet, await fleet.registry.set_cordon(params.name, Cordon.OPEN))


@operation("POST", "/hx/nodes/{name}/drain", Permission.MANAGE_NODES)
async def drain_node(fleet: Fleet, caller: Caller, params: DrainNode) -> NodeInfo:
    """Let a node finish what it does, send it nothing new, and with a time let it come back by itself."""
    del caller
    until = fleet.clock.now() + params.for_s if params.for_s else None
    return _info(fleet, await fleet.registry.set_cordon(params.name, Cordon.DRAINING, until))


@operation("POST", "/hx/nodes/{name}/unload", Permission.MANAGE_NODES)
async def unload_model(fleet: Fleet, caller: Caller, params: UnloadModel) -> Done:
    """Free the memory that a model takes on a node."""
    del caller
    node = fleet.registry.node(params.name)
    places = [state for state, _ in fleet.registry.serving(params.model) if state.node.name == node.name]
    if not places:
        raise InvalidInput(f"The node {node.name!r} does not have the model {params.model!r}.")
    for state in places:
        await fleet.drivers(state.endpoint.kind).unload(state.endpoint, ModelName(params.model))
        await fleet.prober.look(state.endpoint.id)
    return Done(f"{node.name} has been asked to unload {params.model}.")


def node_name(text: str) -> NodeName:
    """A name that works in commands, URLs and chats. Raises `InvalidInput`."""
    if not NAME.fullmatch(text):
        message = (
            f"{text!r} is no name for a node: lower-case letters, digits, - _ and . , at most 63, as in gaming-pc."
        )
        raise InvalidInput(message)
    return NodeName(text)


async def _endpoint(app: App, name: NodeName, url: str, params: AddNode, taken: set[EndpointId]) -> Endpoint:
    """The endpoint at `url`: its address pinned, its headers in the vault, its kind found out."""
    spot = place(url, params.kind)
    draft = Endpoint(
        id=_endpoint_id(name, params.kind, taken),
        node=name,
        kind="ollama" if params.kind == "auto" else params.kind,
        url=spot.url,
        cidrs=tuple(params.cidrs) or await pin(spot.host, spot.port),
        slots=params.slots,
        insecure=params.insecure,
    )
    if params.headers:
        draft = replace(draft, secret=SecretRef(f"node/{draft.id}/headers"))
        await app.vault.set(SecretRef(f"node/{draft.id}/headers"), json.dumps(params.headers))
    if params.kind != "auto":
        return draft
    try:
        return replace(draft, kind=await detect(app.door, draft))
    except HalextError:
        await _forget_secrets(app, [draft])
        raise


def _endpoint_id(name: NodeName, kind: str, taken: set[EndpointId]) -> EndpointId:
    base = name if kind == "auto" else f"{name}/{kind}"
    numbered = (EndpointId(base if number == 1 else f"{base}-{number}") for number in range(1, len(taken) + 2))
    return next(candidate for candidate in numbered if candidate not in taken)


async def _forget_secrets(app: App, endpoints: Sequence[Endpoint]) -> None:
    for endpoint in endpoints:
        if endpoint.secret:
            with suppress(UnknownSecret):  # `halext key remove` was quicker
                await app.vault.remove(endpoint.secret)


def _info(fleet: Fleet, node: Node) -> NodeInfo:
    states: list[EndpointState] = [fleet.registry.state(endpoint.id) for endpoint in node.endpoints]
    return node_info(node, states, fleet.gateway.in_flight, now=fleet.clock.now())
