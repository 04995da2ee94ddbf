"""Attack 4: this machine under another spelling, in a node's address or in what a name server says.

Every case is tried with the port of a server on loopback. A node is pinned to an address that nobody has; whatever is
written and whatever the resolver answers, halext must refuse before it connects.
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Callable, Iterator

import pytest

from halext.errors import InvalidInput, Unreachable
from halext.types import EndpointId, NodeName
from halext.upstream import Endpoint
from halext.upstreams.address import PUBLIC, parse_url
from halext.upstreams.http import Door

from .conftest import Sentinel

CASES = 12_000
PINNED = "192.0.2.7"
V4 = ipaddress.IPv4Address
Form = Callable[[int, random.Random], str]
"""An IPv4 address as a number → one way to write it."""
TARGETS = (
    "127.0.0.1",
    "127.0.0.2",
    "127.255.255.254",
    "0.0.0.0",
    "10.0.0.1",
    "169.254.169.254",
    "192.168.1.1",
    "255.255.255.255",
)
DIGITS = ("０１２３４５６７８９", "⓪①②③④⑤⑥⑦⑧⑨", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗")
DOTS = "。．｡"


def _isatap(v4: int, draw: random.Random) -> str:
    return str(ipaddress.IPv6Address(draw.getrandbits(64) << 64 | draw.choice((0x5EFE, 0x2005EFE)) << 32 | v4))


def _carried(prefix: str, shift: int) -> Form:
    base = int(ipaddress.IPv6Address(prefix))
    return lambda v4, draw: str(ipaddress.IPv6Address(base | v4 << shift))


def _teredo(v4: int, draw: random.Random) -> str:
    return str(ipaddress.IPv6Address(0x20010000 << 96 | draw.getrandbits(64) << 32 | (v4 ^ 0xFFFFFFFF)))


def _zoned(v4: int, draw: random.Random) -> str:
    return draw.choice(("fe80::1%lo", "::1%lo", "fe80::%x%%1" % (v4 & 0xFFFF), "::1%25lo"))


ANSWERS: dict[str, Form] = {
    "plain": lambda v4, draw: str(V4(v4)),
    "mapped": _carried("::ffff:0:0", 0),
    "compatible": _carried("::", 0),
    "siit": _carried("::ffff:0:0:0", 0),
    "nat64": _carried("64:ff9b::", 0),
    "nat64 local": _carried("64:ff9b:1::", 0),
    "6to4": _carried("2002::", 80),
    "teredo": _teredo,
    "isatap": _isatap,
    "zone": _zoned,
    "loopback": lambda v4, draw: "::1",
    "nothing": lambda v4, draw: draw.choice(("::", "0.0.0.0", "", "localhost", "127.1", str(v4))),
}
"""What a resolver may say, by form."""


def _bytes(v4: int) -> list[int]:
    return list(V4(v4).packed)


def _mixed(v4: int, draw: random.Random) -> str:
    forms = (str, hex, lambda byte: f"0{byte:o}", lambda byte: f"{byte:05d}", lambda byte: f"0X{byte:X}")
    return ".".join(draw.choice(forms)(byte) for byte in _bytes(v4))


def _odd(v4: int, draw: random.Random) -> str:
    """The same with one thing that makes it no plain address: never four decimal numbers."""
    one = _mixed(v4, draw)
    return one if "x" in one.lower() or any(part[0] == "0" and part != "0" for part in one.split(".")) else hex(v4)


def _digits(v4: int, draw: random.Random) -> str:
    digits = draw.choice(DIGITS)
    return "".join(digits[int(each)] if each.isdigit() else draw.choice(DOTS + ".") for each in str(V4(v4)))


def _bracketed(form: Form) -> Form:
    return lambda v4, draw: f"[{form(v4, draw)}]"


WRITTEN: dict[str, Form] = {
    "decimal": lambda v4, draw: str(v4),
    "hexadecimal": lambda v4, draw: hex(v4),
    "octal": lambda v4, draw: f"0{v4:o}",
    "two parts": lambda v4, draw: f"{v4 >> 24}.{v4 & 0xFFFFFF}",
    "three parts": lambda v4, draw: f"{v4 >> 24}.{v4 >> 16 & 0xFF}.{v4 & 0xFFFF}",
    "mixed": _odd,
    "trailing dot": lambda v4, draw: f"{V4(v4)}.",
    "other digits": _digits,
    "five parts": lambda v4, draw: f"{V4(v4)}.{v4 & 0xFF}",
    "user": lambda v4, draw: f"{PINNED}@{V4(v4)}",
    "after a hash": lambda v4, draw: f"{V4(v4)}#@{PINNED}",
    "backslash": lambda v4, draw: f"{V4(v4)}\\@{PINNED}",
    "brackets": lambda v4, draw: f"[{V4(v4)}]",
    "quoted": lambda v4, draw: "".join(f"%{ord(each):02x}" for each in str(V4(v4))),
    "line break": lambda v4, draw: f"{PINNED}\r\nHost: {V4(v4)}",
    **{f"[{name}]": _bracketed(form) for name, form in ANSWERS.items() if name != "plain"},
    "plain": ANSWERS["plain"],
}
"""What somebody may write as a node's host, by form."""


