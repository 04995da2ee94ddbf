from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from halext.tunnel.gate import Gate


def test_one_address_may_not_take_every_place() -> None:
    gate = Gate(total=4, per_address=2)
    assert [gate.enter("a") for _ in range(3)] == [True, True, False]
    assert gate.enter("b")
    gate.leave("a")
    assert gate.enter("a")


def test_all_addresses_together_have_a_limit() -> None:
    gate = Gate(total=3, per_address=2)
    assert [gate.enter(address) for address in "abcd"] == [True, True, True, False]
    gate.leave("b")
    assert gate.enter("d")


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abc"))))
def test_who_leaves_makes_room_for_exactly_one(moves: list[tuple[bool, str]]) -> None:
    gate, inside = Gate(total=4, per_address=2), Counter[str]()
    for comes, address in moves:
        if comes:
            assert gate.enter(address) == (inside[address] < 2 and inside.total() < 4)
            inside[address] += inside[address] < 2 and inside.total() < 4
        elif inside[address]:
            gate.leave(address)
            inside[address] -= 1
