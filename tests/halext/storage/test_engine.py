"""Opening a database: what is refused, what is set, what is never shown."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from halext.errors import DatabaseUnavailable, DataDirUnusable, HalextError, InvalidSetting, MissingExtra
from halext.runtime.clock import SystemClock
from halext.storage.engine import Database, open_database
from halext.storage.scope import Scope

PASSWORD = "tell-nobody"


async def pragma(database: Database, name: str) -> object:
    async with database.writer.connect() as connection:
        return (await connection.execute(text(f"PRAGMA {name}"))).scalar_one()


def modes(folder: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


async def test_it_answers_a_ping(empty_database: Database) -> None:
    await empty_database.ping()


async def test_sqlite_is_durable_and_checks_references(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'halext.db'}")
    try:
        assert await pragma(database, "journal_mode") == "wal"
        assert await pragma(database, "synchronous") == 2
        assert await pragma(database, "foreign_keys") == 1
        assert await pragma(database, "busy_timeout") == 5000
    finally:
        await database.close()


async def test_the_files_are_the_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "halext.db"
    path.touch(mode=0o644)
    database = open_database(f"sqlite:///{path}")
    try:
        async with database.writer.begin() as connection:
            await connection.execute(text("CREATE TABLE t (a INTEGER)"))
        found = modes(tmp_path)
    finally:
        await database.close()
    assert found == dict.fromkeys(("halext.db", "halext.db-wal", "halext.db-shm"), 0o600)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "halext.db",
        "mysql://root:tell-nobody@db/halext",
        "sqlite://",
        "sqlite:///:memory:",
        "postgresql://me:tell-nobody@db:port/halext",
    ],
)
def test_a_wrong_url_is_one_sentence_without_the_password(url: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        open_database(url)
    assert "HALEXT_DATABASE_URL" in caught.value.message
    assert PASSWORD not in caught.value.message
    assert caught.value.__cause__ is None


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataDirUnusable, match="No such file"):
        open_database(f"sqlite:///{tmp_path / 'nowhere' / 'halext.db'}")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
async def test_a_password_is_never_shown(scheme: str) -> None:
    database = open_database(f"{scheme}://me:{PASSWORD}@127.0.0.1:1/halext")
    assert database.dialect == "postgresql"
    assert PASSWORD not in f"{database!r} {database.reader!r} {database.writer!r}"
    with pytest.raises(DatabaseUnavailable) as caught:
        async with Scope(database).read() as session:
            await session.execute(text("SELECT 1"))
    await database.close()
    error: BaseException | None = caught.value
    while error is not None:
        assert PASSWORD not in repr(error)
        error = error.__cause__ or error.__context__


async def test_values_of_a_failed_statement_are_never_shown(database: Database) -> None:
    with pytest.raises(Exception, match="no_such_table") as caught:
        async with database.writer.begin() as connection:
            await connection.execute(text("INSERT INTO no_such_table VALUES (:secret)"), {"secret": PASSWORD})
    assert PASSWORD not in str(caught.value)


def test_a_missing_driver_names_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(MissingExtra, match=r"pip install 'halext\[postgres\]'"):
        open_database("postgresql://me@db/halext")


async def test_a_locked_file_becomes_a_retryable_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("halext.storage.engine.BUSY_TIMEOUT_S", 0.05)
    url = f"sqlite:///{tmp_path / 'halext.db'}"
    first, second = open_database(url), open_database(url)
    try:
        async with Scope(first).write() as holding:
            await holding.execute(text("CREATE TABLE t (a INTEGER)"))
            with pytest.raises(HalextError) as caught:
                async with Scope(second).write() as session:
                    await session.execute(text("SELECT 1"))
        assert isinstance(caught.value, DatabaseUnavailable)
        assert (caught.value.status, caught.value.retryable, caught.value.retry_after_s) == (503, True, 0.05)
    finally:
        await first.close()
        await second.close()


async def test_it_says_its_settings_and_its_time(empty_database: Database) -> None:
    if empty_database.dialect == "sqlite":
        assert await empty_database.settings("synchronous", "foreign_keys") == {"synchronous": "2", "foreign_keys": "1"}
        assert await empty_database.now() is None
    else:
        assert await empty_database.settings("fsync") == {"fsync": "off"}
        assert abs((await empty_database.now() or 0) - SystemClock().now()) < 60
