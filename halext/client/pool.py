"""The items of a map that wait for a node. Whoever is free takes the next one, so a fast node does more of them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field


@dataclass(eq=False, slots=True)
class Item:
    """One item on its way."""

    position: int
    key: bytes
    prompt: str
    attempts: int = 0
    tried: list[str] = field(default_factory=list)
    """The nodes that failed at it, in order."""


class Pool:
    """A window over the items: bounded, filled by one reader, emptied by many workers. Lives on one loop."""

    def __init__(self, room: int) -> None:
        self.room = room
        """How many may wait; the reader stops there."""
        self._waiting: deque[Item] = deque()
        self.in_hand = 0
        """How many are being worked on."""
        self._is_read = False
        self._changed = asyncio.Condition()

    async def fill(self, items: Iterable[Item]) -> None:
        """Add items, then wait until there is room for more."""
        async with self._changed:
            self._waiting.extend(items)
            self._changed.notify_all()
            await self._changed.wait_for(lambda: len(self._waiting) < self.room)

    async def end(self) -> None:
        """No more will come."""
        async with self._changed:
            self._is_read = True
            self._changed.notify_all()

    async def take(self, node: str, others: Callable[[], Iterable[str]], may: Callable[[], bool]) -> Item | None:
        """The next item for a worker of this node; None when it should stop: all is done, or it may no longer work.

        An item that this node failed at is left to `others`, as long as one of them has not failed at it too.
        """
        async with self._changed:
            while may() and not self.is_empty:
                for item in self._waiting:
                    if node not in item.tried or not set(others()) - set(item.tried):
                        self._waiting.remove(item)
                        self.in_hand += 1
                        self._changed.notify_all()
                        return item
                await self._changed.wait()
            return None

    async def give_back(self, item: Item) -> None:
        """Somebody else may have it, before all others."""
        async with self._changed:
            self.in_hand -= 1
            self._waiting.appendleft(item)
            self._changed.notify_all()

    async def settle(self) -> None:
        """One of the taken items is done with."""
        async with self._changed:
            self.in_hand -= 1
            self._changed.notify_all()

    async def needed(self) -> bool:
        """Wait until there is something to do; False when all has come and there was nothing."""
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._waiting) or self._is_read)
            return not self.is_empty

    async def emptied(self) -> None:
        """Wait until everything has come and is done with."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.is_empty)

    async def wake(self) -> None:
        """Let everyone look again whether they may work."""
        async with self._changed:
            self._changed.notify_all()

    @property
    def is_empty(self) -> bool:
        """Everything has come, and everything is done with."""
        return self._is_read and not self._waiting and not self.in_hand
