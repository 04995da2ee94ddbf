from __future__ import annotations

import datetime as dt
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.testing.clock import EPOCH
from halext.testing.fake import Refusal
from halext.testing.ollama_fields import (
    host_allowed,
    keep_alive_s,
    local_stamp,
    nanoseconds,
    utc_stamp,
    version_key,
)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        (0, 0.0),
        (90, 90),
        (1.5, 1.5),
        (-1, math.inf),
        ("0", 0),
        ("-0", 0),
        ("10m", 600),
        ("1h30m", 5400),
        ("1.5s", 1.5),
        (".5s", 0.5),
        ("250ms", 0.25),
        ("2us3ns", 2.003e-6),
        ("-1m", math.inf),
        ("+5s", 5),
    ],
)
def test_keep_alive_in_its_many_forms(value: Any, seconds: float | None) -> None:
    assert keep_alive_s(value) == (seconds if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("300", 'time: missing unit in duration "300"'),
        ("-1", 'time: missing unit in duration "-1"'),
        ("soon", 'time: invalid duration "soon"'),
        ("", 'time: invalid duration ""'),
        ("5 m", 'time: invalid duration "5 m"'),
        (True, "Unsupported type: 'bool'"),
        ([1], "Unsupported type: 'list'"),
    ],
)
def test_keep_alive_that_go_can_not_read(value: Any, text: str) -> None:
    with pytest.raises(Refusal) as refused:
        keep_alive_s(value)
    assert (refused.value.status, refused.value.text) == (400, text)


@given(st.floats(min_value=EPOCH, max_value=EPOCH + 1e9))
def test_times_are_written_with_nine_digits_and_read_back(now: float) -> None:
    for stamp, ending in ((utc_stamp(now), "Z"), (local_stamp(now), "+02:00")):
        assert stamp.endswith(ending)
        assert len(stamp.removesuffix(ending).partition(".")[2]) == 9
        assert dt.datetime.fromisoformat(stamp).timestamp() == pytest.approx(now, abs=2e-6)


def test_for_ever_is_a_date_three_centuries_away() -> None:
    assert 2315 < dt.datetime.fromisoformat(local_stamp(math.inf)).year < 2325


def test_seconds_are_sent_as_whole_nanoseconds() -> None:
    assert nanoseconds(1.5) == 1_500_000_000


@pytest.mark.parametrize(
    ("older", "newer"), [("0.9.7", "0.13.0"), ("0.13.5", "0.30.0"), ("0.30.0", "0.33.0-rc2"), ("0.9", "0.9.1")]
)
def test_versions_compare_as_numbers(older: str, newer: str) -> None:
    assert version_key(older) < version_key(newer)


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("localhost:11434", True),
        ("127.0.0.1:1", True),
        ("[::1]:11434", True),
        ("192.168.1.7", True),
        ("pc.local:80", True),
        ("x.internal", True),
        ("", True),
        ("ai.example.org", False),
        ("8.8.8.8:80", False),
        ("localhost.evil.org", False),
    ],
)
def test_which_hosts_may_ask(host: str, *, allowed: bool) -> None:
    assert host_allowed(host) is allowed
