"""Files and folders that only their owner may read."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from halext.errors import DataDirUnusable


def private_dir(path: Path) -> None:
    """Make the folder, readable by its owner only, and see that it can be written.

    A folder that is there already keeps its mode: `halext doctor` says so if others can read it. Raises
    `DataDirUnusable`.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        trial = path / f".writable-{secrets.token_hex(4)}"
        trial.touch(mode=0o600)
        trial.unlink()
    except OSError as error:
        message = f"The data directory {path} can't be written ({error.strerror}); choose another with --data."
        raise DataDirUnusable(message) from error


def write_private(path: Path, text: str) -> None:
    """Write a file with mode 0600, whole or not at all: readers see the old text or the new one.

    Raises `DataDirUnusable`.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise DataDirUnusable(f"{path} can't be written: {error.strerror}.") from error
