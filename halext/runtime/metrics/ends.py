"""Counts requests when they end."""

from __future__ import annotations

from typing import get_args

from halext.accounts.types import Outcome
from halext.gateway.types import Record
from halext.nodes.registry import Registry
from halext.runtime.metrics import names
from halext.runtime.metrics.tally import Histogram, Tally
from halext.runtime.metrics.types import OTHER, Family

LABEL_MAX = 128
REFUSED = "refused"
"""The outcome of what failed before a node was asked: an unknown model, a spent quota, no node, a full line."""
_OUTCOMES = len(get_args(Outcome)) + 1


class Ends:
    """Hears of each request once, at its end; nothing is counted on the way, piece by piece."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._requests = Tally(names.REQUESTS, _OUTCOMES)
        self._cached = Tally(names.CACHED)
        self._node_requests = Tally(names.NODE_REQUESTS, _OUTCOMES)
        self._node_failures = Tally(names.NODE_FAILURES)
        self._node_tokens = Tally(names.NODE_TOKENS, 2)
        self._model_requests = Tally(names.MODEL_REQUESTS, _OUTCOMES)
        self._model_tokens = Tally(names.MODEL_TOKENS, 2)
        self._duration = Histogram(names.DURATION, names.BOUNDS_S)
        self._first_token = Histogram(names.FIRST_TOKEN, names.BOUNDS_S)
        self._wait = Histogram(names.WAIT, names.BOUNDS_S)

    def hear(self, record: Record) -> None:
        """Count a request that has ended. Never waits."""
        outcome = outcome_of(record)
        model = self.model_of(record)
        self._requests.add(record.kind, outcome)
        self._model_requests.add(model, outcome)
        if record.cached:
            self._cached.add()
            return
        for choice, _ in zip(record.choices, record.failures, strict=False):
            self._node_failures.add(choice.node)
        if record.choices:
            self._wait.add(record.kind, seconds=record.choices[0].waited_s)
        if record.node is not None:
            self._at_node(record, record.node, model, outcome)

    def _at_node(self, record: Record, node: str, model: str, outcome: str) -> None:
        self._node_requests.add(node, outcome)
        for name, tokens in (("prompt", record.usage.prompt_tokens), ("completion", record.usage.completion_tokens)):
            if tokens:
                self._node_tokens.add(node, name, by=tokens)
                self._model_tokens.add(model, name, by=tokens)
        if record.total_s is not None:
            self._duration.add(record.kind, seconds=record.total_s)
        if record.first_token_s is not None:
            self._first_token.add(record.kind, seconds=record.first_token_s)

    def model_of(self, record: Record) -> str:
        """The model as a node that has it spells it: what clients ask for, and strange names, are all `other`."""
        found = self._registry.serving(record.model)
        name = found[0][1].name if found else OTHER
        return name if len(name) <= LABEL_MAX and name.isprintable() else OTHER

    def families(self) -> list[Family]:
        """What was counted so far."""
        counted = (self._requests, self._cached, self._node_requests, self._node_failures, self._node_tokens)
        models = (self._model_requests, self._model_tokens)
        spreads = (self._duration, self._first_token, self._wait)
        return [each.family() for each in (*counted, *models, *spreads)]


def outcome_of(record: Record) -> str:
    """How it ended; `refused` if that was before any node was asked."""
    if record.outcome == "failed" and record.node is None and not record.choices:
        return REFUSED
    return record.outcome or "failed"
