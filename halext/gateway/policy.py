"""What becomes of a failed attempt, and which endpoints are asked at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from halext.errors import (
    BadAnswer,
    CapacityError,
    HalextError,
    Interrupted,
    KeyRefused,
    NoNodeHasModel,
    NoNodeOnline,
    RequestRefused,
    UnknownModel,
    Unreachable,
    UpstreamError,
)
from halext.nodes import policy as health
from halext.nodes.types import EndpointState, Health
from halext.routing.types import Rejected
from halext.types import EndpointId, NodeName
from halext.upstream import Endpoint, ModelInfo

MOST_TRIES = 3
"""One try and two more, so that a request that every node fails at does not wander on for ever."""
MOST_UNREACHABLE = 8
"""A node that is switched off costs milliseconds and says nothing about the request: more of them are tried."""

MOST_NAMED = 5
"""How many nodes a sentence names."""

Serving = Sequence[tuple[EndpointState, ModelInfo]]


def after_failure(
    error: UpstreamError, earlier: Sequence[UpstreamError], *, began: bool
) -> Literal["elsewhere", "end"]:
    """Whether to try another node. Never once the caller has seen a part of the answer."""
    if began or isinstance(error, RequestRefused):
        return "end"
    if isinstance(error, Unreachable):
        return "elsewhere" if len(earlier) + 1 < MOST_UNREACHABLE else "end"
    if isinstance(error, BadAnswer) and any(_same(error, other) for other in earlier):
        return "end"  # two nodes, the same complaint: it is about the request
    tries = 1 + sum(not isinstance(other, Unreachable) for other in earlier)
    return "elsewhere" if tries < MOST_TRIES else "end"


def _same(error: UpstreamError, other: UpstreamError) -> bool:
    return isinstance(other, BadAnswer) and _complaint(error) == _complaint(other)


def _complaint(error: UpstreamError) -> str:
    """What it says, without "NODE (URL)" in front, where that stands."""
    return error.message.partition(") ")[2] if error.message.startswith(f"{error.node} (") else error.message


@dataclass(frozen=True, slots=True)
class Field:
    """Who may be asked, and why the others are not."""

    open: Serving
    rejected: tuple[Rejected, ...]


def field_for(serving: Serving, *, now: float, tried: Mapping[EndpointId, str], only: NodeName | None) -> Field:
    """The endpoints that may be asked for a model.

    One that failed this request is not asked again. Endpoints that only the breaker keeps out are asked when there is
    nobody else: a chance is better than a certain error. The built-in model steps back behind every other.
    """
    opened: list[tuple[EndpointState, ModelInfo]] = []
    paused: list[tuple[EndpointState, ModelInfo]] = []
    rejected: list[Rejected] = []
    for state, model in serving:
        if only is not None and state.node.name != only:
            continue
        reason = health.refusal(state.node, state.health, now=now)
        if state.endpoint.id in tried:
            reason = f"failed this request: {tried[state.endpoint.id]}"
        elif reason and health.only_paused(state.node, state.health, now=now):
            paused.append((state, model))
        if reason is None:
            opened.append((state, model))
        else:
            rejected.append(Rejected(state.node.name, state.endpoint.id, reason))
    if not opened and paused:
        opened = paused
        names = {state.endpoint.id for state, _ in paused}
        rejected = [entry for entry in rejected if entry.endpoint not in names]
    return _without_builtin(opened, rejected)


def _without_builtin(opened: list[tuple[EndpointState, ModelInfo]], rejected: list[Rejected]) -> Field:
    real = [(state, model) for state, model in opened if not state.node.builtin]
    if real and len(real) < len(opened):
        rejected = rejected + [
            Rejected(state.node.name, state.endpoint.id, "the built-in model is for when nothing else can")
            for state, _ in opened
            if state.node.builtin
        ]
        opened = real
    return Field(tuple(opened), tuple(rejected))


def nobody(
    model: str, serving: Serving, field: Field, states: Sequence[EndpointState], only: NodeName | None, *, now: float
) -> HalextError:
    """The error for a request that no endpoint can take: three different ones, since they have three remedies."""
    if any(only in {None, state.node.name} for state, _ in serving):
        reasons = _reasons((entry.node, entry.reason) for entry in field.rejected)
        return NoNodeHasModel(f"No node that has {model!r} takes requests now ({reasons}).")
    if not _anyone_open(states, only, now):
        return _nobody_online(states, only, now)
    if only is not None:
        return UnknownModel(f"The node {only!r} does not have the model {model!r}.")
    return UnknownModel(f"No node has the model {model!r}; `halext models` lists what there is.")


def nothing_fits(
    states: Sequence[EndpointState], tried: Mapping[EndpointId, str], only: NodeName | None, *, chat: bool, now: float
) -> HalextError:
    """The error for a request that names no model when none will do."""
    what = "a chat model" if chat else "an embedding model"
    if tried:
        return NoNodeHasModel(f"No other node has {what} ({_reasons(tried.items())}).")
    if not _anyone_open(states, only, now):
        return _nobody_online(states, only, now)
    who = "No node that is online has" if only is None else f"The node {only!r} does not have"
    return UnknownModel(f"{who} {what}; pull one there, or name another model.")


def _anyone_open(states: Sequence[EndpointState], only: NodeName | None, now: float) -> bool:
    return any(
        health.refusal(state.node, state.health, now=now) is None and only in {None, state.node.name}
        for state in states
    )


def _nobody_online(states: Sequence[EndpointState], only: NodeName | None, now: float) -> NoNodeOnline:
    if not states:
        return NoNodeOnline("There is no node yet; `halext node add NAME URL` adds one.")
    reasons = _reasons(
        (state.node.name, health.refusal(state.node, state.health, now=now) or "")
        for state in states
        if only in {None, state.node.name}
    )
    who = "No node takes" if only is None else f"The node {only!r} does not take"
    return NoNodeOnline(f"{who} requests now ({reasons}); `halext node list` says more.")


def _reasons(why: Iterable[tuple[str, str]]) -> str:
    """`mac: offline; pc is cordoned`: a reason that begins with the name needs it no second time."""
    told = [reason if reason.startswith(name) else f"{name}: {reason}" for name, reason in why]
    more = [f"and {len(told) - MOST_NAMED} more"] if len(told) > MOST_NAMED else []
    return "; ".join(told[:MOST_NAMED] + more)


def final(error: UpstreamError, nobody_left: CapacityError | None) -> HalextError:
    """The error that the caller gets after the last try: the node's own where it says more than "nobody is left"."""
    if nobody_left is not None and isinstance(error, Unreachable | KeyRefused):
        return nobody_left
    return error


def stopped_midway(endpoint: Endpoint) -> Interrupted:
    """The error for an answer that had begun and was not brought to its end."""
    message = f"{endpoint.node} stopped in the middle of its answer; what had arrived is kept."
    return Interrupted(message, node=endpoint.node, endpoint=endpoint.id, began=True)


PENALTY_PER_FAILURE_S = 5.0


def penalty(state: Health, *, now: float) -> float:
    """Seconds added to the estimate: a node that fails quickly must not look like the fastest."""
    return PENALTY_PER_FAILURE_S * state.failed_requests + max(0.0, state.retry_at - now)
