"""Commands about the computers and their models."""

from __future__ import annotations

from collections.abc import Sequence

from halext.accounts.types import Caller, Permission
from halext.commands import words
from halext.commands.registry import command
from halext.commands.types import Option, Reply, Said, Text
from halext.errors import InvalidInput
from halext.runtime.app import App
from halext.runtime.shapes import DrainNode, ModelPlace, ModelRow, Named, NodeInfo, Nothing, TrialReport, TryNode
from halext.runtime.units import parse_duration, show_size
from halext.runtime.verbs import models as model_verbs
from halext.runtime.verbs import nodes as node_verbs


def _names(app: App, caller: Caller, typed: str) -> Sequence[str]:
    """Nodes that fit what is typed so far."""
    del caller
    return [node.name for node in app.registry.nodes() if typed.casefold() in node.name][:25]


NODE = Option("name", "The node's name", required=True, complete=_names)


@command("nodes")
async def nodes(app: App, said: Said) -> Reply:
    """How the computers are."""
    found = await node_verbs.list_nodes(app, said.caller, Nothing())
    if not found:
        return Text("There is no node yet; an administrator adds one with `halext node add`.", is_quiet=True)
    rows = [(node.name, node.status, _load(node), _warm(node)) for node in found]
    return Text(words.table(["node", "status", "busy", "in memory"], rows), is_quiet=True)


@command("models")
async def models(app: App, said: Said) -> Reply:
    """Which models there are, and where."""
    found = await model_verbs.list_models(app, said.caller, Nothing())
    if not found:
        return Text("No node has shown a model yet; `/nodes` says how they are.", is_quiet=True)
    lines = [f"- {words.code(row.name)} {_size(row)}{words.plain(_places(row))}" for row in found]
    return Text("\n".join(lines), is_quiet=True)  # a table would be too wide for a telephone


@command("node cordon", NODE, permission=Permission.MANAGE_NODES)
async def cordon(app: App, said: Said) -> Reply:
    """Send a node nothing new; what runs there goes on."""
    return _changed(await node_verbs.cordon_node(app, said.caller, Named(name=said.get("name"))))


@command("node uncordon", NODE, permission=Permission.MANAGE_NODES)
async def uncordon(app: App, said: Said) -> Reply:
    """Let a node work again."""
    return _changed(await node_verbs.uncordon_node(app, said.caller, Named(name=said.get("name"))))


FOR = Option("for", "For how long, such as 2h; else until uncordon")


@command("node drain", NODE, FOR, permission=Permission.MANAGE_NODES)
async def drain(app: App, said: Said) -> Reply:
    """Let a node finish what it does and send it nothing new."""
    try:
        for_s = parse_duration(said.get("for")) if said.get("for") else None
    except ValueError as error:
        raise InvalidInput(str(error)) from error
    return _changed(await node_verbs.drain_node(app, said.caller, DrainNode(name=said.get("name"), for_s=for_s)))


@command("node test", NODE, permission=Permission.MANAGE_NODES, is_slow=True)
async def test(app: App, said: Said) -> Reply:
    """Try a node from its name to its first token, and name the step that fails."""
    reports = await node_verbs.try_node(app, said.caller, TryNode(name=said.get("name")))
    if not reports:
        return Text(f"{words.code(said.get('name'))} has no endpoint that could be tried.", is_error=True)
    return Text("\n\n".join(map(_report, reports)), is_error=not all(report.ok for report in reports))


def _report(report: TrialReport) -> str:
    lines = [
        f"- {'✓' if step.ok else '✗'} {words.plain(step.name)}: {words.plain(step.detail)}" for step in report.steps
    ]
    return "\n".join([f"{words.code(report.endpoint)} {'works' if report.ok else 'does not work'}:", "", *lines])


def _changed(node: NodeInfo) -> Text:
    return Text(f"{words.code(node.name)} is {words.plain(node.status)} now.")


def _load(node: NodeInfo) -> str:
    slots = sum(endpoint.slots for endpoint in node.endpoints)
    return f"{sum(endpoint.in_flight for endpoint in node.endpoints)} of {slots}"


def _warm(node: NodeInfo) -> str:
    return ", ".join(sorted({model for endpoint in node.endpoints for model in endpoint.loaded})) or "-"


def _size(row: ModelRow) -> str:
    return f"{words.plain(show_size(row.size_bytes))}: " if row.size_bytes else ""


def _places(row: ModelRow) -> str:
    return ", ".join(_place(place) for place in row.places) or "-"


def _place(place: ModelPlace) -> str:
    if not place.available:
        return f"{place.node} (away)"
    speed = f", {place.tokens_per_s:.0f} tokens/s" if place.tokens_per_s else ""
    return f"{place.node} ({'warm' if place.loaded else 'cold'}{speed})"
