"""Where a client goes: the URLs and what was said about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TypedDict

from halext.client.session import Session
from halext.runtime.control import Control
from halext.upstreams.address import place


class Way(TypedDict, total=False):
    """What `connect`, `Client` and `AsyncClient` take beside URLs."""

    token: str | None
    """An API token; sent to halext coordinators only."""
    headers: Mapping[str, Mapping[str, str]]
    """URL to request headers, for servers that want a key of their own."""
    default_model: str | None
    """The model for questions that name none; a coordinator has its own."""
    insecure: bool
    """Allow plain http to a public address."""


def session_for(urls: Sequence[str], way: Way) -> Session:
    """A session that opens when it is first used. Raises `InvalidInput` for a URL that is none, and `TypeError`."""
    if strangers := sorted(set(way) - set(Way.__annotations__)):
        raise TypeError(f"there is no option {strangers[0]!r}; there are: {', '.join(sorted(Way.__annotations__))}")
    places = [place(url).url for url in urls]

    def opening() -> AbstractAsyncContextManager[Control]:
        from halext.runtime import local  # brings the HTTP client

        access = local.Access(**way)
        return local.open_fleet(urls, access) if urls else local.open_default(access)

    return Session(opening, name=", ".join(places) or "what this machine offers")
