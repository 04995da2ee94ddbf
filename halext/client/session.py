"""One client's way to a halext: opened when it is first needed, used from any thread or loop, closed once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from dataclasses import dataclass, field
from typing import Any, TypeVar

from halext.client import loop
from halext.errors import UsageError
from halext.runtime.control import Control

T = TypeVar("T")
Opening = Callable[[], AbstractAsyncContextManager[Control]]
Working = Callable[[Control], Coroutine[Any, Any, T]]
Telling = Callable[[Control], AsyncGenerator[T, None]]
Way = Callable[[], Coroutine[Any, Any, Control]]


@dataclass
class _Open:
    """What lives in the loop: the way, once it is open, and the work that uses it."""

    pid: int
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    control: Control | None = None
    tasks: loop.Group = field(default_factory=set)


class Session:
    """Runs work with the `Control` that `opening` gives. After a fork the child opens its own."""

    def __init__(self, opening: Opening, name: str) -> None:
        self.name = name
        """Where it leads, for people."""
        self._opening = opening
        self._open = _Open(os.getpid())
        self.is_closed = False

    def run(self, work: Working[T]) -> T:
        """The result, for synchronous callers."""
        return self._loop().run(self._work(work), self._open.tasks)

    def iterate(self, tell: Telling[T]) -> Generator[T, None, None]:
        """The pieces, for synchronous callers."""
        return self._loop().iterate(self._tell(tell), self._open.tasks)

    async def arun(self, work: Working[T]) -> T:
        """The result, for callers in a loop of their own."""
        return await self._loop().arun(self._work(work), self._open.tasks)

    def aiterate(self, tell: Telling[T]) -> AsyncGenerator[T, None]:
        """The pieces, for callers in a loop of their own."""
        return self._loop().aiterate(self._tell(tell), self._open.tasks)

    def start(self, work: Callable[[Way], Coroutine[Any, Any, T]]) -> loop.Work[T]:
        """Work that goes on by itself until it ends or the session is closed; it opens the way when it needs it."""
        return self._loop().start(work(self._control), self._open.tasks)

    def close(self) -> None:
        """End what is under way and let go of everything; a second time does nothing."""
        if self._is_in_use():
            try:
                loop.borrow(self.close).run(self._close(), set())
            finally:
                if ended := loop.give_back(self.close):
                    ended.join()

    async def aclose(self) -> None:
        """The same, for callers in a loop of their own."""
        if self._is_in_use():
            try:
                await loop.borrow(self.close).arun(self._close(), set())
            finally:
                if ended := loop.give_back(self.close):
                    await asyncio.to_thread(ended.join)

    # --- in the loop ---

    async def _work(self, work: Working[T]) -> T:
        return await work(await self._control())

    async def _tell(self, tell: Telling[T]) -> AsyncGenerator[T, None]:
        async with aclosing(tell(await self._control())) as pieces:
            async for piece in pieces:
                yield piece

    async def _control(self) -> Control:
        here = self._open
        async with here.lock:
            if here.control is None:
                here.control = await here.stack.enter_async_context(self._opening())
            return here.control

    async def _close(self) -> None:
        tasks = list(self._open.tasks)
        for task in tasks:
            if not task.cancelling():
                task.cancel()
        if tasks:  # one that was interrupted just now is telling its node so
            await asyncio.wait(tasks, timeout=loop.CLOSING_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._open.stack.aclose()

    # --- anywhere ---

    def _loop(self) -> loop.Loop:
        if self.is_closed:
            raise UsageError("This client is closed; make a new one with halext.connect(…).")
        if self._open.pid != os.getpid():
            self._open = _Open(os.getpid())
        return loop.borrow(self.close)

    def _is_in_use(self) -> bool:
        """Whether there is something to close; from here on the session counts as closed."""
        was_closed, self.is_closed = self.is_closed, True
        return not was_closed and loop.is_borrowed(self.close) and self._open.pid == os.getpid()
