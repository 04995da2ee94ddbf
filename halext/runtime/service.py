"""The parts of `halext up`: each door is a service that registers itself in the entry-point group `halext.services`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Protocol

from halext.errors import InvalidSetting, MissingExtra

if TYPE_CHECKING:
    from halext.runtime.app import App

GROUP = "halext.services"


class Service(Protocol):
    """One supervised part. Made without arguments; holds nothing until it runs."""

    name: str
    extra: str
    """The pip extra that brings its libraries."""

    async def run(self, app: App, ready: Callable[[str], None]) -> None:
        """Work until cancelled; call `ready` once, with a line for the owner, when people can come in.

        Cancelling drains: work that has begun gets the time that the settings allow. Raises `PortInUse` and other
        `HalextError`s that say what to do; anything else is a bug.
        """


def known() -> list[str]:
    """The names of all parts that are installed."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def load(name: str) -> Service:
    """The part of this name; its libraries are imported now and not before."""
    points = entry_points(group=GROUP, name=name)
    if not points:
        raise InvalidSetting(f"There is no part called {name!r}; there are: {', '.join(known())}.")
    (point, *_) = points
    with pip_line(name):
        service: Service = point.load()()
    return service


@contextmanager
def pip_line(name: str) -> Iterator[None]:
    """Around imports for a part of `halext up`: a missing library becomes a `MissingExtra` that says what to do."""
    try:
        yield
    except ModuleNotFoundError as error:
        message = f"The part {name!r} needs more libraries ({error.name}): pip install 'halext[{name}]'"
        raise MissingExtra(message) from error