def cases(forms: dict[str, Form], count: int, seed: int) -> Iterator[tuple[str, str]]:
    """That many cases, each form as often as the others."""
    draw, names = random.Random(seed), list(forms)
    for number in range(count):
        v4 = int(V4(draw.choice(TARGETS))) if draw.random() < 0.5 else draw.getrandbits(24) | 127 << 24
        yield names[number % len(names)], forms[names[number % len(names)]](v4, draw)


def node(url: str) -> Endpoint:
    """A node that may live at one address only, and says that plain http there is fine."""
    return Endpoint(EndpointId("mac"), NodeName("mac"), "ollama", url, cidrs=(f"{PINNED}/32",), insecure=True)


async def test_no_spelling_of_a_node_s_address_leads_here(sentinel: Sentinel) -> None:
    tried = dict.fromkeys(WRITTEN, 0)
    door = Door()
    for form, host in cases(WRITTEN, CASES // 2, seed=4):
        tried[form] += 1
        try:
            endpoint = node(parse_url(f"http://{host}:{sentinel.port}"))
        except InvalidInput:
            continue
        with pytest.raises(Unreachable, match="may not be contacted"):
            await door.request(endpoint, "GET", "/api/tags")
    await door.aclose()
    assert sum(tried.values()) == CASES // 2
    assert min(tried.values()) > 100
    assert sentinel.heard == []


async def test_no_answer_of_a_resolver_leads_here(sentinel: Sentinel) -> None:
    """Each answer for a node with a name, and for a webhook, which may be anywhere that is public."""
    said = ""

    async def resolve(_host: str, _port: int) -> list[str]:
        return [said]

    hook = Endpoint(
        EndpointId("hook"), NodeName("Slack"), "webhook", "https://hooks.example.org:443", cidrs=tuple(map(str, PUBLIC))
    )
    mac, tried = node(f"http://mac.lan:{sentinel.port}"), dict.fromkeys(ANSWERS, 0)
    door = Door(resolve=resolve, node_cidrs=["0.0.0.0/0", "::/0"])
    strict = Door(resolve=resolve)
    for form, said in cases(ANSWERS, CASES // 2, seed=5):  # noqa: B007  (the resolver reads it)
        tried[form] += 1
        with pytest.raises(Unreachable, match="may not be contacted"):
            await strict.request(mac, "GET", "/api/tags")
        with pytest.raises(Unreachable, match="may not be contacted"):
            await door.request(hook, "POST", "/services/T0/B0/x0", json=b"{}")
    await door.aclose()
    await strict.aclose()
    assert sum(tried.values()) == CASES // 2
    assert min(tried.values()) > 100
    assert sentinel.heard == []
