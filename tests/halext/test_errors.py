from __future__ import annotations

import pytest

from halext.errors import AllBusy, HalextError, Unreachable, UpstreamError, by_code


def test_the_class_is_the_message_until_something_better_is_known() -> None:
    assert AllBusy().message == str(AllBusy()) == "Every node that could answer is busy; try again in a moment."
    assert str(AllBusy("all busy (wait about 12 s)", retry_after_s=12)) == "all busy (wait about 12 s)"
    assert AllBusy("x", retry_after_s=12).retry_after_s == 12


def test_an_upstreams_failure_says_where() -> None:
    error = Unreachable("off", node="mac", endpoint="mac", began=True)
    assert (error.node, error.endpoint, error.began) == ("mac", "mac", True)
    assert isinstance(error, UpstreamError)


@pytest.mark.parametrize(("kind", "retryable"), [(HalextError, False), (AllBusy, True), (Unreachable, True)])
def test_who_may_try_again(kind: type[HalextError], retryable: bool) -> None:
    assert kind().retryable is retryable


def test_every_error_is_found_by_its_code() -> None:
    assert by_code("all_busy") is AllBusy
    assert by_code("error") is HalextError
    assert by_code("upstream") is UpstreamError
    assert by_code("of_the_future") is None
    assert by_code(None) is None
