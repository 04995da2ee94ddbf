"""What `map` gives: a job that has been started, and is waited for when somebody wants its values."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from math import inf
from typing import Any, TypeVar

from halext.client.batch import Batch, Errors
from halext.client.later import Later
from halext.client.loop import TICK_S
from halext.client.outcome import Failure
from halext.errors import Stopped

T = TypeVar("T")


class Job(Batch):
    """Answers to the same question about many items, in their order.

    Iterating gives them as they come, a `Failure` in the place of one that did not. Ctrl-C while something waits for
    them stops the job: what runs at nodes is cancelled, what has come is kept, and running the cell again goes on.
    """

    def result(self, errors: Errors = "raise") -> Any:
        """All values, waited for: a list, or a Series with the index of the Series or frame that was given.

        Of items that failed, "raise" raises the first one's error, "keep" gives the `Failure`, "none" gives None.
        Raises what ended the job before its time, and `Stopped` with "raise" when somebody stopped it.
        """
        self.wait()
        return self._values(errors)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Whether it has ended, after so many seconds at most."""
        try:
            return self._work.wait(inf if timeout_s is None else timeout_s)
        except KeyboardInterrupt:
            self._work.stop()
            raise KeyboardInterrupt(f"{self.progress.count}; run the cell to go on") from None

    def cancel(self) -> None:
        """Stop it: no more items, and none at the nodes. What has come is kept."""
        self._work.stop()

    @property
    def failures(self) -> list[Failure]:
        """The items without an answer, after waiting for the others."""
        self.wait()
        return self._failures()

    @property
    def df(self) -> Any:
        """All that is known of every item as a pandas frame, waited for. Raises `MissingExtra` without pandas."""
        self.wait()
        return self._frame()

    def __iter__(self) -> Iterator[Any]:
        position = 0
        while True:
            has_ended = self.wait(TICK_S)
            while ready := self._ready(position):
                position += len(ready)
                yield from ready
            if has_ended:
                break
        if (error := self._ending()) is not None and not isinstance(error, Stopped):
            raise error
        yield from self._after(position)


class AsyncJob(Batch):
    """The same, awaited. Cancelling whoever waits stops the job, as Ctrl-C does; `wait` with a time does not."""

    async def result(self, errors: Errors = "raise") -> Any:
        """All values, waited for: a list, or a Series with the index of the Series or frame that was given.

        Of items that failed, "raise" raises the first one's error, "keep" gives the `Failure`, "none" gives None.
        Raises what ended the job before its time, and `Stopped` with "raise" when somebody stopped it.
        """
        await self.wait()
        return await asyncio.to_thread(self._values, errors)

    async def wait(self, timeout_s: float | None = None) -> bool:
        """Whether it has ended, after so many seconds at most."""
        try:
            return await self._work.await_end(inf if timeout_s is None else timeout_s)
        except asyncio.CancelledError:
            self._work.cancel()
            raise

    async def cancel(self) -> None:
        """Stop it: no more items, and none at the nodes. What has come is kept."""
        await asyncio.to_thread(self._work.stop)

    @property
    def failures(self) -> Awaitable[list[Failure]]:
        """The items without an answer, after waiting for the others."""
        return Later(lambda: self._later(self._failures))

    @property
    def df(self) -> Awaitable[Any]:
        """All that is known of every item as a pandas frame, waited for. Raises `MissingExtra` without pandas."""
        return Later(lambda: self._later(self._frame))

    async def _later(self, work: Callable[[], T]) -> T:
        await self.wait()
        return await asyncio.to_thread(work)

    async def __aiter__(self) -> AsyncIterator[Any]:
        position = 0
        while True:
            has_ended = await self.wait(TICK_S)
            while ready := await asyncio.to_thread(self._ready, position):
                position += len(ready)
                for value in ready:
                    yield value
            if has_ended:
                break
        if (error := self._ending()) is not None and not isinstance(error, Stopped):
            raise error
        for value in await asyncio.to_thread(self._after, position):
            yield value
