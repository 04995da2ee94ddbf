"""Which model and which endpoint a request gets, by what is known at this moment."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count

from halext.gateway import need, policy
from halext.gateway.slots import Slots
from halext.gateway.types import Ask
from halext.messages import EmbedRequest
from halext.nodes.policy import can_chat, can_embed, lookup_name
from halext.nodes.registry import Registry
from halext.nodes.types import EndpointState
from halext.routing import policy as routing
from halext.routing.types import Candidate, Decision
from halext.types import Clock, EndpointId, ModelName, NodeName
from halext.upstream import ModelInfo

DEFAULT_NAMES = frozenset({"", "auto"})
"""What people write for "whatever is best now"."""

Tried = Mapping[EndpointId, str]
"""Endpoints that have failed this request, and what they said."""


class Chooser:
    """Brings together what routing has to know, and asks it. Takes nothing and reserves nothing."""

    def __init__(self, *, registry: Registry, slots: Slots, clock: Clock, default_model: str | None) -> None:
        self._registry = registry
        self._slots = slots
        self._clock = clock
        self._default_model = default_model
        self._expected: dict[str, float] = {}
        self._turns = count()

    def model_for(self, ask: Ask, tried: Tried) -> ModelName:
        """The model that the request names, or the best one for a request that leaves it to us."""
        named = ask.request.model
        if named.strip().casefold() not in DEFAULT_NAMES:
            return named
        if self._default_model and not isinstance(ask.request, EmbedRequest):
            return ModelName(self._default_model)
        return self._best_model(ask, tried)

    def decide(self, model: str, ask: Ask, tried: Tried, *, waited_s: float) -> tuple[Decision, policy.Field]:
        """Where the request goes, and who is not asked. Raises the error for a request that nobody can take."""
        field = self.field(model, tried, ask.node)
        expected = self._expected.get(lookup_name(model))
        wanted = need.of(ask.request, expected_output=expected, waited_s=waited_s)
        return routing.choose(wanted, self._candidates(field.open)), field

    def field(self, model: str, tried: Tried, only: NodeName | None) -> policy.Field:
        """The endpoints that may be asked for `model`; at least one, or an error that says why there is none."""
        if only is not None:
            self._registry.node(only)
        now = self._clock.now()
        serving = self._registry.serving(model)
        field = policy.field_for(serving, now=now, tried=tried, only=only)
        if not field.open:
            raise policy.nobody(model, serving, field, self._registry.states(), only, now=now)
        return field

    def answered(self, model: str, tokens: int) -> None:
        """An answer of this model had so many tokens: the next one is expected to be about as long."""
        name = lookup_name(model)
        self._expected[name] = routing.learn_output(self._expected.get(name), tokens)

    def _best_model(self, ask: Ask, tried: Tried) -> ModelName:
        if ask.node is not None:
            self._registry.node(ask.node)
        now = self._clock.now()
        fits = can_embed if isinstance(ask.request, EmbedRequest) else can_chat
        best: tuple[bool, bool, float, ModelName] | None = None
        for info in filter(fits, self._registry.models()):
            serving = policy.field_for(self._registry.serving(info.name), now=now, tried=tried, only=ask.node).open
            if not serving:
                continue
            wanted = need.of(ask.request, expected_output=self._expected.get(lookup_name(info.name)), waited_s=0.0)
            score = min(routing.estimate(wanted, candidate).score_s for candidate in self._candidates(serving))
            is_paused = all(state.health.retry_at > now for state, _ in serving)
            is_builtin = all(state.node.builtin for state, _ in serving)
            entry = (is_paused, is_builtin, score, info.name)
            best = entry if best is None else min(best, entry)
        if best is None:
            raise policy.nothing_fits(self._registry.states(), tried, ask.node, chat=fits is can_chat, now=now)
        return best[3]

    def _candidates(self, serving: policy.Serving) -> list[Candidate]:
        turn = next(self._turns)
        return [self._candidate(state, info, tie=(turn + i) % len(serving)) for i, (state, info) in enumerate(serving)]

    def _candidate(self, state: EndpointState, info: ModelInfo, *, tie: int) -> Candidate:
        endpoint = state.endpoint
        told = state.sighting.slots if state.sighting else None
        return Candidate(
            node=endpoint.node,
            endpoint=endpoint.id,
            model=info.name,
            resident=self._registry.is_warm(endpoint.id, info.name),
            size_bytes=info.size_bytes,
            slots=endpoint.slots or told or 1,
            in_flight=self._slots.in_flight(endpoint.id),
            latency_s=state.health.latency_s or 0.0,
            penalty_s=policy.penalty(state.health, now=self._clock.now()),
            rates=self._registry.rates(endpoint.id, info.name),
            tie=tie,
        )
