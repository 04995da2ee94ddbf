"""A node's test: from the name to the first token, naming the step that fails."""

from __future__ import annotations

from contextlib import aclosing

from halext.errors import KeyRefused, UpstreamError
from halext.messages import ChatRequest, Message, Sampling
from halext.nodes.policy import can_chat
from halext.runtime.app import Fleet
from halext.runtime.shapes import Step, TrialReport
from halext.types import ModelName
from halext.upstream import Endpoint, Sighting
from halext.upstreams.trace import trace


async def try_endpoint(fleet: Fleet, endpoint: Endpoint, model: str | None) -> TrialReport:
    """Every step up to the first that fails. Loads a model if none is loaded, so it may take a while."""
    steps = [
        Step(name=milestone.stage, ok=milestone.ok, detail=milestone.detail, seconds=milestone.seconds)
        for milestone in await trace(fleet.door, endpoint, fleet.clock)
    ]
    if all(step.ok for step in steps):
        sighting = await _look(fleet, endpoint, steps)
        if sighting is not None:
            await _speak(fleet, endpoint, sighting, model, steps)
    return TrialReport(node=endpoint.node, endpoint=endpoint.id, ok=all(step.ok for step in steps), steps=steps)


async def _look(fleet: Fleet, endpoint: Endpoint, steps: list[Step]) -> Sighting | None:
    began = fleet.clock.monotonic()
    try:
        sighting = await fleet.drivers(endpoint.kind).look(endpoint)
    except KeyRefused as error:
        steps.append(Step(name="auth", ok=False, detail=error.message))
        return None
    except UpstreamError as error:
        steps += [Step(name="auth", ok=True, detail="accepted"), Step(name="protocol", ok=False, detail=error.message)]
        return None
    seconds = fleet.clock.monotonic() - began
    steps += [
        Step(name="auth", ok=True, detail="with stored headers" if endpoint.secret else "none needed"),
        Step(name="protocol", ok=True, detail=f"{endpoint.kind} {sighting.version}".strip(), seconds=seconds),
    ]
    count = len(sighting.models)
    found = f"{count} model{'' if count == 1 else 's'}" if count else "no models; pull one on the node"
    steps.append(Step(name="model list", ok=bool(sighting.models), detail=found))
    return sighting if sighting.models else None


async def _speak(fleet: Fleet, endpoint: Endpoint, sighting: Sighting, model: str | None, steps: list[Step]) -> None:
    chosen = model or _easiest(sighting)
    if chosen is None:
        steps.append(Step(name="first token", ok=True, detail="no model here chats; not tried"))
        return
    request = ChatRequest(ModelName(chosen), (Message("user", "Say hi."),), Sampling(max_tokens=8))
    began = fleet.clock.monotonic()
    try:
        async with aclosing(fleet.drivers(endpoint.kind).generate(endpoint, request)) as chunks:
            await anext(chunks)
    except UpstreamError as error:
        steps.append(Step(name="first token", ok=False, detail=error.message))
        return
    steps.append(Step(name="first token", ok=True, detail=f"from {chosen}", seconds=fleet.clock.monotonic() - began))


def _easiest(sighting: Sighting) -> str | None:
    """A chat model that is in memory, else the smallest."""
    chatting = [model for model in sighting.models if can_chat(model)]
    loaded = {model.name for model in sighting.running}
    return min(chatting, key=lambda model: (model.name not in loaded, model.size_bytes)).name if chatting else None
