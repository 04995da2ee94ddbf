"""Who is on the line: the address, the scheme and the host of a request, believed only as far as they can be."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from halext.errors import BadRequest, Forbidden
from halext.runtime.settings import Settings

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-real-ip")
"""Headers by which a request tells that a proxy has passed it on."""
HOPS_MAX = 32
"""Addresses in X-Forwarded-For that are looked at, from the last one."""
GROUP_V6 = 64
"""Bits of an IPv6 address that belong to one customer."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a request."""

    address: str
    """The client's address; a proxy's own only where the proxy is not trusted."""
    is_secure: bool
    """It came over https, as far as the client can tell."""
    is_this_machine: bool
    """It came from a program on this machine, and not through a proxy on it."""


class Peers:
    """Reads peers from requests, and turns away those that may not come in at all."""

    def __init__(
        self, settings: Settings, signs: MutableMapping[Literal["untrusted", "silent"], str] | None = None
    ) -> None:
        """`signs` is `App.proxy_signs`."""
        self._signs = {} if signs is None else signs
        self._allowed = _networks(settings.allowed_cidrs)
        self._admins = _networks(settings.admin_cidrs)
        self._proxies = _networks(settings.trusted_proxies)
        public = urlsplit(settings.public_url or "")
        self._public_host = public.hostname
        self._is_public_secure = public.scheme == "https"

    def read(self, scope: Scope, headers: Headers) -> Peer:
        """The peer of a request. Forwarded headers count only from a trusted proxy."""
        client = scope.get("client")
        direct = parse_address(client[0]) if client else None
        is_secure = scope["scheme"] == "https"
        address = direct
        host, _ = split_host(headers.get("host", ""))
        is_forwarded = any(name in headers for name in FORWARDED)
        if direct is not None and _within(direct, self._proxies):
            address = self._forwarded(headers, direct)
            is_secure = headers.get("x-forwarded-proto", "").strip().lower() == "https"
            if host == self._public_host and "x-forwarded-for" not in headers:  # not by this machine's command line
                self._signs["silent"] = str(direct)
        elif is_forwarded and direct is not None:
            self._signs["untrusted"] = str(direct)
        return Peer(
            address=str(address) if address else "",
            is_secure=is_secure or (self._is_public_secure and host == self._public_host),
            is_this_machine=direct is not None and direct.is_loopback and not is_forwarded,
        )

    def admit(self, peer: Peer, headers: Headers) -> None:
        """Raise `Forbidden` for an address outside the allowed networks, `BadRequest` for a foreign Host."""
        address = parse_address(peer.address)
        if self._allowed and (address is None or not _within(address, self._allowed)):
            raise Forbidden("This address may not use this halext; see HALEXT_ALLOWED_CIDRS.")
        host, _ = split_host(headers.get("host", ""))
        if self._public_host and not (host == self._public_host or is_local_name(host)):
            raise BadRequest(f"This halext is not called by that name; use {self._public_host}.")

    def may_manage(self, peer: Peer) -> bool:
        """Whether halext may be administered from there."""
        address = parse_address(peer.address)
        is_inside = address is not None and _within(address, self._admins)
        return not self._admins or peer.is_this_machine or is_inside

    def is_proxy(self, address: str) -> bool:
        """Whether this is a proxy whose word counts."""
        found = parse_address(address)
        return found is not None and _within(found, self._proxies)

    def _forwarded(self, headers: Headers, direct: Address) -> Address:
        """The last address in X-Forwarded-For that is no trusted proxy; anyone may have written those before it."""
        address = direct
        hops = ",".join(headers.getlist("x-forwarded-for")).split(",")
        for hop in reversed([hop.strip() for hop in hops if hop.strip()][-HOPS_MAX:]):
            found = parse_address(hop)
            if found is None:
                break
            address = found
            if not _within(found, self._proxies):
                break
        return address


def parse_address(text: str) -> Address | None:
    """The address, with IPv4 in IPv6 form as IPv4; None for what is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def group(text: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 of an IPv6 one."""
    address = parse_address(text)
    if isinstance(address, IPv6Address):
        return str(ip_network((int(address), GROUP_V6), strict=False))
    return str(address) if address else text


def is_loopback(text: str) -> bool:
    """Whether this is an address of this machine that nobody else can have."""
    address = parse_address(text)
    return address is not None and address.is_loopback


def split_host(host: str) -> tuple[str, str]:
    """Name and port of a Host header, in lower case and without brackets; the port is "" where there is none."""
    if host.startswith("["):
        name, _, rest = host[1:].partition("]")
        return name.lower(), rest.removeprefix(":")
    name, _, port = host.partition(":")
    return name.lower().rstrip("."), port


def is_local_name(host: str) -> bool:
    """Whether a host is an IP address or a name that no public name server can point here."""
    return host == "localhost" or host.endswith(".localhost") or parse_address(host) is not None


def _networks(texts: Iterable[str]) -> tuple[Network, ...]:
    return tuple(ip_network(text, strict=False) for text in texts)


def _within(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)
