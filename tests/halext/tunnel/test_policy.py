from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.tunnel.policy import CODE_BYTES, PORTS, claim, digest, may_forward
from halext.tunnel.types import Claim, Invited, Member
from halext.types import NodeName

CODE = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("user", "meant"),
    [
        ("mac", Member(NodeName("mac"))),
        ("gaming-pc.2_x", Member(NodeName("gaming-pc.2_x"))),
        (f"join-{CODE}", Invited(digest(CODE))),
        (f"join-{CODE}0", None),
        (f"join-{CODE.upper()}", None),
        ("join-", None),
        ("join-mac", None),
        ("Mac", None),
        ("mac\n", None),
        ("-oProxyCommand=x", None),
        ("a" * 64, None),
        ("", None),
    ],
)
def test_who_a_user_name_says_it_is(user: str, meant: Claim | None) -> None:
    assert claim(user) == meant


@given(st.binary(min_size=CODE_BYTES, max_size=CODE_BYTES))
def test_every_code_is_read_and_only_its_digest_is_kept(code: bytes) -> None:
    found = claim(f"join-{code.hex()}")
    assert isinstance(found, Invited)
    assert code.hex() not in repr(found)


@given(st.text(max_size=40))
def test_no_user_name_is_both(user: str) -> None:
    found = claim(user)
    assert isinstance(found, Invited) <= user.startswith("join-")
    assert isinstance(found, Member) <= (not user.startswith("join-"))


@given(st.text(), st.integers(0, 65_535))
def test_only_the_loopback_of_the_computer_is_offered(host: str, port: int) -> None:
    assert may_forward(host, port) == (host == "127.0.0.1" and port in PORTS)
    assert may_forward("127.0.0.1", port) == (port in {11434, 8080, 7860, 8188})
