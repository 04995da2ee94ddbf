"""One coordinating process per data directory, and the way for others to find it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from halext.errors import AlreadyRunning, DataDirUnusable
from halext.hosts.files import write_private

LOCK_FILE = "lock"
RUN_FILE = "run.json"


class DataDirLock:
    """Holds the data directory while the block runs; the system lets go of it however the process ends.

    Raises `AlreadyRunning`, which names the process that has it.
    """

    def __init__(self, data_dir: Path) -> None:
        self._dir = data_dir
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        path = self._dir / LOCK_FILE
        try:
            file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="utf-8")
        except OSError as error:
            raise DataDirUnusable(f"{path} can't be opened: {error.strerror}.") from error
        if not _try_lock(file):
            holder = file.read().strip() or "unknown"
            file.close()
            message = f"Another halext (process {holder}) is using {self._dir}; stop it first, or use another --data directory."
            raise AlreadyRunning(message)
        (self._dir / RUN_FILE).unlink(missing_ok=True)  # left by a process that was killed
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        (self._dir / RUN_FILE).unlink(missing_ok=True)
        if self._file is not None:
            self._file.seek(0)
            self._file.truncate(0)
            self._file.close()
            self._file = None

    def publish(self, how: Mapping[str, str]) -> None:
        """Tell this machine's command line how to reach the process that holds the lock; only the owner can read it."""
        write_private(self._dir / RUN_FILE, json.dumps(dict(how)))


def is_locked(data_dir: Path) -> bool:
    """Whether a living process holds the data directory now."""
    try:
        with (data_dir / LOCK_FILE).open("r+", encoding="utf-8") as file:
            return not _try_lock(file)
    except OSError:
        return False


if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 30
    """Windows locks bytes, also against reading: this one lies behind anything that is written."""

    def _try_lock(file: IO[str]) -> bool:
        file.seek(_FAR)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            file.seek(0)
        return True
else:
    import fcntl

    def _try_lock(file: IO[str]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
