"""Who is on the line, behind whatever proxies say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from halext.errors import BadRequest, Forbidden
from halext.runtime.settings import Settings
from halext_web.peers import Peer, Peers, group, parse_address, split_host


def peers(**settings: Any) -> Peers:
    return Peers(Settings(data_dir=Path("/nowhere"), **settings))


def read(settings: dict[str, Any], client: str, *headers: tuple[str, str], scheme: str = "http") -> Peer:
    raw = [(name.encode(), value.encode()) for name, value in headers]
    return peers(**settings).read({"client": (client, 1), "scheme": scheme}, Headers(raw=raw))


PROXIED = {"trusted_proxies": "10.0.0.0/8, ::1"}


@pytest.mark.parametrize(
    ("settings", "client", "forwarded", "address"),
    [
        ({}, "203.0.113.5", "198.51.100.1", "203.0.113.5"),
        ({}, "127.0.0.1", "198.51.100.1", "127.0.0.1"),
        (PROXIED, "10.0.0.1", "198.51.100.1", "198.51.100.1"),
        (PROXIED, "10.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"),
        (PROXIED, "10.0.0.1", "1.2.3.4, 198.51.100.1, 10.0.0.9", "198.51.100.1"),
        (PROXIED, "10.0.0.1", "10.0.0.9", "10.0.0.9"),
        (PROXIED, "10.0.0.1", "nonsense, 198.51.100.1", "198.51.100.1"),
        (PROXIED, "10.0.0.1", "198.51.100.1, nonsense", "10.0.0.1"),
        (PROXIED, "10.0.0.1", "", "10.0.0.1"),
        (PROXIED, "::1", "2001:db8::7", "2001:db8::7"),
        (PROXIED, "::ffff:10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
        (PROXIED, "203.0.113.5", "127.0.0.1", "203.0.113.5"),
    ],
)
def test_the_address(settings: dict[str, Any], client: str, forwarded: str, address: str) -> None:
    assert read(settings, client, ("x-forwarded-for", forwarded)).address == address


def test_several_headers_count_as_one() -> None:
    peer = read(PROXIED, "10.0.0.1", ("x-forwarded-for", "1.2.3.4"), ("x-forwarded-for", "198.51.100.1"))
    assert peer.address == "198.51.100.1"


@given(st.text(max_size=60))
def test_no_header_from_outside_changes_anything(forwarded: str) -> None:
    peer = read(PROXIED, "203.0.113.5", ("x-forwarded-for", forwarded), ("x-forwarded-proto", "https"))
    assert (peer.address, peer.is_secure) == ("203.0.113.5", False)


@pytest.mark.parametrize(
    ("settings", "client", "headers", "scheme", "is_secure"),
    [
        ({}, "127.0.0.1", [], "http", False),
        ({}, "127.0.0.1", [], "https", True),
        ({}, "127.0.0.1", [("x-forwarded-proto", "https")], "http", False),
        (PROXIED, "10.0.0.1", [("x-forwarded-proto", "https")], "http", True),
        (PROXIED, "10.0.0.1", [("x-forwarded-proto", "http")], "http", False),
        ({"public_url": "https://ai.example.org"}, "127.0.0.1", [("host", "ai.example.org")], "http", True),
        ({"public_url": "https://ai.example.org"}, "127.0.0.1", [("host", "127.0.0.1:8484")], "http", False),
    ],
)
def test_whether_it_came_over_https(
    settings: dict[str, Any], client: str, headers: list[tuple[str, str]], scheme: str, *, is_secure: bool
) -> None:
    assert read(settings, client, *headers, scheme=scheme).is_secure is is_secure


@pytest.mark.parametrize(
    ("client", "headers", "is_this_machine"),
    [
        ("127.0.0.1", [], True),
        ("::1", [], True),
        ("::ffff:127.0.0.1", [], True),
        ("192.168.1.5", [], False),
        ("127.0.0.1", [("x-forwarded-for", "127.0.0.1")], False),
        ("127.0.0.1", [("forwarded", "for=127.0.0.1")], False),
        ("127.0.0.1", [("x-real-ip", "127.0.0.1")], False),
    ],
)
def test_this_machine(client: str, headers: list[tuple[str, str]], *, is_this_machine: bool) -> None:
    assert read({}, client, *headers).is_this_machine is is_this_machine


@pytest.mark.parametrize(
    ("settings", "address", "host", "error"),
    [
        ({}, "203.0.113.5", "anything", None),
        ({"allowed_cidrs": "192.168.0.0/16"}, "192.168.7.7", "x", None),
        ({"allowed_cidrs": "192.168.0.0/16"}, "203.0.113.5", "x", Forbidden),
        ({"allowed_cidrs": "192.168.0.0/16"}, "", "x", Forbidden),
        ({"public_url": "https://ai.example.org"}, "203.0.113.5", "ai.example.org", None),
        ({"public_url": "https://ai.example.org"}, "203.0.113.5", "AI.Example.org:443", None),
        ({"public_url": "https://ai.example.org"}, "127.0.0.1", "localhost:8484", None),
        ({"public_url": "https://ai.example.org"}, "127.0.0.1", "127.0.0.1:8484", None),
        ({"public_url": "https://ai.example.org"}, "127.0.0.1", "[::1]:8484", None),
        ({"public_url": "https://ai.example.org"}, "127.0.0.1", "halext.localhost", None),
        ({"public_url": "https://ai.example.org"}, "203.0.113.5", "evil.example", BadRequest),
        ({"public_url": "https://ai.example.org"}, "203.0.113.5", "ai.example.org.evil", BadRequest),
        ({"public_url": "https://ai.example.org"}, "203.0.113.5", "localhost.evil", BadRequest),
        ({"public_url": "https://ai.example.org"}, "203.0.113.5", "", BadRequest),
    ],
)
def test_who_may_come_in(settings: dict[str, Any], address: str, host: str, error: type[Exception] | None) -> None:
    peer = Peer(address, is_secure=False, is_this_machine=False)
    headers = Headers({"host": host})
    if error is None:
        peers(**settings).admit(peer, headers)
        return
    with pytest.raises(error):
        peers(**settings).admit(peer, headers)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("Example.org", ("example.org", "")),
        ("example.org.:80", ("example.org", "80")),
        ("[::1]:8484", ("::1", "8484")),
        ("[::1]", ("::1", "")),
        ("", ("", "")),
    ],
)
def test_host_and_port(host: str, expected: tuple[str, str]) -> None:
    assert split_host(host) == expected


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_none(text: str) -> None:
    parse_address(text)
    split_host(text)


@pytest.mark.parametrize(
    ("settings", "peer", "expected"),
    [
        ({}, Peer("203.0.113.5", is_secure=False, is_this_machine=False), True),
        ({"admin_cidrs": "10.0.0.0/8"}, Peer("203.0.113.5", is_secure=False, is_this_machine=False), False),
        ({"admin_cidrs": "10.0.0.0/8"}, Peer("10.1.2.3", is_secure=False, is_this_machine=False), True),
        ({"admin_cidrs": "10.0.0.0/8, fd00::/8"}, Peer("fd00::7", is_secure=False, is_this_machine=False), True),
        ({"admin_cidrs": "10.0.0.0/8"}, Peer("127.0.0.1", is_secure=False, is_this_machine=True), True),
        ({"admin_cidrs": "10.0.0.0/8"}, Peer("127.0.0.1", is_secure=False, is_this_machine=False), False),
        ({"admin_cidrs": "10.0.0.0/8"}, Peer("", is_secure=False, is_this_machine=False), False),
    ],
)
def test_where_halext_may_be_administered(settings: dict[str, Any], peer: Peer, *, expected: bool) -> None:
    assert peers(**settings).may_manage(peer) is expected


HOP = st.sampled_from(
    ["10.0.0.9", "::1", "198.51.100.1", "203.0.113.99", "::ffff:10.0.0.2", "nonsense", "", " ", "127.0.0.1"]
)
"""Addresses inside and outside the trusted networks, and what is none."""


@given(st.lists(HOP | st.text(max_size=12), max_size=8), st.integers(1, 3))
def test_what_stands_before_the_last_stranger_never_counts(hops: list[str], headers: int) -> None:
    """A client may write what it wants: the outermost proxy adds the real address behind that."""
    hops = [hop.encode("ascii", "ignore").decode().replace("\0", "") for hop in hops]
    written = [("x-forwarded-for", ",".join(hops[start::headers])) for start in range(headers)]
    peer = read(PROXIED, "10.0.0.1", *written, ("x-forwarded-for", "198.51.100.77, 10.0.0.9"))
    assert peer.address == "198.51.100.77"
    assert not peer.is_this_machine


@given(st.lists(HOP, max_size=80))
def test_the_address_is_always_one_that_was_there(hops: list[str]) -> None:
    peer = read(PROXIED, "10.0.0.1", ("x-forwarded-for", ", ".join(hops)))
    known = {str(parse_address(hop.strip())) for hop in hops if parse_address(hop.strip())} | {"10.0.0.1"}
    assert peer.address in known


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("203.0.113.5", "203.0.113.5"),
        ("::ffff:203.0.113.5", "203.0.113.5"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("", ""),
    ],
)
def test_what_counts_as_one_client(address: str, expected: str) -> None:
    assert group(address) == expected


PROXY: dict[str, Any] = {"trusted_proxies": ("10.0.0.1/32",), "public_url": "https://ai.example.org"}


@pytest.mark.parametrize(
    ("client", "headers", "signs"),
    [
        ("10.0.0.1", {"x-forwarded-for": "203.0.113.5"}, {}),
        ("10.0.0.1", {}, {"silent": "10.0.0.1"}),
        ("10.0.0.1", {"host": "127.0.0.1:8484"}, {}),
        ("10.0.0.2", {}, {}),
        ("10.0.0.2", {"x-forwarded-for": "203.0.113.5"}, {"untrusted": "10.0.0.2"}),
        ("10.0.0.2", {"forwarded": "for=203.0.113.5"}, {"untrusted": "10.0.0.2"}),
    ],
)
def test_what_does_not_fit_the_settings_is_remembered_for_doctor(
    client: str, headers: dict[str, str], signs: dict[str, str]
) -> None:
    seen: dict[Any, str] = {}
    watching = Peers(Settings(data_dir=Path("/nowhere"), **PROXY), seen)
    scope = {"type": "http", "scheme": "http", "client": (client, 1234)}
    watching.read(scope, Headers({"host": "ai.example.org"} | headers))
    assert seen == signs
