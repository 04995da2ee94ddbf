"""Kinds of servers that other packages bring along, by the entry-point group `halext.kinds`.

    [project.entry-points."halext.kinds"]
    echo = "my_package:EchoKind"

The name of the entry point is the kind's name; what it points at is called without arguments and gives a `CustomKind`.
Nothing of it is imported before a server is looked for that may be of that kind, or one is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol

from halext.errors import MissingExtra
from halext.upstream import Driver

GROUP = "halext.kinds"


class CustomKind(Protocol):
    """What halext has to know of a kind of server."""

    question: str
    """The path of a GET that a server of this kind answers at once, without making a model work."""
    sends: frozenset[tuple[str, str]]
    """All methods and paths that the driver uses: the outbound door lets nothing else through to these servers."""

    def is_it(self, status: int, body: bytes) -> bool:
        """Whether this is how a server of this kind answers the question; anything may come, from any server."""

    def driver(self, door: Any) -> Driver:
        """The driver, as `halext.upstream` describes it; every byte it sends goes through `door`.

        That is a `halext.upstreams.http.Door`, which asks this file what may pass, so it can't be named here.
        """


def names() -> list[str]:
    """The names of the kinds from outside."""
    return sorted(_points())


@cache
def find(name: str) -> CustomKind:
    """The kind of this name. Raises `MissingExtra` when no package here brings it, or it can't be loaded."""
    point = _points().get(name)
    if point is None:
        raise MissingExtra(f"Servers of the kind {name!r} need a package that is not installed here.")
    try:
        kind: CustomKind = point.load()()
    except Exception as error:  # it is somebody else's code
        raise MissingExtra(f"The kind {name!r} can't be loaded from {point.value}: {error!r}.") from error
    return kind


def may_send(name: str, method: str, path: str) -> bool:
    """Whether halext may send this to a server of a kind from outside."""
    try:
        kind = find(name)
    except MissingExtra:
        return False
    return (method, path) in kind.sends or (method, path) == ("GET", kind.question)


@cache
def _points() -> Mapping[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}
