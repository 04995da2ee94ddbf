"""A real `halext up`, in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

READY_S = 30.0
STOP_S = 40.0


@dataclass
class House:
    """One running halext: what it said, and how to reach it."""

    process: subprocess.Popen[str]
    data: Path
    lines: list[str] = field(default_factory=list)
    is_ready: threading.Event = field(default_factory=threading.Event)

    @property
    def said(self) -> str:
        """Everything on its outputs so far."""
        return "".join(self.lines)

    @property
    def told(self) -> dict[str, str]:
        """What it tells this machine's command line."""
        found: dict[str, str] = json.loads((self.data / "run.json").read_text())
        return found

    @property
    def url(self) -> str:
        return self.told["url"]

    @property
    def first_admin_code(self) -> str:
        """The code in the one-time link."""
        match = re.search(r"/welcome\?code=(\S+)", self.said)
        assert match, self.said
        return match[1]

    def children(self) -> list[int]:
        """Its child processes."""
        listed = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True).stdout
        return [int(pid) for pid in listed.split()]

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        """End it and wait; its exit status."""
        self.process.send_signal(how)
        return self.process.wait(STOP_S)

    def listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if "is ready" in line:
                self.is_ready.set()
        self.is_ready.set()


def environment(**extra: str) -> dict[str, str]:
    """This process's environment without settings of halext."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HALEXT_", "CREDENTIALS_"))}
    return kept | {"PYTHONUNBUFFERED": "1"} | extra


Up = Callable[..., House]


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """`up(*arguments, data=…, HALEXT_…=…)`: a halext that is ready; all of them are gone at the end of the test."""
    houses: list[House] = []

    def start(*arguments: str, data: Path | None = None, **settings: str) -> House:
        data = data or tmp_path / "data"
        command = [sys.executable, "-m", "halext", "--data", str(data), "up", "--port", "0", *arguments]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(**settings),
            cwd=tmp_path,
        )
        house = House(process, data)
        houses.append(house)
        threading.Thread(target=house.listen, daemon=True).start()
        assert house.is_ready.wait(READY_S), house.said
        assert process.poll() is None, house.said
        return house

    yield start
    for house in houses:
        with contextlib.suppress(ProcessLookupError):
            house.process.kill()
        house.process.wait(STOP_S)
        if house.process.stdout is not None:
            house.process.stdout.close()


@pytest.fixture
def halext(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`halext("ask", "hi", data=…)`: one command line, run to its end."""

    def run(*arguments: str, data: Path, stdin: str = "", **extra: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "halext", "--data", str(data), *arguments]
        return subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=60, env=environment(**extra), cwd=tmp_path
        )

    return run
