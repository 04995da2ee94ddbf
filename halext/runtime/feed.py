"""What happens, told to everyone who listens."""

from __future__ import annotations

import logging
from collections.abc import Callable

from halext.events import Event

_log = logging.getLogger("halext.nodes")


class Feed:
    """Fulfils `events.Publish`: every event is a log line, and listeners hear it at once. They don't wait or fail."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[Event], None]] = []

    def __call__(self, event: Event, /) -> None:
        """Publish one event."""
        fields = {name: getattr(event, name) for name in event.__slots__ if name != "at"}
        _log.info(type(event).__name__, extra=fields)
        for listener in self._listeners:
            listener(event)

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Tell this listener of every event from now on."""
        self._listeners.append(listener)
