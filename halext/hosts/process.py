"""A child process that is kept running, and that never outlives us."""

from __future__ import annotations

import asyncio
import logging
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

from halext.types import Clock

BACK_OFF_S = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Waits before a restart; the last one repeats."""
STEADY_S = 60.0
"""A child that ran this long had started well: the waits begin anew."""
STOP_S = 5.0
"""How long a child may take to end when asked, before it is killed."""
TAIL_LINES = 40

_log = logging.getLogger(__name__)


class Child:
    """Runs one command, again and again, until `run` is cancelled.

    The command says `ready_line` on its standard output once it can work, and ends when its standard input ends: that
    is how it notices that we are gone, even after a SIGKILL, on every system. It runs in a session of its own, so that
    a Ctrl-C in the terminal reaches us only and we can drain first.
    """

    def __init__(self, name: str, argv: Sequence[str], clock: Clock, *, ready_line: bytes = b"ready") -> None:
        self.name = name
        self._argv = tuple(argv)
        self._clock = clock
        self._ready_line = ready_line
        self._ready = asyncio.Event()
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._process: Process | None = None

    @property
    def pid(self) -> int | None:
        """The running process; None between two."""
        return self._process.pid if self._process else None

    @property
    def tail(self) -> str:
        """The last lines that it wrote to its standard error."""
        return "\n".join(self._tail)

    @property
    def is_ready(self) -> bool:
        """Whether it has said that it can work, and has not ended since."""
        return self._ready.is_set()

    async def wait_ready(self) -> None:
        """Wait until it can work."""
        await self._ready.wait()

    async def run(self) -> None:
        """Start it, and start it again whenever it ends. Cancelling stops it: politely, then by force."""
        failures = 0
        while True:
            began = self._clock.monotonic()
            ending = await self._once()
            failures = 0 if self._clock.monotonic() - began >= STEADY_S else failures
            wait_s = BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)]
            failures += 1
            _log.warning("%s ended (%s); it starts again in %.0f s\n%s", self.name, ending, wait_s, self.tail)
            await self._clock.sleep(wait_s)

    async def _once(self) -> str:
        """Run it to its end; says how it ended."""
        self._tail.clear()
        try:
            process = await asyncio.create_subprocess_exec(  # noqa: TID251 - this is the place
                *self._argv, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
            )
        except OSError as error:
            return f"it can't be started: {error.strerror}"
        self._process = process
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._hear(process.stdout))
                group.create_task(self._keep_tail(process.stderr))
                code = await process.wait()
            return f"exit code {code}"
        finally:
            self._ready.clear()
            self._process = None
            await _stop(process)

    async def _hear(self, output: asyncio.StreamReader | None) -> None:
        async for line in _lines(output):
            if line.strip() == self._ready_line:
                self._ready.set()

    async def _keep_tail(self, output: asyncio.StreamReader | None) -> None:
        async for line in _lines(output):
            self._tail.append(line.decode(errors="replace").rstrip())


async def _lines(output: asyncio.StreamReader | None) -> AsyncIterator[bytes]:
    """Lines as they come; one longer than the reader's buffer (64 KiB) is passed over."""
    while output is not None:
        try:
            line = await output.readline()
        except ValueError:
            continue
        if not line:
            return
        yield line


async def _stop(process: Process) -> None:
    """End it: closed input and SIGTERM, then SIGKILL after a while or when we are hurried."""
    try:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.terminate()
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_S):
                    await process.wait()
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
