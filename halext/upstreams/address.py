"""Where a node may live: reading the URL that an administrator gives, and judging every address it leads to. Pure.

Home nodes have private addresses, so "refuse what is private" would refuse everything. The rule is a list of what is
allowed instead: the networks a node was pinned to when it was added. A few are refused whatever the list says.
Python's own `is_private`, `is_global` and `is_link_local` are no guard: they call NAT64 and 6to4 forms of 127/8 global.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from halext.errors import InvalidInput

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Scheme = Literal["http", "https"]

DEFAULT_PORTS = {"auto": 11434, "ollama": 11434, "openai": 8080, "automatic1111": 7860, "halext": 8484}
"""The port meant by a bare host name: Ollama's, llama.cpp's, Stable Diffusion's and our own. With a scheme it is 80 or
443, as Ollama's own OLLAMA_HOST has it."""


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


REFUSED = _networks(
    "0.0.0.0/8",
    "169.254.0.0/16",  # link-local, and with it the metadata service of most clouds
    "192.0.0.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "100.100.100.200/32",  # metadata at Alibaba
    "168.63.129.16/32",  # the host's agent at Azure
    "::/128",
    "fe80::/10",
    "ff00::/8",
    "fd00:ec2::/32",  # metadata at Amazon
)
"""Never a node, not even inside an administrator's own ranges."""

CARRIES_IPV4 = _networks(
    "::/96",  # IPv4-compatible; `::1` is taken out in `_refused_always`
    "::ffff:0:0:0/96",  # SIIT
    "64:ff9b::/96",  # NAT64
    "64:ff9b:1::/48",  # NAT64, local use
    "2001::/32",  # Teredo
    "2002::/16",  # 6to4
)
"""IPv6 forms that lead to an IPv4 address which the rule would not see. `::ffff:a.b.c.d` is unwrapped instead."""

ISATAP = (0x0000_5EFE, 0x0200_5EFE)
"""The upper half of an ISATAP interface id: the lower half is an IPv4 address."""

LOOPBACK = _networks("127.0.0.0/8", "::1/128")
HOME = _networks("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", *map(str, LOOPBACK))
"""Networks that the internet does not route; 100.64/10 is also where Tailscale lives. Everything else is public."""


def _all_but(nets: Iterable[Network]) -> tuple[Network, ...]:
    left = list(_networks("0.0.0.0/0", "::/0"))
    for net in nets:
        left = [part for whole in left for part in _without(whole, net)]
    return tuple(left)


def _without(whole: Network, net: Network) -> Iterable[Network]:
    if isinstance(whole, ipaddress.IPv4Network) and isinstance(net, ipaddress.IPv4Network):
        return whole.address_exclude(net) if net.subnet_of(whole) else [whole]
    if isinstance(whole, ipaddress.IPv6Network) and isinstance(net, ipaddress.IPv6Network):
        return whole.address_exclude(net) if net.subnet_of(whole) else [whole]
    return [whole]


def is_home(text: str) -> bool:
    """Whether an address, or a whole network, is one that the internet does not route."""
    network = ipaddress.ip_network(text, strict=False)
    return any(network.version == home.version and network.subnet_of(home) for home in HOME)  # type: ignore[arg-type]


PUBLIC = _all_but(net for net in HOME if net not in LOOPBACK)
"""Where webhooks live: all that is not at home. Loopback is left in here and counts in no wide network anyway."""

