"""The waiting line: requests that no node can start now, first come, first served, per model.

Nothing is sent early to wait inside a node, where it could neither be seen nor moved: the choice is made when a slot
is free.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from halext.errors import AllBusy, HalextError

T = TypeVar("T")

RECHECK_S = 2.0
"""How often the line moves when nothing happens: time alone may end a pause or a cordon, and makes the first in line
content with a slower node."""


@dataclass(eq=False, slots=True)
class Waiter(Generic[T]):
    """One request in line."""

    lane: str
    """Requests of one lane are served in order; a lane that can't move never blocks another."""
    place: Callable[[], T | None]
    """Tries to start the request: what it got, None to go on waiting, or a `HalextError`. Takes its slot itself."""
    undo: Callable[[T], None]
    """Gives back what `place` got, for a request that gave up at the same moment."""
    turn: asyncio.Future[T] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Line(Generic[T]):
    """Who waits, in order."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: dict[Waiter[T], None] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    async def wait(self, waiter: Waiter[T], timeout_s: float) -> T:
        """Stand in line until it is this request's turn.

        Raises `AllBusy` when the line is full or the time is up, and what `place` raises.
        """
        self._waiting[waiter] = None
        try:
            self.move()
            if not waiter.turn.done() and len(self._waiting) > self._limit:
                raise AllBusy(f"{self._limit} requests are waiting already; try again later.", retry_after_s=timeout_s)
            async with asyncio.timeout(timeout_s):
                return await self._turn_of(waiter)
        except TimeoutError:
            self._give_up(waiter)
            message = f"No node was free within {timeout_s:.0f} s; try again later."
            raise AllBusy(message, retry_after_s=timeout_s) from None
        except asyncio.CancelledError:
            self._give_up(waiter)
            raise
        finally:
            del self._waiting[waiter]
            waiter.turn.cancel()

    async def _turn_of(self, waiter: Waiter[T]) -> T:
        while not waiter.turn.done():
            done, _ = await asyncio.wait([waiter.turn], timeout=RECHECK_S)
            if not done and waiter is next(iter(self._waiting)):  # the first in line watches the time for all
                self.move()
        return waiter.turn.result()

    def move(self) -> None:
        """Something changed: let everyone start who can."""
        stuck: set[str] = set()
        for waiter in list(self._waiting):
            if waiter.lane in stuck or waiter.turn.done():
                continue
            try:
                got = waiter.place()
            except HalextError as error:
                waiter.turn.set_exception(error)
                continue
            if got is None:
                stuck.add(waiter.lane)
            else:
                waiter.turn.set_result(got)

    @staticmethod
    def _give_up(waiter: Waiter[T]) -> None:
        """It may have been given its turn in the same tick in which it stopped waiting."""
        if waiter.turn.done() and not waiter.turn.cancelled() and waiter.turn.exception() is None:
            waiter.undo(waiter.turn.result())
