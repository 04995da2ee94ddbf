"""Where halext itself, its database and its Redis are: a node there would be a way around every other guard."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urlsplit

from halext.runtime.settings import Settings
from halext.upstreams.address import is_literal
from halext.upstreams.http import system_resolve

POSTGRESQL_PORT = 5432
REDIS_PORT = 6379


def own_places(settings: Settings) -> frozenset[tuple[str, int]]:
    """Where halext, its database and its Redis listen: no node is there. A port that is not chosen can't be named."""
    listening = [(settings.host, settings.port), (settings.tunnel_host or "::", settings.tunnel_port)]
    found = set[tuple[str, int]]()
    for host, port in [*listening, *_behind(settings)]:
        hosts = ("127.0.0.1", "::1") if host == "localhost" else (host,)
        found |= {(each, port) for each in hosts if port and is_literal(each)}
    return frozenset(found)


async def named_places(settings: Settings) -> frozenset[tuple[str, int]]:
    """Where the database and Redis are that the settings call by a name, as far as it can be resolved now."""
    found = set[tuple[str, int]]()
    for host, port in _behind(settings):
        if host != "localhost" and not is_literal(host):
            with suppress(OSError):  # one that is away is another's to report
                found |= {(address, port) for address in await system_resolve(host, port)}
    return frozenset(found)


def _behind(settings: Settings) -> list[tuple[str, int]]:
    urls = ((settings.database_url, POSTGRESQL_PORT), (settings.redis_url, REDIS_PORT))
    found = (_service(url.get_secret_value(), port) for url, port in urls if url is not None)
    return [place for place in found if place is not None]


def _service(url: str, default_port: int) -> tuple[str, int] | None:
    """Host and port of a service; None where there is none, or it is a socket in the file system."""
    with suppress(ValueError):  # what can't be read is said by whoever opens it
        parts = urlsplit(url)
        return (parts.hostname, parts.port or default_port) if parts.hostname else None
    return None
