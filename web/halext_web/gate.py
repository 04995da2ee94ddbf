"""How many connections may be open at once: in total, and from one address."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from halext.runtime.settings import Settings
from halext_web.peers import Peers, group, is_loopback

_SENTENCE = b"Too many connections are open; close some, or come back in a moment.\n"
REFUSED = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\nConnection: close\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n\r\n%b" % (len(_SENTENCE), _SENTENCE)
)
"""What a connection over the limit hears at once: it costs one write and is held by nobody."""


@dataclass(slots=True)
class Gate:
    """Counts connections. This machine and trusted proxies stand for many clients: only the total counts for them."""

    peers: Peers
    total: int
    per_address: int
    open: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, settings: Settings) -> Gate:
        """The gate as the owner has set it."""
        return cls(Peers(settings), settings.max_connections, settings.max_connections_per_address)

    def enter(self, address: str) -> bool:
        """Whether one more may come in from there; if so, it is counted until it leaves."""
        name = group(address)
        is_many = is_loopback(address) or self.peers.is_proxy(address)
        if self.open.total() >= self.total or (self.open[name] >= self.per_address and not is_many):
            return False
        self.open[name] += 1
        return True

    def leave(self, address: str) -> None:
        """One that came in has ended."""
        name = group(address)
        self.open[name] -= 1
        if self.open[name] <= 0:
            del self.open[name]
