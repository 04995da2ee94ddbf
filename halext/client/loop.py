"""One event loop per process, in a thread of its own, where all of the library's work is done.

Synchronous calls hand their work over and wait; `await` in somebody else's loop is passed on to the same place. So one
client serves both worlds, inside a running notebook too, and nothing is ever bound to a loop that has gone.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import queue
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from halext.errors import UsageError

T = TypeVar("T")
Group = set["asyncio.Task[Any]"]
"""The tasks of one client, so that closing it can end them; touched in the loop's thread only."""

TICK_S = 0.1
"""How often a waiting caller wakes up. A notebook turns Ctrl-C into a cancellation that its loop sees only when it next
wakes, and on Windows a lock that is waited for without a limit can't be interrupted at all."""
CLOSING_S = 2.0
"""How long an interrupted call waits for its node to be told, so that nobody has to press Ctrl-C twice."""


@dataclass(eq=False)
class Ended:
    """The last thing that a pump hands over."""


class Work(Generic[T]):
    """A coroutine in the loop's thread, seen from another one."""

    def __init__(self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T], group: Group) -> None:
        self._loop = loop
        self._coroutine = coroutine
        self._group = group
        self._task: asyncio.Task[Any] | None = None
        self.future: futures.Future[T] = asyncio.run_coroutine_threadsafe(self._run(), loop)

    async def _run(self) -> T:
        self._task = task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._group.add(task)
        try:
            return await self._coroutine
        finally:
            self._group.discard(task)

    def stop(self) -> None:
        """Cancel it unless it has ended, and wait a little for its last words."""
        if not self.future.done():
            self.future.cancel()
            ending = asyncio.run_coroutine_threadsafe(self._ending(), self._loop)
            futures.wait([ending], timeout=CLOSING_S)

    def cancel(self) -> None:
        """Cancel it without waiting."""
        if not self.future.done():
            self.future.cancel()
            asyncio.run_coroutine_threadsafe(self._ending(), self._loop)

    def wait(self, timeout_s: float) -> bool:
        """Whether it has ended, after so many seconds at most; Ctrl-C comes through."""
        left = timeout_s
        while left > TICK_S and not futures.wait([self.future], timeout=TICK_S).done:
            left -= TICK_S
        return bool(futures.wait([self.future], timeout=max(0.0, min(left, TICK_S))).done)

    async def await_end(self, timeout_s: float) -> bool:
        """Whether it has ended, for callers in a loop of their own; cancelling the caller leaves the work alone."""
        waiter, left = asyncio.wrap_future(self.future), timeout_s
        while left > TICK_S and not (await asyncio.wait({waiter}, timeout=TICK_S))[0]:
            left -= TICK_S
        return bool((await asyncio.wait({waiter}, timeout=max(0.0, min(left, TICK_S))))[0])

    async def _ending(self) -> None:
        if self._task is None:
            self._coroutine.close()  # cancelled before its first step
        else:
            await asyncio.wait({self._task}, timeout=CLOSING_S)


