from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from halext.gateway.slots import Lease, Slots
from halext.types import EndpointId, ModelName

A, B = EndpointId("a"), EndpointId("b")
M, N = ModelName("m"), ModelName("n")


def test_slots_are_counted_per_endpoint_and_model() -> None:
    freed: list[int] = []
    slots = Slots(on_release=lambda: freed.append(1))
    first, second, other = slots.reserve(A, M), slots.reserve(A, N), slots.reserve(B, M)
    assert (first.others, second.others, other.others) == (0, 1, 0)
    assert (slots.in_flight(A), slots.in_flight(A, M), slots.in_flight(B), slots.in_flight(B, N)) == (2, 1, 1, 0)
    first.release()
    first.release()
    assert (slots.in_flight(A), slots.in_flight(A, M)) == (1, 0)
    assert freed == [1]


@given(st.lists(st.tuples(st.sampled_from([A, B]), st.sampled_from([M, N]), st.booleans())))
def test_what_is_taken_is_what_was_not_given_back(history: list[tuple[EndpointId, ModelName, bool]]) -> None:
    slots = Slots(on_release=lambda: None)
    held: list[Lease] = []
    for endpoint, model, gives in history:
        if gives and held:
            held.pop(0).release()
        else:
            held.append(slots.reserve(endpoint, model))
        assert slots.in_flight(A) + slots.in_flight(B) == len(held)
    for lease in held:
        lease.release()
    assert slots.in_flight(A) == slots.in_flight(B) == 0
