"""Which wishes are taken, which endpoint makes the pictures, and what becomes of a failure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from halext.accounts.quotas.types import Amounts, Measure
from halext.errors import (
    HalextError,
    Interrupted,
    InvalidInput,
    ModelMissing,
    NoNodeHasModel,
    NoNodeMakesPictures,
    RequestRefused,
    TimedOut,
    UnknownModel,
    Unreachable,
    UpstreamError,
)
from halext.gateway.policy import Field, Serving
from halext.nodes import policy as health
from halext.nodes.policy import lookup_name
from halext.nodes.types import EndpointState
from halext.pictures import Recipe
from halext.types import EndpointId, NodeName
from halext.upstream import Endpoint, ModelInfo

ANY = frozenset({"", "auto"})
"""What people write for "whichever is at hand"."""

SIDES = range(64, 2049, 8)
"""Pixels. Models work in blocks of eight; beyond 2048 no home card has the memory."""
MOST_STEPS = 150
MOST_PICTURES = 16
MOST_PIXELS = 8 * 1024 * 1024
"""In all pictures of a job together: their files pass through this process's memory, about 3 bytes a pixel at most."""
LONGEST_PROMPT = 10_000
"""Characters. Models read some hundred words."""
MOST_CFG = 30.0
SEEDS = range(2**32)
MOST_TRIES = 3
"""One and two more, so that a job which every node fails at does not wander on for ever."""
MOST_NAMED = 5
"""How many nodes or models a sentence names."""


def to_reserve(wish: Recipe) -> Amounts:
    """What is taken from quotas before a job stands in line."""
    return {Measure.REQUESTS: 1, Measure.IMAGES: wish.n, Measure.GPU_SECONDS: 0}


def check(wish: Recipe) -> None:
    """Raise `InvalidInput` for a wish that no server should be asked for."""
    problems = (
        (not wish.prompt.strip(), "Say what the picture should show: the prompt is empty."),
        (
            max(len(wish.prompt), len(wish.negative)) > LONGEST_PROMPT,
            f"A prompt has at most {LONGEST_PROMPT:,} letters.",
        ),
        (
            wish.width not in SIDES or wish.height not in SIDES,
            f"Width and height must be multiples of 8 from {SIDES[0]} to {SIDES[-1]}, as in 512x768.",
        ),
        (not 1 <= wish.steps <= MOST_STEPS, f"Steps must be from 1 to {MOST_STEPS}; 20 is usual."),
        (not 0 <= wish.cfg <= MOST_CFG, f"The scale `cfg` must be from 0 to {MOST_CFG:.0f}; 7 is usual."),
        (wish.seed is not None and wish.seed not in SEEDS, f"A seed is a whole number from 0 to {SEEDS[-1]}."),
        (not 1 <= wish.n <= MOST_PICTURES, f"From 1 to {MOST_PICTURES} pictures can be made at once."),
        (
            wish.n * wish.width * wish.height > MOST_PIXELS,
            f"All pictures together may have {MOST_PIXELS:,} pixels; ask for fewer, or for smaller ones.",
        ),
    )
    for is_wrong, sentence in problems:
        if is_wrong:
            raise InvalidInput(sentence)


def serving(states: Sequence[EndpointState], model: str) -> Serving:
    """The endpoints that have the model, each with the model as it spells it.

    Where any model will do it is the one in memory, else the first by name.
    """
    found = ((state, _fitting(state, lookup_name(model))) for state in states)
    return [(state, info) for state, info in found if info is not None]


def _fitting(state: EndpointState, name: str) -> ModelInfo | None:
    known = [info for info in (state.sighting.models if state.sighting else ()) if "image" in info.capabilities]
    if name in ANY:
        return min(known, key=lambda info: (not _is_loaded(state, info), info.name), default=None)
    return next((info for info in known if lookup_name(info.name) == name), None)


def _is_loaded(state: EndpointState, info: ModelInfo) -> bool:
    return state.sighting is not None and any(running.name == info.name for running in state.sighting.running)


def choose(open_: Serving, taken: Collection[EndpointId]) -> tuple[EndpointState, ModelInfo] | None:
    """The free endpoint that will begin first: not busy for others, the model in memory, no failures; None to wait."""
    free = [(state, info) for state, info in open_ if state.endpoint.id not in taken]
    return min(free, key=lambda pair: _readiness(*pair), default=None)


def _readiness(state: EndpointState, info: ModelInfo) -> tuple[bool, bool, int]:
    is_busy = bool(state.sighting and state.sighting.slots_busy)
    return is_busy, not _is_loaded(state, info), state.health.failed_requests


def nobody(
    states: Sequence[EndpointState],
    has_model: Serving,
    field: Field,
    tried: Mapping[EndpointId, str],
    model: str,
    only: NodeName | None,
    *,
    now: float,
) -> HalextError:
    """The error for a wish that no endpoint can take; `states` are those that make pictures, `only` on its node."""
    if not states:
        return NoNodeMakesPictures(f"The node {only} makes no pictures." if only else None)
    if has_model and lookup_name(model) not in ANY:
        told = _named([f"{entry.node}: {entry.reason}" for entry in field.rejected])
        return NoNodeHasModel(f"No node that has {model!r} makes pictures now ({told}).")
    refusals = [(state, health.refusal(state.node, state.health, now=now)) for state in states]
    if lookup_name(model) in ANY or all(why for _, why in refusals):
        reasons = [f"{state.node.name}: {_why(state, why, tried)}" for state, why in refusals]
        return NoNodeMakesPictures(f"No node makes pictures now ({_named(reasons)}).")
    known = sorted({info.name for state in states for info in (state.sighting.models if state.sighting else ())})
    return UnknownModel(f"No node makes pictures with {model!r}; there are {_named(known) or 'no models yet'}.")


def _why(state: EndpointState, refusal: str | None, tried: Mapping[EndpointId, str]) -> str:
    return tried.get(state.endpoint.id) or refusal or "has no model yet"


def _named(told: Sequence[str]) -> str:
    more = [f"and {len(told) - MOST_NAMED} more"] if len(told) > MOST_NAMED else []
    return "; ".join([*told[:MOST_NAMED], *more])


def after_failure(error: UpstreamError, tries: int, *, started: bool) -> Literal["elsewhere", "end"]:
    """Whether to try another node: as long as none has begun, or when one made something else than was asked for."""
    if isinstance(error, RequestRefused) or tries >= MOST_TRIES:
        return "end"
    return "elsewhere" if isinstance(error, ModelMissing) or not started else "end"


def final(error: UpstreamError, endpoint: Endpoint, *, started: bool) -> UpstreamError:
    """The error that the caller gets: one who disappears from a job that had begun has interrupted it."""
    if not started or not isinstance(error, Unreachable | TimedOut):
        return error
    message = f"{endpoint.node} stopped in the middle of the pictures; ask again. ({error.message})"
    return Interrupted(message, node=endpoint.node, endpoint=endpoint.id, began=True)


def places(wishes: Sequence[tuple[str, NodeName | None]]) -> list[int]:
    """The place in line of each who waits, by model and node, in order of arrival: those before and 1.

    Only those count that may want the same endpoint.
    """
    return [1 + sum(_may_meet(wish, other) for other in wishes[:at]) for at, wish in enumerate(wishes)]


def _may_meet(one: tuple[str, NodeName | None], other: tuple[str, NodeName | None]) -> bool:
    same_model = one[0] in ANY or other[0] in ANY or one[0] == other[0]
    return same_model and (one[1] is None or other[1] is None or one[1] == other[1])
