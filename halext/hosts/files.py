"""Private files and directories: only the account that halext runs as can read them."""

from __future__ import annotations

import os
import re
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


MOUNTS = Path("/proc/self/mounts")
_ESCAPED = re.compile(r"\\([0-7]{3})")


def filesystem(path: Path) -> str:
    """The kind of file system that a path is on, such as `ext4` or `nfs4`; "" where the system does not tell."""
    try:
        lines = MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    kinds = {_ESCAPED.sub(lambda found: chr(int(found[1], 8)), line.split()[1]): line.split()[2] for line in lines}
    whole = path.resolve()
    return next((kinds[str(place)] for place in (whole, *whole.parents) if str(place) in kinds), "")


def _unusable(path: Path, error: OSError) -> DataDirUnusable:
    why = error.strerror or error
    return DataDirUnusable(f"halext can't write in {path}: {why}. Choose another with --data or HALEXT_DATA_DIR.")
