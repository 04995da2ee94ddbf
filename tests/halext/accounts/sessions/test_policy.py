"""What is kept of where a sign-in comes from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.accounts.sessions.policy import ADDRESS_MAX, AGENT_MAX, STEP_S, coarse, origin

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"


@pytest.mark.parametrize(
    ("header", "agent"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Edg/140.0", "Edge on Windows"),
        (f"Mozilla/5.0 (Linux; Android 16) {WEBKIT}", "Chrome on Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) Version/26.0 Safari/604.1", "Safari on iPhone"),
        ("curl/8.9", "curl"),
        ("python-httpx/0.28", "Python"),
        ("", ""),
        ("<script>alert(1)</script>", ""),
    ],
)
def test_the_kind_of_program(header: str, agent: str) -> None:
    assert origin("192.0.2.1", header).agent == agent


@given(st.text(max_size=300), st.text(max_size=300))
def test_whatever_is_sent_fits_its_columns(address: str, header: str) -> None:
    found = origin(address, header)
    assert len(found.address) <= ADDRESS_MAX
    assert len(found.agent) <= AGENT_MAX


def test_an_unknown_address_is_empty() -> None:
    assert origin(None, "").address == ""


def test_uses_are_kept_to_ten_minutes() -> None:
    assert coarse(6000.0) == coarse(6000.0 + STEP_S - 1) == 6000.0
    assert coarse(6000.0 + STEP_S) != 6000.0
