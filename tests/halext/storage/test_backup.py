"""Copies of a SQLite file while it is in use."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from halext.errors import DataDirUnusable
from halext.storage.backup import copy_sqlite


def fill(path: Path, value: int) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE IF NOT EXISTS t (a INTEGER)")
        connection.execute("INSERT INTO t VALUES (?)", (value,))


def rows(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute("SELECT a FROM t ORDER BY a")]


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir() if not file.name.endswith(("-wal", "-shm")))


async def test_the_copy_holds_what_was_committed_and_is_the_owners_alone(tmp_path: Path) -> None:
    source, target = tmp_path / "a.db", tmp_path / "a.bak"
    fill(source, 1)
    with closing(sqlite3.connect(source)) as writer:
        writer.execute("INSERT INTO t VALUES (2)")  # not committed
        await copy_sqlite(source, target)
    assert rows(target) == [1]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


async def test_an_older_copy_and_an_unfinished_one_are_replaced(tmp_path: Path) -> None:
    source, target = tmp_path / "a.db", tmp_path / "a.bak"
    fill(source, 1)
    target.write_text("old")
    (tmp_path / "a.bak.unfinished").write_text("killed midway")
    await copy_sqlite(source, target)
    assert rows(target) == [1]
    assert names(tmp_path) == ["a.bak", "a.db"]


async def test_a_failed_copy_says_so_and_keeps_the_older_one(tmp_path: Path) -> None:
    source, target = tmp_path / "a.db", tmp_path / "a.bak"
    source.write_text("this is no database, whatever its name says" * 100)
    target.write_text("old")
    with pytest.raises(DataDirUnusable, match=r"a\.bak can't be written"):
        await copy_sqlite(source, target)
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a.bak", "a.db"]