class Loop:
    """The loop and its thread; `borrow` gives the one of this process."""

    def __init__(self) -> None:
        self._ready: futures.Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = futures.Future()
        self._thread = threading.Thread(target=self._main, name="halext", daemon=True)
        self._thread.start()
        self._loop, self._stop = self._ready.result()

    def _main(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        stop = asyncio.Event()
        self._ready.set_result((asyncio.get_running_loop(), stop))
        await stop.wait()

    def stop(self) -> None:
        """Let the thread end once what it does has been cancelled."""
        self._loop.call_soon_threadsafe(self._stop.set)

    def join(self) -> None:
        """Wait for the thread's end; not for ever, since a name server that hangs could hold it."""
        self._thread.join(timeout=CLOSING_S)

    # --- for synchronous callers ---

    def run(self, coroutine: Coroutine[Any, Any, T], group: Group) -> T:
        """The coroutine's result. Ctrl-C cancels it, and with it the work at the node."""
        self._refuse_own_thread(coroutine.close)
        work = Work(self._loop, coroutine, group)
        try:
            while not futures.wait([work.future], timeout=TICK_S).done:
                pass
            return _result(work.future)
        finally:
            work.stop()

    def iterate(self, pieces: AsyncGenerator[T, None], group: Group) -> Generator[T, None, None]:
        """The pieces as they come. Leaving the iteration cancels the work."""
        self._refuse_own_thread()
        pipe: queue.SimpleQueue[T | Ended] = queue.SimpleQueue()
        work = Work(self._loop, _pump(pieces, pipe.put), group)
        try:
            while not isinstance(piece := _take(pipe), Ended):
                yield piece
            _result(work.future)
        finally:
            work.stop()

    # --- for anyone ---

    def start(self, coroutine: Coroutine[Any, Any, T], group: Group) -> Work[T]:
        """Begin the work, and leave it to the caller to wait for it."""
        return Work(self._loop, coroutine, group)

    # --- for callers in another loop ---

    async def arun(self, coroutine: Coroutine[Any, Any, T], group: Group) -> T:
        """The coroutine's result; cancelling the caller cancels it."""
        work = Work(self._loop, coroutine, group)
        waiter = asyncio.wrap_future(work.future)
        try:
            while not (await asyncio.wait({waiter}, timeout=TICK_S))[0]:
                pass
            return _result(work.future)
        finally:
            work.cancel()

    async def aiterate(self, pieces: AsyncGenerator[T, None], group: Group) -> AsyncGenerator[T, None]:
        """The pieces as they come; closing the iteration cancels the work."""
        pipe: asyncio.Queue[T | Ended] = asyncio.Queue()
        here = asyncio.get_running_loop()
        work = Work(self._loop, _pump(pieces, lambda piece: _put(here, pipe, piece)), group)
        try:
            while not isinstance(piece := await _take_async(pipe), Ended):
                yield piece
            await asyncio.wait({asyncio.wrap_future(work.future)})
            _result(work.future)
        finally:
            work.cancel()

    def _refuse_own_thread(self, undo: Callable[[], None] = lambda: None) -> None:
        if threading.current_thread() is self._thread:
            undo()
            raise UsageError("This is a synchronous call inside halext's own loop, where it would wait for itself.")


async def _pump(pieces: AsyncGenerator[T, None], put: Callable[[T | Ended], None]) -> None:
    """Read everything in one task: cancelling that task ends the generator wherever it waits."""
    try:
        async with contextlib.aclosing(pieces):
            async for piece in pieces:
                put(piece)
    finally:
        put(Ended())


def _put(loop: asyncio.AbstractEventLoop, pipe: asyncio.Queue[T | Ended], piece: T | Ended) -> None:
    with contextlib.suppress(RuntimeError):  # the reader's loop has been closed: nobody reads any more
        loop.call_soon_threadsafe(pipe.put_nowait, piece)


def _take(pipe: queue.SimpleQueue[T | Ended]) -> T | Ended:
    while True:
        with contextlib.suppress(queue.Empty):
            return pipe.get(timeout=TICK_S)


async def _take_async(pipe: asyncio.Queue[T | Ended]) -> T | Ended:
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TICK_S):
                return await pipe.get()


def _result(future: futures.Future[T]) -> T:
    try:
        return future.result()
    except futures.CancelledError:
        raise UsageError("This client was closed while it worked on the request.") from None


# --- one per process ---

Close = Callable[[], None]


@dataclass
class _Process:
    """What belongs to one process; a fork gets its own, since threads don't survive it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    loop: Loop | None = None
    users: dict[Close, None] = field(default_factory=dict)


_processes: dict[int, _Process] = {}


def borrow(close: Close) -> Loop:
    """This process's loop, started if there is none. `close` is called at exit unless it is given back before."""
    pid = os.getpid()
    if pid not in _processes:
        _processes.setdefault(pid, _Process())
        atexit.register(_close_all, pid)
    here = _processes[pid]
    with here.lock:
        here.users[close] = None
        if here.loop is None:
            here.loop = Loop()
        return here.loop


def is_borrowed(close: Close) -> bool:
    """Whether this user has the loop of this process."""
    here = _processes.get(os.getpid())
    return here is not None and close in here.users


def give_back(close: Close) -> Loop | None:
    """One user less. When it was the last one the thread begins to end, and its loop is returned to be joined."""
    here = _processes[os.getpid()]
    with here.lock:
        here.users.pop(close, None)
        if here.users or here.loop is None:
            return None
        loop, here.loop = here.loop, None
    loop.stop()
    return loop


def _close_all(pid: int) -> None:
    """At exit; a forked child leaves alone what is its parent's."""
    if pid == os.getpid():
        for close in list(_processes[pid].users):
            close()
