"""Keys and data must be readable by their owner only."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from halext.hosts.lock import RUN_FILE
from halext.runtime import hostkey, masterkey
from halext.runtime.app import App
from halext.runtime.settings import secrets_in_files
from halext.runtime.shapes import Finding

BY_OTHERS = stat.S_IRWXG | stat.S_IRWXO
WHY = {
    "master key": "Whoever has it and a copy of the database has every stored secret.",
    "database": "It holds everyone's conversations, and the hashes of passwords and tokens.",
    "data directory": "Others can see what is in it, and copies of the database that appear there.",
    "other secrets": "Whoever reads it can act as halext, or as you.",
}


async def look(app: App) -> list[Finding]:
    """The master key, the database with its journal and copies, the data directory, and files of settings."""
    return await asyncio.to_thread(_look, app)


def _look(app: App) -> list[Finding]:
    data, database = app.settings.data_dir, app.database.path
    found: list[Finding] = []
    if app.settings.master_key is None:
        found += _private("master key", [masterkey.path(app.settings)])
    if database is not None:
        found += _private("database", sorted(database.parent.glob(f"{database.name}*")))
    found += _private("data directory", [data])
    return found + _private("other secrets", [data / RUN_FILE, hostkey.path(app.settings), *secrets_in_files()])


def _private(check: str, paths: Iterable[Path]) -> list[Finding]:
    open_ones = [(path, mode) for path in paths if (mode := _mode(path)) & BY_OTHERS]
    if os.name != "posix" or not open_ones:
        return [Finding(check=check, level="ok", what="Readable by you only.")]
    return [
        Finding(
            check=check,
            level="error",
            what=f"{path} can be read by other users of this machine (mode {mode:03o}).",
            why=WHY[check],
            fix=f"chmod {'700' if path.is_dir() else '600'} {path}",
        )
        for path, mode in open_ones
    ]


def _mode(path: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:  # it was there a moment ago, or is not there yet
        return 0
