"""The slot ledger: what we have sent where. Nodes don't publish it, so halext counts for itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from halext.types import EndpointId, ModelName


class Lease:
    """One slot of an endpoint, taken in the same step in which the endpoint was chosen; given back exactly once."""

    __slots__ = ("_give_back", "endpoint", "model", "others")

    def __init__(self, endpoint: EndpointId, model: ModelName, others: int, give_back: Callable[[Lease], None]) -> None:
        self.endpoint = endpoint
        self.model = model
        self.others = others
        """Requests that the endpoint worked on already when this slot was taken."""
        self._give_back: Callable[[Lease], None] | None = give_back

    def release(self) -> None:
        """Give the slot back; further calls do nothing."""
        give_back, self._give_back = self._give_back, None
        if give_back:
            give_back(self)


class Slots:
    """How many requests of ours each endpoint works on."""

    def __init__(self, on_release: Callable[[], None]) -> None:
        self._taken: dict[EndpointId, Counter[ModelName]] = {}
        self._on_release = on_release

    def reserve(self, endpoint: EndpointId, model: ModelName) -> Lease:
        """Take a slot. Whether there is one is routing's question: this only counts."""
        taken = self._taken.setdefault(endpoint, Counter())
        lease = Lease(endpoint, model, taken.total(), self._release)
        taken[model] += 1
        return lease

    def in_flight(self, endpoint: EndpointId, model: ModelName | None = None) -> int:
        """Requests of ours there now, of one model or of all."""
        taken = self._taken.get(endpoint)
        if taken is None:
            return 0
        return taken.total() if model is None else taken[model]

    def _release(self, lease: Lease) -> None:
        taken = self._taken[lease.endpoint]
        taken[lease.model] -= 1
        if not taken[lease.model]:
            del taken[lease.model]
        if not taken:
            del self._taken[lease.endpoint]
        self._on_release()
