"""Which schema the database has, and the way to another one.

Alembic is loaded by those who change or compare a schema: it takes 13 MB and a third of a second, which a start with a
database that is up to date has no use for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Connection, MetaData, inspect, text

from halext.errors import SchemaMismatch
from halext.storage.backup import copy_sqlite
from halext.storage.engine import Database, translated

if TYPE_CHECKING:
    from alembic.config import Config

_Answer = TypeVar("_Answer")

VERSIONS = "alembic_version"
"""Where Alembic writes down which schema a database has."""
MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x68616C657874
"""The PostgreSQL advisory lock under which one process at a time migrates: "halext" in ASCII."""


class SchemaState(StrEnum):
    """How the database's schema stands to this halext."""

    EMPTY = "empty"
    """No tables yet."""
    OLDER = "older"
    CURRENT = "current"
    NEWER = "newer"
    """Made by a later halext; this one must not touch it."""
    FOREIGN = "foreign"
    """Tables, but not halext's."""


@dataclass(frozen=True, slots=True)
class Upgraded:
    """What an upgrade did. `before` is None for a new database; `backup` is the copy of the file as it was."""

    before: str | None
    after: str
    backup: Path | None = None


_ADVICE = {
    SchemaState.EMPTY: "The database has no tables yet; run `halext db upgrade`",
    SchemaState.OLDER: "The database has an older schema than this halext; run `halext db upgrade`",
    SchemaState.NEWER: (
        "The database was made by a newer halext; install that version, or restore the copy from before its upgrade"
    ),
    SchemaState.FOREIGN: (
        "The database holds tables that are not halext's; give halext a database of its own (HALEXT_DATABASE_URL)"
    ),
}


async def check(database: Database) -> SchemaState:
    """The state of the schema, by its revision alone: cheap enough for every start. Raises `DatabaseUnavailable`."""
    return await _read(database, _state)


async def require_current(database: Database) -> None:
    """Raise `SchemaMismatch`, with what to do next, unless the schema is exactly this halext's."""
    state = await check(database)
    if state is not SchemaState.CURRENT:
        raise SchemaMismatch(_ADVICE[state])


async def differences(database: Database, metadata: MetaData) -> list[str]:
    """Where the tables differ from what the stores in `metadata` expect, one line each; empty when all is well."""
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    def compare(connection: Connection) -> list[str]:
        return [str(change) for change in compare_metadata(MigrationContext.configure(connection), metadata)]

    return await _read(database, compare)


async def upgrade(database: Database, revision: str = "head") -> Upgraded:
    """Bring the schema up to `revision` in one transaction, from whichever it has.

    An existing SQLite file is copied first, to `FILE.before-REVISION.bak` beside it. Raises `SchemaMismatch` for a
    database that a newer halext or another program made, and leaves it as it was.
    """
    state = await check(database)
    if state in {SchemaState.NEWER, SchemaState.FOREIGN}:
        raise SchemaMismatch(_ADVICE[state])
    before = await _read(database, _revision)
    target = revisions()[-1] if revision == "head" else revision
    if state is SchemaState.CURRENT:
        return Upgraded(before, before or target)
    backup = await _copy(database, target) if state is SchemaState.OLDER else None
    await _migrate(database, lambda config: _alembic().upgrade(config, target))
    return Upgraded(before, target, backup)


async def downgrade(database: Database, revision: str) -> Path | None:
    """Take the schema back to `revision` (`base`: no tables), which loses what only later ones can hold.

    A SQLite file is copied first, as by `upgrade`; the answer is where to.
    """
    backup = await _copy(database, revision)
    await _migrate(database, lambda config: _alembic().downgrade(config, revision))
    return backup


async def _copy(database: Database, target: str) -> Path | None:
    if database.path is None:
        return None  # a server has its own backups
    backup = database.path.with_name(f"{database.path.name}.before-{target}.bak")
    await copy_sqlite(database.path, backup)
    return backup


async def _read(database: Database, question: Callable[[Connection], _Answer]) -> _Answer:
    with translated():
        async with database.reader.connect() as connection:
            return await connection.run_sync(question)


async def _migrate(database: Database, step: Callable[[Config], None]) -> None:
    def run(connection: Connection) -> None:
        if database.dialect == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        config = _config()
        config.attributes["connection"] = connection
        step(config)
        if database.dialect == "sqlite" and connection.execute(text("PRAGMA foreign_key_check")).first():
            raise SchemaMismatch("The migration would break references between tables; nothing was changed")

    engine = database.migration_engine()
    try:
        with translated():
            async with engine.begin() as connection:
                await connection.run_sync(run)
    finally:
        await engine.dispose()


def revisions() -> list[str]:
    """All schemas that this halext knows, the oldest first: the numbers that the files of migrations begin with."""
    return sorted(file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _alembic() -> ModuleType:
    from alembic import command

    return command


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSIONS):
        return None
    found: str | None = connection.execute(text(f"SELECT version_num FROM {VERSIONS}")).scalar()  # noqa: S608 (ours)
    return found


def _state(connection: Connection) -> SchemaState:
    revision, known = _revision(connection), revisions()
    if revision is None:
        tables = set(inspect(connection).get_table_names()) - {VERSIONS}
        return SchemaState.FOREIGN if tables else SchemaState.EMPTY
    if revision == known[-1]:
        return SchemaState.CURRENT
    return SchemaState.OLDER if revision in known else SchemaState.NEWER
