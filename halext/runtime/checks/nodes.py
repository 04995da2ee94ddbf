"""There are nodes, they answer, and nobody else can use or change what passes between them and halext."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import ip_network
from urllib.parse import urlsplit

from halext.errors import HalextError
from halext.nodes.types import EndpointState, Status
from halext.runtime.app import App
from halext.runtime.shapes import Finding
from halext.upstream import Endpoint
from halext.upstreams.address import is_home

SAFE_OLLAMA = (0, 17, 1)
"""Before it, whoever reaches an Ollama can read its memory, without a key (CVE-2026-7482)."""
WIDEST = {4: 16, 6: 48}
"""The shortest prefix of a network that is somebody's home, by IP version."""
SILENT = frozenset({Status.OFFLINE, Status.MISCONFIGURED, Status.UNKNOWN})
TROUBLE = frozenset({Status.OFFLINE, Status.MISCONFIGURED, Status.DEGRADED})


async def look(app: App) -> list[Finding]:
    """One finding for each thing that is wrong with an endpoint."""
    states = app.registry.states()
    found = _wide_networks(app)
    if not states:
        why = "There is nobody who could answer."
        lonely = Finding(
            check="nodes", level="warning", what="There is no node yet.", why=why, fix="halext node add NAME URL"
        )
        return [lonely, *found]
    for state in states:
        found += [*_health(state), *_way(state.endpoint), *_version(state), *await _openness(app, state)]
    return found or [Finding(check="nodes", level="ok", what="Every known endpoint answers, and is reached safely.")]


def _health(state: EndpointState) -> list[Finding]:
    if state.health.status not in TROUBLE:
        return []
    what = f"{state.endpoint.id} is {state.health.status}: {state.health.reason}"
    fix = f"halext node test {state.node.name}"
    return [Finding(check="nodes", level="warning", what=what, why="It gets no requests.", fix=fix)]


def _way(endpoint: Endpoint) -> list[Finding]:
    if not endpoint.insecure or not is_public(endpoint) or not endpoint.url.startswith("http://"):
        return []
    what = f"{endpoint.id} is reached over plain http at a public address."
    why = "Anyone on the way can read and change what is asked and answered, and take its key."
    fix = f"put TLS in front of it, or let it dial in: halext node join {endpoint.node}"
    return [Finding(check="nodes", level="error", what=what, why=why, fix=fix)]


async def _openness(app: App, state: EndpointState) -> list[Finding]:
    """A server at a public address must ask for a key: it is asked without one."""
    endpoint = state.endpoint
    if not is_public(endpoint) or state.health.status in SILENT:
        return []
    try:
        await app.drivers(endpoint.kind).look(replace(endpoint, secret=None))
    except HalextError:  # it refuses, or says nothing now
        return []
    what = f"{endpoint.id} answers everyone on the internet without a key."
    why = "Strangers can use it, read what it loads and fill its disk."
    fix = f"close its port and let it dial in: halext node join {endpoint.node}"
    return [Finding(check="open nodes", level="error", what=what, why=why, fix=fix)]


def _version(state: EndpointState) -> list[Finding]:
    version = state.sighting.version if state.sighting and state.endpoint.kind == "ollama" else ""
    number = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    if not number or number >= SAFE_OLLAMA:
        return []
    return [
        Finding(
            check="ollama versions",
            level="error" if is_public(state.endpoint) else "warning",
            what=f"{state.endpoint.id} runs Ollama {'.'.join(map(str, number))}.",
            why="Before 0.17.1, whoever reaches it can read its memory (CVE-2026-7482).",
            fix=f"halext node drain {state.node.name}, update Ollama there, halext node uncordon {state.node.name}",
        )
    ]


def _wide_networks(app: App) -> list[Finding]:
    given = [("HALEXT_NODE_CIDRS", cidr) for cidr in app.settings.node_cidrs]
    given += [
        (f"The node {state.endpoint.id}", cidr) for state in app.registry.states() for cidr in state.endpoint.cidrs
    ]
    wide = [(who, cidr) for who, cidr in given if _is_wide(cidr)]
    why = "A name that leads elsewhere one day still counts as that node, and gets its key."
    fix = "name the smallest network that holds your nodes, such as 192.168.1.0/24"
    return [
        Finding(check="node networks", level="warning", what=f"{who} allows all of {cidr}.", why=why, fix=fix)
        for who, cidr in wide
    ]


def _is_wide(cidr: str) -> bool:
    network = ip_network(cidr, strict=False)
    return network.prefixlen < WIDEST[network.version]


def is_public(endpoint: Endpoint) -> bool:
    """Whether it may be at an address that the internet can reach."""
    if endpoint.via == "tunnel":
        return False
    host = urlsplit(endpoint.url).hostname or ""
    return any(not is_home(cidr) for cidr in endpoint.cidrs or [host] if _is_address(cidr))


def _is_address(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True
