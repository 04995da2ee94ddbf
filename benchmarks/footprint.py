"""Import time and memory of the library; start time and idle memory of `halext up`.

Run by `make bench`. Every figure is the best of several runs: noise only ever adds.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

MIB = 1024 * 1024
READY = re.compile(r"is ready")


def imported(statement: str) -> tuple[float, float]:
    """Seconds that `statement` takes in a fresh interpreter, and MiB that are resident afterwards."""
    code = (
        "import resource, sys, time\n"
        "began = time.perf_counter()\n"
        f"{statement}\n"
        "seconds = time.perf_counter() - began\n"
        "scale = 1 if sys.platform == 'darwin' else 1024\n"
        "print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale)\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    return float(out[0]), float(out[1]) / MIB


def memory(pid: int) -> tuple[float, float]:
    """Resident and proportional MiB of a process (Linux)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = {key: int(value) / 1024 for key, value in re.findall(r"^(Rss|Pss):\s+(\d+) kB", text, re.MULTILINE)}
    return found["Rss"], found["Pss"]


@contextmanager
def platforms() -> Iterator[dict[str, str]]:
    """A fake Discord and a fake Telegram in processes of their own; the settings that lead to them."""
    with fake("discord", 3) as discord, fake("telegram", 2) as telegram:
        yield discord | telegram


@contextmanager
def fake(name: str, settings: int) -> Iterator[dict[str, str]]:
    """One of the fakes; the settings that it prints, so many lines of them behind its URL."""
    command = [sys.executable, "-u", "-m", f"halext.testing.{name}", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        _url, *lines = (process.stdout.readline().strip() for _ in range(1 + settings))
        yield dict(line.split("=", 1) for line in lines)
    finally:
        process.terminate()
        process.wait(timeout=10)


Figures = tuple[float, float, float]
"""Seconds from the command to "is ready", then resident and proportional MiB after a while of doing nothing."""


def started(data: str, arguments: list[str], settle_s: float, settings: Mapping[str, str]) -> Figures:
    """The figures of one start with this data directory."""
    command = [sys.executable, "-m", "halext", "up", "--port", "0", "--data", data, *arguments]
    environment = {**os.environ, **settings}
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    try:
        assert process.stdout is not None
        if not any(READY.search(line) for line in process.stdout):
            raise SystemExit("halext up did not become ready")
        seconds = time.perf_counter() - began
        time.sleep(settle_s)
        return seconds, *memory(process.pid)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=40)


def tell(
    name: str, arguments: list[str], options: argparse.Namespace, settings: Mapping[str, str] | None = None
) -> None:
    """Print the figures of one way to start: of a second start, as the first one makes the database."""
    runs = max(1, options.runs // 2)
    with tempfile.TemporaryDirectory() as data:
        started(data, arguments, 0.0, settings or {})
        seen = [started(data, arguments, options.settle, settings or {}) for _ in range(runs)]
    rss, pss = min(s[1] for s in seen), min(s[2] for s in seen)
    print(f"{name:<34}{min(s[0] for s in seen):8.2f} s  {rss:8.1f} MiB resident, {pss:.1f} MiB proportional")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs per figure")
    parser.add_argument("--settle", type=float, default=8.0, help="idle seconds before memory is read")
    options = parser.parse_args()
    print(f"python {sys.version.split()[0]}, {os.cpu_count()} cores, best of {options.runs}")
    rows = {
        "python alone": "pass",
        "import halext": "import halext",
        "halext.connect named": "import halext; halext.connect",
    }
    for name, statement in rows.items():
        runs = [imported(statement) for _ in range(options.runs)]
        print(f"{name:<34}{min(r[0] for r in runs) * 1000:8.1f} ms {min(r[1] for r in runs):8.1f} MiB")
    tell("halext up --no-demo", ["--no-demo"], options)
    tell("halext up (built-in model)", ["--demo"], options)
    with platforms() as settings:
        tell("halext up, Discord and Telegram", ["--no-demo"], options, settings)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"(this took {children.ru_utime + children.ru_stime:.0f} s of processor time)")


if __name__ == "__main__":
    main()