MAX_PORT = 65_535
MAX_NAME = 253
"""Characters in a host name (RFC 1035)."""

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PLACE = re.compile(r"(?P<host>\[[^\[\]]*\]|[^\[\]:]*)(?::(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class Place:
    """A URL taken apart. `literal` is the address where the host is one, and None where it is a name."""

    scheme: Scheme
    host: str
    port: int
    literal: Address | None = None

    @property
    def url(self) -> str:
        """The canonical form: scheme, host and port, always all three."""
        host = f"[{self.host}]" if isinstance(self.literal, ipaddress.IPv6Address) else self.host
        return f"{self.scheme}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Rule:
    """Where one endpoint's address may lie.

    `networks` are those it was pinned to. `own` are the (address, port) pairs that halext's own services listen on: an
    unspecified address there (`0.0.0.0`, `::`) stands for loopback, so whoever binds it names the machine's other
    addresses too.
    """

    networks: tuple[Network, ...] = ()
    own: frozenset[tuple[str, int]] = frozenset()
    insecure: bool = False


def parse_url(text: str, kind: str = "auto") -> str:
    """The canonical `scheme://host:port` of what somebody typed. Raises `InvalidInput` with a sentence."""
    return place(text, kind).url


def place(text: str, kind: str = "auto") -> Place:
    """The parts of a node's URL; without a scheme it is plain http on the port that is usual for the kind.

    Messages never repeat the text: a password could stand in it.
    """
    scheme, rest = _scheme(text.strip())
    _refuse_extras(rest)
    match = _PLACE.fullmatch(rest.removesuffix("/"))
    if match is None:
        raise InvalidInput(
            "A node's address is `http://host:port`; an IPv6 address stands in brackets, as in [fd00::1]."
        )
    host, literal = _host(match["host"].lower())
    default = {"http": 80, "https": 443}[scheme] if scheme else DEFAULT_PORTS[kind]
    port = int(match["port"] or default)
    if not 0 < port <= MAX_PORT:
        raise InvalidInput("The port of a node's address is a number from 1 to 65535.")
    return Place(scheme or "http", host, port, literal)


def _scheme(text: str) -> tuple[Scheme | None, str]:
    head, mark, rest = text.partition("://")
    if not mark:
        return None, text
    match head.lower():
        case "http":
            return "http", rest
        case "https":
            return "https", rest
        case _:
            raise InvalidInput("A node's address begins with http:// or https://.")


def _refuse_extras(rest: str) -> None:
    """Name what a node's address may not have. Looked for in the raw text, so that no parser's idea of it counts."""
    if not rest.isascii():
        raise InvalidInput("Write the host in plain ASCII; for an international name use its xn-- form.")
    if any(not "!" <= char <= "~" for char in rest) or "\\" in rest:
        raise InvalidInput("A node's address holds no spaces, control characters or backslashes.")
    if "@" in rest:
        raise InvalidInput(
            "Leave user and password out of the address; give a key with --header, it is stored encrypted."
        )
    if "?" in rest or "#" in rest:
        raise InvalidInput("A node's address ends after the port: leave out everything from `?` or `#` on.")
    if "/" in rest.removesuffix("/"):
        raise InvalidInput("A node's address ends after the port: leave out the path (halext adds /api or /v1 itself).")


def _host(host: str) -> tuple[str, Address | None]:
    if host.startswith("["):
        return _ipv6(host[1:-1])
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        # Resolvers read 127.1, 2130706433 and 0x7f.1 as addresses: a host that ends in a number is one, or is refused.
        try:
            literal = ipaddress.IPv4Address(host)
        except ValueError:
            raise InvalidInput("Write an IPv4 address as four decimal numbers, such as 192.168.1.20.") from None
        return str(literal), literal
    if host.endswith("."):
        raise InvalidInput("Leave out the dot at the end of the host name.")
    if len(host) > MAX_NAME or _NAME.fullmatch(host) is None:
        raise InvalidInput("This is not a host name; letters, digits, `-`, `_` and `.` are allowed.")
    return host, None


def _ipv6(text: str) -> tuple[str, Address]:
    if "%" in text:
        raise InvalidInput("An address with a zone (`%eth0`) can't be pinned; use an address without one.")
    try:
        literal = unwrapped(ipaddress.IPv6Address(text))
    except ValueError:
        raise InvalidInput("The text between the brackets is not an IPv6 address.") from None
    return str(literal), literal


def unwrapped(address: Address) -> Address:
    """The IPv4 address inside `::ffff:a.b.c.d`, which is where such a connection really goes; others as they are."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def unwrapped_text(text: str) -> str:
    """The same for an address as text; what is no address is given back for `refusal` to name."""
    try:
        return str(unwrapped(ipaddress.ip_address(text)))
    except ValueError:
        return text


def networks(cidrs: Iterable[str]) -> tuple[Network, ...]:
    """Networks from their texts. Raises `InvalidInput` for one that is none."""
    try:
        return tuple(ipaddress.ip_network(cidr) for cidr in cidrs)
    except ValueError:
        raise InvalidInput("A network is written as 192.168.1.0/24, with no bits set after the prefix.") from None


def only(address: Address | str) -> str:
    """The network that holds just this address: what a node is pinned to unless its owner says more."""
    return str(ipaddress.ip_network(address))


def pinned(spot: Place, cidrs: Iterable[str]) -> tuple[Network, ...]:
    """The networks that a node at this place may live in.

    Whoever wrote an address instead of a name, or `localhost`, has said where the node is: that counts as pinned.
    """
    if mine := networks(cidrs):
        return mine
    if spot.literal is not None:
        return networks((only(spot.literal),))
    return LOOPBACK if spot.host == "localhost" else ()


def refusal(text: str, scheme: Scheme, port: int, rule: Rule) -> str | None:
    """Why a connection to this literal address is not made; None when it may be."""
    try:
        address = unwrapped(ipaddress.ip_address(text))
    except ValueError:
        return "the name leads to something that is not an address"
    if _refused_always(address):
        return f"{address} is never a node's address"
    if _is_own(address, port, rule.own):
        return f"{address} port {port} is halext itself"
    if not _is_allowed(address, rule.networks):
        return f"{address} is outside the networks this node was added with; if it moved, add it again"
    if scheme == "http" and not rule.insecure and not _within(address, HOME):
        return f"{address} is a public address; use https or a tunnel, or add the node with --insecure"
    return None


def _within(address: Address, nets: Iterable[Network]) -> bool:
    return any(address in net for net in nets)  # another IP version is simply not in it


def _refused_always(address: Address) -> bool:
    if _within(address, REFUSED):
        return True
    if isinstance(address, ipaddress.IPv4Address) or address in LOOPBACK[1]:
        return False
    zoned = address.scope_id is not None
    return zoned or _within(address, CARRIES_IPV4) or (int(address) >> 32) & 0xFFFF_FFFF in ISATAP


def is_literal(host: str) -> bool:
    """Whether the host is an address and not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_own(address: Address, port: int, own: Iterable[tuple[str, int]]) -> bool:
    for text, own_port in own:
        mine = unwrapped(ipaddress.ip_address(text))
        both_loopback = _within(address, LOOPBACK) and (mine.is_unspecified or _within(mine, LOOPBACK))
        if port == own_port and (address == mine or both_loopback):
            return True
    return False


def _is_allowed(address: Address, nets: Iterable[Network]) -> bool:
    """Loopback counts only where it was named: a range as wide as 0.0.0.0/0 does not open this machine."""
    if _within(address, LOOPBACK):
        nets = [net for net in nets if _within(net.network_address, LOOPBACK)]
    return _within(address, nets)
