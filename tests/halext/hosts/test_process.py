"""A child is started, started again, and never left behind."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable

import pytest

from halext.hosts import process
from halext.hosts.process import BACK_OFF_S, STEADY_S, Child
from halext.testing.clock import ManualClock

Stop = Callable[[Process], Awaitable[None]]
WORKS = "import sys; print('ready', flush=True); sys.stdin.read()"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
)
FAILS = "import sys; print('no room', file=sys.stderr); sys.exit(3)"
TALKS = "import sys; sys.stderr.write('x' * 200_000 + '\\n' + 'the end\\n'); sys.exit(1)"

PARENT = f"""
import asyncio, sys
from halext.hosts.process import Child
from halext.testing.clock import ManualClock

async def main():
    child = Child("child", [sys.executable, "-c", {WORKS!r}], ManualClock())
    async with asyncio.TaskGroup() as group:
        group.create_task(child.run())
        await child.wait_ready()
        print(child.pid, flush=True)
asyncio.run(main())
"""


def child_of(code: str, clock: ManualClock | None = None) -> Child:
    return Child("the child", [sys.executable, "-c", code], clock or ManualClock())


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class WatchedClock(ManualClock):
    """Tells when somebody goes to sleep on it."""

    def __init__(self) -> None:
        super().__init__()
        self._asleep = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self._asleep.set()
        await super().sleep(seconds)

    async def somebody_sleeps(self) -> None:
        async with asyncio.timeout(20):
            await self._asleep.wait()
        self._asleep.clear()


async def test_it_works_until_it_is_stopped() -> None:
    child = child_of(WORKS)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(child.run())
        async with asyncio.timeout(20):
            await child.wait_ready()
        pid = child.pid
        assert pid is not None
        assert is_alive(pid)
        assert os.getsid(pid) == pid  # a Ctrl-C in our terminal is not its business
        running.cancel()
    assert not child.is_ready
    assert child.pid is None
    assert not is_alive(pid)  # and no zombie, which would still answer


async def test_one_that_does_not_listen_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "STOP_S", 0.2)
    child = child_of(STUBBORN)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(child.run())
        async with asyncio.timeout(20):
            await child.wait_ready()
        pid = child.pid
        assert pid is not None
        running.cancel()
    assert not is_alive(pid)


async def test_being_hurried_kills_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    child = child_of(STUBBORN)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(child.run())
        async with asyncio.timeout(20):
            await child.wait_ready()
        pid = child.pid
        assert pid is not None
        stopping = asyncio.Event()
        monkeypatch.setattr(process, "_stop", _announcing(process._stop, stopping))
        running.cancel()
        async with asyncio.timeout(20):
            await stopping.wait()
        running.cancel()
        done, _ = await asyncio.wait([running], timeout=process.STOP_S - 1)
    assert done
    assert not is_alive(pid)


def _announcing(stop: Stop, begun: asyncio.Event) -> Stop:
    async def announced(child: Process) -> None:
        asyncio.get_running_loop().call_soon(begun.set)  # when it has come to its first wait
        await stop(child)

    return announced


async def test_it_starts_again_with_growing_waits(caplog: pytest.LogCaptureFixture) -> None:
    clock = WatchedClock()
    child = child_of(FAILS, clock)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(child.run())
        for wait_s in (*BACK_OFF_S, BACK_OFF_S[-1]):
            await clock.somebody_sleeps()
            assert f"exit code 3); it starts again in {wait_s:.0f} s\nno room" in caplog.messages[-1]
            await clock.advance(wait_s)
        running.cancel()


async def test_one_that_ran_for_a_while_starts_again_soon(caplog: pytest.LogCaptureFixture) -> None:
    clock = WatchedClock()
    child = child_of(WORKS, clock)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(child.run())
        for _ in range(3):
            async with asyncio.timeout(20):
                await child.wait_ready()
            await clock.advance(STEADY_S)
            assert child.pid is not None
            os.kill(child.pid, signal.SIGKILL)
            await clock.somebody_sleeps()
            assert "starts again in 1 s" in caplog.messages[-1]
            await clock.advance(1.0)
        running.cancel()


async def test_a_program_that_does_not_exist(caplog: pytest.LogCaptureFixture) -> None:
    clock = WatchedClock()
    child = Child("ghost", ["/nonexistent/program"], clock)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(child.run())
        await clock.somebody_sleeps()
        running.cancel()
    assert "ghost ended (it can't be started: No such file or directory)" in caplog.messages[-1]


async def test_a_very_long_line_does_not_stop_it() -> None:
    clock = WatchedClock()
    child = child_of(TALKS, clock)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(child.run())
        await clock.somebody_sleeps()
        running.cancel()
    assert child.tail.endswith("the end")


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waits for a process that is not ours, as Linux can")
def test_it_ends_when_we_are_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_alive(pid)
        child = os.pidfd_open(pid)
        try:
            parent.send_signal(signal.SIGKILL)
            assert select.select([child], [], [], 20)[0], "the child outlived its parent"
        finally:
            os.close(child)
