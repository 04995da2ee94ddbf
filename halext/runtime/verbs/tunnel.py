"""Computers that dial in."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from halext.accounts.types import Caller, Permission
from halext.errors import AlreadyExists, InvalidInput
from halext.nodes.types import Node
from halext.runtime import hostkey
from halext.runtime.app import App
from halext.runtime.operations import operation
from halext.runtime.settings import Settings
from halext.runtime.shapes_tunnel import JoinLine, JoinNode
from halext.runtime.verbs.nodes import node_name
from halext.tunnel import lines, policy
from halext.types import EndpointId, NodeName
from halext.upstream import Endpoint
from halext.upstreams.address import DEFAULT_PORTS, place

EVERYWHERE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  compared with, never bound to


@operation("POST", "/hx/nodes/{name}/join", Permission.MANAGE_NODES, fresh=True)
async def join_node(app: App, caller: Caller, params: JoinNode) -> JoinLine:
    """Make a one-time code with which a computer at home dials in as this node."""
    del caller
    name = node_name(params.name)
    if name.startswith(policy.INVITATION):
        raise InvalidInput(f"A node that dials in can't be called {policy.INVITATION}…; choose another name.")
    if not params.again and await app.roster.key_of(name) is not None:
        raise AlreadyExists(
            f"{name} has joined already. If that computer has lost its key, say so with --again: the old one ends then."
        )
    host, port = _host(app.settings, params.host), _port(app)
    key = hostkey.load(app.settings)
    await _register(app, name, params)
    code, expires_at = secrets.token_hex(policy.CODE_BYTES), app.clock.now() + policy.CODE_LIFETIME_S
    await app.roster.invite(name, policy.digest(code), expires_at)
    app.tunnels.hang_up(name)
    app.tunnels.wanted.set()
    way = lines.Way(name, host, port, key.public, code, [DEFAULT_PORTS[kind] for kind in params.kinds])
    return JoinLine(
        name=name,
        host=host,
        port=port,
        host_key=key.public,
        expires_at=expires_at,
        unix=lines.unix(way),
        windows=lines.windows(way),
    )


async def _register(app: App, name: NodeName, params: JoinNode) -> None:
    """The node with its endpoints, if there is something new."""
    known = [endpoint for node in app.registry.nodes() if node.name == name for endpoint in node.endpoints]
    there, ids = {endpoint.url for endpoint in known}, {endpoint.id for endpoint in known}
    endpoints: list[Endpoint] = []
    for kind in params.kinds:
        # Ollama answers on loopback only to hosts that sound local, and .internal is one that no resolver knows.
        url = place(f"http://{name}.internal:{DEFAULT_PORTS[kind]}").url
        if url not in there:
            short = EndpointId(name) if kind == "ollama" else EndpointId(f"{name}/{kind}")
            free = short if short not in ids else EndpointId(f"{name}/{kind}-tunnel")
            endpoints.append(Endpoint(id=free, node=name, kind=kind, url=url, via="tunnel"))
    if endpoints:
        await app.registry.add(Node(name=name, endpoints=tuple(endpoints), created_at=app.clock.now()))


def _host(settings: Settings, said: str | None) -> str:
    """How home computers reach this server: as said, else as people do. On this machine only, when nothing is known."""
    public = urlsplit(settings.public_url).hostname if settings.public_url else None
    own = settings.host if settings.host not in EVERYWHERE else None
    host = said or public or own or "127.0.0.1"
    return place(f"http://[{host}]" if ":" in host else f"http://{host}").host


def _port(app: App) -> int:
    if port := app.tunnels.port or app.settings.tunnel_port:
        return port
    raise InvalidInput("HALEXT_TUNNEL_PORT is 0, so the port is known only while `halext up` lets computers dial in.")
