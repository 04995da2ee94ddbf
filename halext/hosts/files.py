"""Private files and directories: only the account that halext runs as can read them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp

from halext.errors import DataDirUnusable


def private_dir(path: Path) -> Path:
    """The directory, made with mode 0700 where it was missing, and checked to be writable. Raises `DataDirUnusable`."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, probe = mkstemp(prefix=".halext-", dir=path)
        os.close(handle)
        Path(probe).unlink()
    except OSError as error:
        raise _unusable(path, error) from error
    return path


def write_private(path: Path, text: str) -> None:
    """Write the whole file or leave the old one, with mode 0600, on the disk when this returns.

    Raises `DataDirUnusable`.
    """
    try:
        handle, name = mkstemp(prefix=f".{path.name}-", dir=path.parent)  # mkstemp makes it 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise _unusable(path.parent, error) from error


def _unusable(path: Path, error: OSError) -> DataDirUnusable:
    why = error.strerror or error
    return DataDirUnusable(f"halext can't write in {path}: {why}. Choose another with --data or HALEXT_DATA_DIR.")
