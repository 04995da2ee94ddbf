from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text

from halext.errors import DatabaseUnavailable
from halext.runtime.app import App
from halext.runtime.checks import database as checked
from halext.storage import schema
from halext.storage.engine import Database


async def wrong(app: Any) -> list[tuple[str, str, str]]:
    return [(each.check, each.what, each.fix) for each in await checked.look(app) if each.level == "error"]


async def test_a_database_as_halext_opens_it(app: App) -> None:
    assert await wrong(app) == []
    assert [finding.check for finding in await checked.look(app)] == ["schema", "durability"]


@pytest.mark.parametrize("pragma", ["synchronous=NORMAL", "foreign_keys=OFF"])
async def test_a_promise_that_sqlite_does_not_keep(app: App, pragma: str) -> None:
    async with app.database.writer.connect() as connection:
        raw = await connection.get_raw_connection()
        assert raw.driver_connection
        await raw.driver_connection.execute(f"PRAGMA {pragma}")
    ((check, what, _),) = await wrong(app)
    assert (check, what.split()[0]) == ("durability", pragma.split("=", maxsplit=1)[0])


@pytest.mark.parametrize(
    ("name", "value"), [("synchronous", "1"), ("journal_mode", "delete"), ("foreign_keys", "0"), ("fsync", "off")]
)
async def test_each_promise_is_looked_at(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    dialect = "postgresql" if name == "fsync" else "sqlite"
    kept = {each: min(values) for each, values in checked.PROMISES[dialect].items()}

    async def settings(*names: str) -> dict[str, str]:
        return kept | {name: value}

    async def check(database: object) -> schema.SchemaState:
        return schema.SchemaState.CURRENT

    monkeypatch.setattr(schema, "check", check)
    database: Any = SimpleNamespace(dialect=dialect, settings=settings)
    assert [what for _, what, _ in await wrong(SimpleNamespace(database=database))] == [f"{name} is {value}."]


async def test_another_schema(app: App) -> None:
    async with app.database.writer.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    ((check, _, fix),) = await wrong(app)
    assert (check, fix) == ("schema", "halext db upgrade")


async def test_a_database_that_is_away(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(self: Database, *names: str) -> dict[str, str]:
        raise DatabaseUnavailable

    monkeypatch.setattr(Database, "settings", away)
    ((check, _, fix),) = await wrong(app)
    assert (check, fix.split(",")[0]) == ("schema", "start the database")


async def test_a_server_of_ours_says_what_it_does_not_promise(database: Database) -> None:
    """The PostgreSQL of these tests trades durability for speed."""
    whats = {what for _, what, _ in await wrong(SimpleNamespace(database=database))}
    assert whats == (set() if database.dialect == "sqlite" else {"fsync is off.", "full_page_writes is off."})
