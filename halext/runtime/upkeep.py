"""What is done to a house while it is closed: its schema."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from halext.runtime import wiring
from halext.runtime.settings import Settings
from halext.storage import schema
from halext.storage.base import Base


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What an upgrade did. `before` is None for a new database, `backup` the copy of a SQLite file as it was."""

    before: str | None
    after: str
    backup: Path | None


@dataclass(frozen=True, slots=True)
class SchemaReport:
    """How the database's schema stands to this version: one word, and every difference between the tables."""

    state: str
    is_current: bool
    differences: list[str]


async def upgrade_database(settings: Settings) -> Upgrade:
    """Bring the schema to this version. Raises `AlreadyRunning`, `SchemaMismatch` and `DatabaseUnavailable`."""
    async with wiring.open_database_only(settings) as database:
        done = await schema.upgrade(database)
        return Upgrade(done.before, done.after, done.backup)


async def check_database(settings: Settings) -> SchemaReport:
    """Look at the schema and change nothing. Raises `AlreadyRunning` and `DatabaseUnavailable`."""
    async with wiring.open_database_only(settings) as database:
        state = await schema.check(database)
        is_current = state is schema.SchemaState.CURRENT
        found = await schema.differences(database, Base.metadata) if is_current else []
        return SchemaReport(str(state), is_current and not found, found)
