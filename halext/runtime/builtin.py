"""Something to talk to on a fresh start: the Ollama of this machine, or the small model that halext brings along."""

from __future__ import annotations

from collections.abc import Callable

from halext.errors import UpstreamError
from halext.hosts.llama import BuiltinModel, builtin_missing
from halext.nodes.types import Node
from halext.runtime.app import App
from halext.types import EndpointId, NodeName
from halext.upstream import Endpoint
from halext.upstreams.kinds import detect

HERE = "http://127.0.0.1:11434"
"""Where Ollama listens unless told otherwise."""
OWN_NODE = NodeName("this-machine")
BUILTIN_NODE = NodeName("builtin")
LOOPBACK = ("127.0.0.1/32",)


async def provide(app: App, say: Callable[[str], None]) -> BuiltinModel | None:
    """See that there is a node, unless there is one already. Returns the built-in model where it was started.

    The built-in node is saved like any other while it runs; its row from an earlier run, with a port that is gone, is
    forgotten first.
    """
    for node in app.registry.nodes():
        if node.builtin:
            await app.registry.remove(node.name)
    if app.registry.nodes() or await _found_here(app, say):
        return None
    if not app.settings.demo:
        return None
    if why := builtin_missing():
        say(f"  {'nodes':<12}none yet. {why}")
        return None
    return await _start(app, say)


async def _found_here(app: App, say: Callable[[str], None]) -> bool:
    endpoint = _endpoint(OWN_NODE, HERE)
    try:
        kind = await detect(app.door, endpoint)
    except UpstreamError:
        return False
    if kind != "ollama":
        return False
    await app.registry.add(Node(OWN_NODE, (endpoint,), created_at=app.clock.now()))
    say(f"  {OWN_NODE:<12}an Ollama answers on this machine; it is now the node {OWN_NODE!r}")
    return True


async def _start(app: App, say: Callable[[str], None]) -> BuiltinModel:
    model = BuiltinModel(app.clock)
    endpoint = Endpoint(
        id=EndpointId(BUILTIN_NODE), node=BUILTIN_NODE, kind="openai", url=model.url, cidrs=LOOPBACK, slots=model.slots
    )
    await app.registry.add(Node(BUILTIN_NODE, (endpoint,), builtin=True, created_at=app.clock.now()))
    app.background.spawn(model.run(), "the built-in model")
    app.background.spawn(_greet(app, model, endpoint), "the first look at the built-in model")
    say(f"  {BUILTIN_NODE:<12}no node yet, so a 135 M model runs here, to show that everything works")
    return model


async def _greet(app: App, model: BuiltinModel, endpoint: Endpoint) -> None:
    """See it as soon as it can work, not only when the next look is due."""
    await model.child.wait_ready()
    await app.prober.look(endpoint.id)


def _endpoint(node: NodeName, url: str) -> Endpoint:
    return Endpoint(id=EndpointId(node), node=node, kind="ollama", url=url, cidrs=LOOPBACK)
