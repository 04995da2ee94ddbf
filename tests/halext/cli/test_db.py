"""On real SQLite files: these commands open the database themselves."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

from halext.runtime.settings import load
from halext.runtime.wiring import open_database_only
from halext.storage import schema
from tests.halext.cli.conftest import Run


def sql(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def test_a_new_database_is_upgraded_and_then_current(run: Run, tmp_path: Path) -> None:
    before = run("db", "check")
    assert before.code == 1
    assert "no tables yet; run `halext db upgrade`" in before.out
    first, again = run("db", "upgrade"), run("db", "upgrade")
    assert (first.code, again.code) == (0, 0)
    assert first.out.startswith("The schema went from nothing to ")
    assert "already" in again.out
    after = run("db", "check")
    assert (after.code, after.out) == (0, "The schema is this halext's.\n")
    assert not list((tmp_path / "data").glob("*.bak"))


def test_an_older_schema_is_copied_first(run: Run, tmp_path: Path) -> None:
    async def go_back() -> None:
        async with open_database_only(load()) as database:
            await schema.upgrade(database, "0001")

    asyncio.run(go_back())
    assert "older than this halext" in run("db", "check").out
    result = run("db", "upgrade")
    assert "went from 0001 to " in result.out
    (backup,) = (tmp_path / "data").glob("*.bak")
    assert str(backup) in result.out


def test_check_as_json_has_the_same_exit_code(run: Run) -> None:
    result = run("db", "check", "--json")
    assert (result.code, json.loads(result.out)) == (1, {"state": "empty", "differences": []})


def test_a_table_that_is_not_as_expected_is_named(run: Run, tmp_path: Path) -> None:
    run("db", "upgrade")
    sql(tmp_path / "data" / "halext.db", "DROP TABLE secrets")
    result = run("db", "check")
    assert result.code == 1
    assert "differs: " in result.out
    assert "secrets" in result.out


def test_a_foreign_database_is_left_alone(run: Run, tmp_path: Path) -> None:
    run("db", "check")
    sql(tmp_path / "data" / "halext.db", "CREATE TABLE recipes (name TEXT)")
    assert "not halext's" in run("db", "check").out
    result = run("db", "upgrade")
    assert result.code == 1
    assert "not halext's" in result.err
