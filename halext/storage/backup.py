"""Copies of a SQLite file."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from halext.errors import DataDirUnusable


async def copy_sqlite(source: Path, target: Path) -> None:
    """Write a whole and consistent copy of `source`, while it is in use, readable by its owner only.

    The copy appears under its name when it is complete; an older one of that name is replaced.
    Raises `DataDirUnusable` if there is no room for it.
    """
    await asyncio.to_thread(_copy, source, target)


def _copy(source: Path, target: Path) -> None:
    unfinished = target.with_name(target.name + ".unfinished")
    try:
        unfinished.unlink(missing_ok=True)
        os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with closing(sqlite3.connect(source, isolation_level=None)) as connection:
            connection.execute("VACUUM INTO ?", (str(unfinished),))
        unfinished.replace(target)
    except (OSError, sqlite3.Error) as error:
        unfinished.unlink(missing_ok=True)
        raise DataDirUnusable(f"The copy {target} can't be written: {error}") from error
