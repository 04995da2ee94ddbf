"""Reading a node's URL, and judging addresses."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.errors import InvalidInput
from halext.upstreams.address import (
    HOME,
    PUBLIC,
    Rule,
    Scheme,
    is_home,
    networks,
    only,
    parse_url,
    pinned,
    place,
    refusal,
    unwrapped_text,
)

ANYWHERE = Rule(networks(["0.0.0.0/0", "::/0"]))


@pytest.mark.parametrize(
    ("text", "kind", "url"),
    [
        ("mac.local", "auto", "http://mac.local:11434"),
        ("Mac.Local", "ollama", "http://mac.local:11434"),
        ("pc", "automatic1111", "http://pc:7860"),
        ("mac.local", "openai", "http://mac.local:8080"),
        ("vps", "halext", "http://vps:8484"),
        ("http://mac.local", "ollama", "http://mac.local:80"),
        ("https://ai.example.org/", "auto", "https://ai.example.org:443"),
        (" HTTP://mac:1 ", "auto", "http://mac:1"),
        ("192.168.1.20:8080", "auto", "http://192.168.1.20:8080"),
        ("[fd00:0::1]", "auto", "http://[fd00::1]:11434"),
        ("http://[::ffff:192.168.1.2]:5", "auto", "http://192.168.1.2:5"),
        ("my_pc", "auto", "http://my_pc:11434"),
        ("xn--mnchen-3ya.example:1", "auto", "http://xn--mnchen-3ya.example:1"),
    ],
)
def test_what_people_type(text: str, kind: str, url: str) -> None:
    assert parse_url(text, kind) == url
    assert parse_url(url) == url


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ftp://mac", "begins with http"),
        ("file:///etc/passwd", "begins with http"),
        ("http://me:secret@mac", "--header"),
        ("http://mac/v1", "path"),
        ("http://mac//", "path"),
        ("http://mac?x=1", "`\\?`"),
        ("http://mac#x", "`#`"),
        ("http://mac\\x", "backslashes"),
        ("http://ma c", "spaces"),
        ("http://mac\r\nX: y", "control"),
        ("http://127.1", "four decimal"),
        ("http://2130706433", "four decimal"),
        ("http://0x7f.1", "four decimal"),
        ("http://0x7f000001", "four decimal"),
        ("http://0177.0.0.1", "four decimal"),
        ("http://127.0.0.0x1", "four decimal"),
        ("http://1.2.3.4.5", "four decimal"),
        ("http://mac.local.", "dot at the end"),
        ("http://127.0.0.1.", "dot at the end"),
        ("http://münchen.example", "xn--"),
        ("http://①②⑦.0.0.1", "xn--"),
        ("http://[fe80::1%eth0]", "zone"),
        ("http://[fe80::1%25eth0]", "zone"),
        ("http://[::g]", "not an IPv6"),
        ("http://[1.2.3.4]", "not an IPv6"),
        ("http://::1:80", "brackets"),
        ("http://[::1]x:80", "brackets"),
        ("http://mac:0", "1 to 65535"),
        ("http://mac:65536", "1 to 65535"),
        ("http://mac:", "http://host:port"),
        ("http://mac:+80", "http://host:port"),
        ("http://", "host name"),
        ("http://-mac", "host name"),
        ("http://a..b", "host name"),
        ("http://" + "a" * 64, "host name"),
        ("http://" + "a." * 130 + "b", "host name"),
        ("http://a&b", "host name"),
    ],
)
def test_what_is_refused_with_a_sentence(text: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as caught:
        parse_url(text)
    assert "secret" not in caught.value.message


@given(st.text(max_size=30) | st.from_regex(r"https?://[\[\]:a-z0-9.@%/\\#?]{0,20}", fullmatch=True))
def test_any_text_is_a_canonical_url_or_a_sentence(text: str) -> None:
    try:
        url = parse_url(text)
    except InvalidInput:
        return
    assert parse_url(url) == url
    assert place(url).url == url


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "0.1.2.3",
        "169.254.169.254",
        "192.0.0.192",
        "224.0.0.1",
        "255.255.255.255",
        "100.100.100.200",
        "168.63.129.16",
        "::",
        "ff02::1",
        "fe80::1",
        "fe80::1%eth0",
        "fd00::1%eth0",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
        "::ffff:0:127.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::",
        "2001::1",
        "2a00::5efe:7f00:1",
        "2a00::200:5efe:7f00:1",
    ],
)
def test_never_a_node(address: str) -> None:
    assert "never" in (refusal(address, "https", 443, ANYWHERE) or "")


@pytest.mark.parametrize("address", ["mac.local", "", "127.1", "1.2.3.4/32"])
def test_what_is_no_address(address: str) -> None:
    assert refusal(address, "https", 443, ANYWHERE) == "the name leads to something that is not an address"
    assert unwrapped_text(address) == address


@pytest.mark.parametrize(
    ("address", "cidrs", "allowed"),
    [
        ("192.168.1.20", ["192.168.1.20/32"], True),
        ("::ffff:192.168.1.20", ["192.168.1.20/32"], True),
        ("192.168.1.21", ["192.168.1.20/32"], False),
        ("192.168.1.21", ["192.168.1.0/24"], True),
        ("192.168.1.20", [], False),
        ("fd00::20", ["fd00::/8"], True),
        ("fd00::20", ["10.0.0.0/8"], False),
        ("100.64.1.2", ["100.64.0.0/10"], True),
        ("127.0.0.1", ["127.0.0.1/32"], True),
        ("::1", ["::1/128"], True),
        ("127.0.0.1", ["0.0.0.0/0"], False),
        ("::1", ["::/0"], False),
    ],
)
def test_networks_allow(address: str, cidrs: list[str], allowed: bool) -> None:
    why = refusal(address, "http", 11434, Rule(networks(cidrs)))
    assert (why is None) is allowed
    assert allowed or "outside the networks" in (why or "")


@pytest.mark.parametrize(
    ("address", "scheme", "insecure", "allowed"),
    [
        ("8.8.8.8", "http", False, False),
        ("8.8.8.8", "http", True, True),
        ("8.8.8.8", "https", False, True),
        ("2a00::1", "http", False, False),
        ("10.1.2.3", "http", False, True),
        ("172.31.0.1", "http", False, True),
        ("172.32.0.1", "http", False, False),
        ("fd00::1", "http", False, True),
        ("100.127.0.1", "http", False, True),
    ],
)
def test_plain_http_stays_at_home(address: str, scheme: Scheme, insecure: bool, allowed: bool) -> None:
    why = refusal(address, scheme, 80, Rule(ANYWHERE.networks, insecure=insecure))
    assert (why is None) is allowed
    assert allowed or "--insecure" in (why or "")


@pytest.mark.parametrize(
    ("own", "address", "port", "ours"),
    [
        ("127.0.0.1", "127.0.0.1", 8484, True),
        ("127.0.0.1", "127.0.0.1", 8485, False),
        ("127.0.0.1", "::1", 8484, True),
        ("0.0.0.0", "127.0.0.5", 8484, True),
        ("::", "::1", 8484, True),
        ("10.0.0.1", "10.0.0.1", 8484, True),
        ("10.0.0.1", "::ffff:10.0.0.1", 8484, True),
        ("10.0.0.1", "10.0.0.2", 8484, False),
    ],
)
def test_our_own_ports(own: str, address: str, port: int, ours: bool) -> None:
    rule = Rule(networks(["10.0.0.0/8", "127.0.0.0/8", "::1/128"]), frozenset({(own, 8484)}))
    assert ((refusal(address, "http", port, rule) or "").endswith("is halext itself")) is ours


@pytest.mark.parametrize(
    ("url", "cidrs", "found"),
    [
        ("mac.local", ["10.0.0.0/8"], ["10.0.0.0/8"]),
        ("mac.local", [], []),
        ("10.0.0.5", [], ["10.0.0.5/32"]),
        ("10.0.0.5", ["10.0.0.0/8"], ["10.0.0.0/8"]),
        ("[fd00::5]", [], ["fd00::5/128"]),
        ("localhost", [], ["127.0.0.0/8", "::1/128"]),
    ],
)
def test_what_counts_as_pinned(url: str, cidrs: list[str], found: list[str]) -> None:
    assert [str(net) for net in pinned(place(url), cidrs)] == found


@given(st.ip_addresses())
def test_an_address_is_in_its_own_network_only(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    (net,) = networks([only(address)])
    assert address in net
    assert net.num_addresses == 1


@pytest.mark.parametrize("cidr", ["192.168.1.1/24", "mac", "10.0.0.0/33", ""])
def test_a_network_that_is_none(cidr: str) -> None:
    with pytest.raises(InvalidInput, match="192"):
        networks([cidr])


@pytest.mark.parametrize(
    ("address", "is_public"),
    [
        ("93.184.216.34", True),
        ("172.15.255.255", True),
        ("172.32.0.0", True),
        ("100.128.0.0", True),
        ("2606:4700::1", True),
        ("10.0.0.1", False),
        ("172.16.0.1", False),
        ("192.168.1.20", False),
        ("100.64.0.1", False),
        ("127.0.0.1", False),
        ("::1", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("169.254.169.254", False),
        ("0.0.0.0", False),
    ],
)
def test_what_counts_as_public(address: str, is_public: bool) -> None:
    assert (refusal(address, "https", 443, Rule(PUBLIC)) is None) is is_public
    assert refusal(address, "http", 80, Rule(PUBLIC)) is not None


def test_public_networks_are_those_that_are_not_at_home() -> None:
    texts = {str(net) for net in PUBLIC}
    assert len(texts) == len(PUBLIC)
    assert texts.isdisjoint(str(home) for home in HOME)
    v4 = sum(net.num_addresses for net in PUBLIC if net.version == 4)
    assert v4 == 2**32 - 2**24 - 2**20 - 2**16 - 2**22


@pytest.mark.parametrize(
    ("text", "home"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("192.168.1.0/24", True),
        ("192.168.0.0/15", False),
        ("100.64.0.0/10", True),
        ("fd00::/48", True),
        ("0.0.0.0/0", False),
        ("::/0", False),
        ("203.0.113.7", False),
    ],
)
def test_what_is_at_home(text: str, home: bool) -> None:
    assert is_home(text) is home
