"""One halext per data directory, and how the command line finds the one that runs.

The kernel holds the lock and lets go of it when the process ends, however it ends: nothing is ever left to clean up.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from halext.errors import AlreadyRunning, DataDirUnusable
from halext.hosts.files import write_private

LOCK_FILE = "halext.lock"
RUN_FILE = "run.json"

ATTEMPTS, PAUSE_S = 5, 0.02
"""`is_locked` holds the lock for some microseconds; whoever starts just then tries again before it gives up."""

if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 20
    """Windows lets nobody read a locked byte: lock one far behind the text."""

    def _try_lock(file: IO[str]) -> bool:
        file.seek(_FAR)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _try_lock(file: IO[str]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that has a data directory. `since` is in seconds since the epoch."""

    pid: int
    since: float


class DataDirLock:
    """Holds a data directory for this process, inside a `with` block. Raises `AlreadyRunning`, `DataDirUnusable`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        file = _open(self._path)
        if not _lock_soon(file):
            file.close()
            raise AlreadyRunning(_sentence(self._path))
        self._file = file
        (self._path / RUN_FILE).unlink(missing_ok=True)  # of one that was killed
        file.seek(0)
        file.truncate()
        file.write(f"{os.getpid()}\n")
        file.flush()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        (self._path / RUN_FILE).unlink(missing_ok=True)
        if self._file is not None:
            self._file.close()
            self._file = None

    def publish(self, told: Mapping[str, str]) -> None:
        """Tell this account's other programs how to reach us: `run.json`, mode 0600, gone when the lock is."""
        write_private(self._path / RUN_FILE, json.dumps({"pid": os.getpid(), **told}))


def is_locked(path: Path) -> bool:
    """Whether a running halext has this data directory."""
    try:
        with (path / LOCK_FILE).open("r+", encoding="utf-8") as file:
            return not _try_lock(file)
    except OSError:
        return False


def holder(path: Path) -> Holder | None:
    """Who has this data directory; None when nobody has."""
    if not is_locked(path):
        return None
    file = path / LOCK_FILE
    try:
        return Holder(int(file.read_text(encoding="utf-8")), file.stat().st_mtime)
    except (OSError, ValueError):  # it just began, or just ended
        return None


def _open(path: Path) -> IO[str]:
    file = path / LOCK_FILE
    try:
        return os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="utf-8")
    except OSError as error:
        raise DataDirUnusable(f"halext can't write {file}: {error.strerror}.") from error


def _lock_soon(file: IO[str]) -> bool:
    pause = threading.Event()
    return any(_try_lock(file) or pause.wait(PAUSE_S) for _ in range(ATTEMPTS))


def _sentence(path: Path) -> str:
    found = holder(path)
    since = f"{datetime.fromtimestamp(found.since, UTC):%Y-%m-%d %H:%M} UTC" if found else ""
    who = f" (process {found.pid}, since {since})" if found else ""
    return f"Another halext is running on {path}{who}; stop it first or use another --data."
