"""How long an invite lives, and what stands beside it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.accounts.invites.policy import LONGEST_LIFE_S, MAKERS, NOTE_MAX, check_life, clean_note
from halext.accounts.types import Role
from halext.errors import InvalidInput


@pytest.mark.parametrize("life_s", [1.0, LONGEST_LIFE_S])
def test_up_to_two_weeks(life_s: float) -> None:
    assert check_life(life_s) == life_s


@pytest.mark.parametrize("life_s", [0.0, -1.0, LONGEST_LIFE_S + 1, float("inf"), float("nan")])
def test_not_longer_and_not_never(life_s: float) -> None:
    with pytest.raises(InvalidInput, match="14 days"):
        check_life(life_s)


@given(st.text(max_size=500))
def test_a_note_is_one_line_that_fits(note: str) -> None:
    clean = clean_note(note)
    assert len(clean) <= NOTE_MAX
    assert clean.isprintable()


def test_only_admins_invites_count() -> None:
    assert frozenset({Role.ADMIN}) == MAKERS
