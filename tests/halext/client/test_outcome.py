"""Failures are values with the error that they would have been."""

from __future__ import annotations

import pytest

from halext.client.outcome import Failure, Outcome, error_of
from halext.errors import AllBusy, BadAnswer, HalextError


@pytest.mark.parametrize(("code", "kind"), [("bad_answer", BadAnswer), ("all_busy", AllBusy), ("new", HalextError)])
def test_the_error_comes_back_by_its_code(code: str, kind: type[HalextError]) -> None:
    error = error_of(Outcome(code=code, message="It is so."))
    assert (type(error), error.message) == (kind, "It is so.")


def test_an_outcome_with_a_code_is_none() -> None:
    assert Outcome("hi").is_done
    assert not Outcome(code="bad_answer").is_done


def test_a_failure_counts_as_false_and_shows_no_text() -> None:
    failure = Failure("row 7", BadAnswer(), attempts=2, nodes=("mac",), text="private")
    assert not failure
    assert repr(failure) == "<Failure of item 'row 7': bad_answer after 2 attempts>"
