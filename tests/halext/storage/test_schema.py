"""Up, down, and the states in between, on both databases."""

from __future__ import annotations

import asyncio
import importlib
import stat
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import text

import halext
from halext.errors import DatabaseUnavailable, SchemaMismatch
from halext.storage import schema
from halext.storage.base import Base
from halext.storage.engine import Database, open_database
from halext.storage.schema import SchemaState, Upgraded, check, differences, downgrade, require_current, upgrade


@pytest.fixture(scope="module", autouse=True)
def all_tables() -> None:
    """Every store is imported, so that `Base` knows its tables."""
    root = Path(halext.__file__).parents[1]
    for store in root.glob("halext/**/store.py"):
        importlib.import_module(".".join(store.relative_to(root).with_suffix("").parts))


async def execute(database: Database, statement: str) -> None:
    async with database.writer.begin() as connection:
        await connection.execute(text(statement))


async def scalar(database: Database, statement: str) -> object:
    async with database.reader.connect() as connection:
        return (await connection.execute(text(statement))).scalar()


@pytest.fixture
async def database(empty_database: Database) -> Database:
    """A migrated database whose schema this test may change."""
    await upgrade(empty_database)
    return empty_database


async def test_from_empty_to_current(empty_database: Database) -> None:
    assert await check(empty_database) is SchemaState.EMPTY
    done = await upgrade(empty_database)
    assert done == Upgraded(None, done.after, None)
    assert await check(empty_database) is SchemaState.CURRENT
    await require_current(empty_database)


async def test_the_migrations_make_what_the_stores_expect(database: Database) -> None:
    assert await differences(database, Base.metadata) == []


async def test_a_difference_is_told(database: Database) -> None:
    await execute(database, "DROP INDEX ix_tokens_owner_id")
    assert any("ix_tokens_owner_id" in line for line in await differences(database, Base.metadata))


async def test_up_down_up(empty_database: Database) -> None:
    await upgrade(empty_database)
    backup = await downgrade(empty_database, "base")
    if empty_database.path is not None:
        assert backup == empty_database.path.with_name("halext.db.before-base.bak")
    assert await check(empty_database) is SchemaState.EMPTY
    await upgrade(empty_database)
    assert await differences(empty_database, Base.metadata) == []


async def test_up_again_keeps_every_row(database: Database) -> None:
    await execute(database, "INSERT INTO codes (purpose, hash, created_at, expires_at) VALUES ('test', 'h', 1.5, 2)")
    done = await upgrade(database)
    assert done.before == done.after
    assert done.backup is None
    assert await scalar(database, "SELECT created_at FROM codes") == 1.5


async def test_two_upgrades_at_once_do_no_harm(empty_database: Database) -> None:
    await asyncio.gather(upgrade(empty_database), upgrade(empty_database))
    assert await check(empty_database) is SchemaState.CURRENT


@pytest.mark.parametrize(
    ("statements", "state", "advice"),
    [
        (["UPDATE alembic_version SET version_num = '9999'"], SchemaState.NEWER, "newer halext"),
        (["DROP TABLE alembic_version"], SchemaState.FOREIGN, "not halext's"),
    ],
)
async def test_what_is_not_ours_is_refused_in_words(
    database: Database, statements: list[str], state: SchemaState, advice: str
) -> None:
    for statement in statements:
        await execute(database, statement)
    assert await check(database) is state
    with pytest.raises(SchemaMismatch, match=advice):
        await require_current(database)
    with pytest.raises(SchemaMismatch, match=advice):
        await upgrade(database)
    assert await check(database) is state


async def test_a_damaged_file_is_told_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "halext.db"
    rubbish = "this is no database\n" * 100
    path.write_text(rubbish)
    database = open_database(f"sqlite:///{path}")
    with pytest.raises(DatabaseUnavailable, match="damaged"):
        await upgrade(database)
    await database.close()
    assert path.read_text() == rubbish


async def test_a_server_that_is_away_is_told() -> None:
    database = open_database("postgresql://me@127.0.0.1:1/halext")
    with pytest.raises(DatabaseUnavailable):
        await check(database)
    await database.close()


async def test_an_empty_database_is_not_served(empty_database: Database) -> None:
    with pytest.raises(SchemaMismatch, match="halext db upgrade"):
        await require_current(empty_database)


@pytest.fixture
def next_step(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of migrations with one more step after the last, which alters a table that others refer to."""
    from halext.storage import schema

    folder = tmp_path / "migrations"
    folder.mkdir()
    for file in schema.MIGRATIONS.glob("*.py"):
        (folder / file.name).write_text(file.read_text())
    versions = folder / "versions"
    versions.mkdir()
    steps = sorted((schema.MIGRATIONS / "versions").glob("0*.py"))
    for file in steps:
        (versions / file.name).write_text(file.read_text())
    (versions / "9000_next.py").write_text(
        "import sqlalchemy as sa\n"
        "from alembic import op\n"
        "revision = '9000'\n"
        f"down_revision = '{steps[-1].name[:4]}'\n"
        "def upgrade():\n"
        "    with op.batch_alter_table('users') as batch:\n"
        "        batch.add_column(sa.Column('motto', sa.Text(), nullable=True))\n"
        "        batch.alter_column('disabled', new_column_name='shut_out')\n"
        "def downgrade():\n"
        "    with op.batch_alter_table('users') as batch:\n"
        "        batch.drop_column('motto')\n"
        "        batch.alter_column('shut_out', new_column_name='disabled')\n"
    )
    monkeypatch.setattr(schema, "MIGRATIONS", folder)
    return versions / "9000_next.py"


def add_to_upgrade(step: Path, line: str) -> None:
    step.write_text(step.read_text().replace("def downgrade", f"    {line}\ndef downgrade"))


async def person_with_session(database: Database) -> None:
    await execute(
        database,
        "INSERT INTO users (id, name, name_key, role, disabled, created_at)"
        " VALUES (1, 'ada', 'ada', 'admin', FALSE, 0)",
    )
    await execute(database, "INSERT INTO sessions (user_id, hash, created_at, expires_at) VALUES (1, 'session', 0, 1)")


async def test_a_table_is_altered_without_losing_what_refers_to_it(database: Database, next_step: Path) -> None:
    await person_with_session(database)
    assert await check(database) is SchemaState.OLDER
    with pytest.raises(SchemaMismatch, match="older schema"):
        await require_current(database)
    await upgrade(database)
    await execute(database, "UPDATE users SET motto = 'count'")
    await downgrade(database, "-1")
    assert await scalar(database, "SELECT name FROM users") == "ada"
    assert await scalar(database, "SELECT hash FROM sessions") == "session"


async def test_an_existing_file_is_copied_before_it_changes(database: Database, next_step: Path) -> None:
    await person_with_session(database)
    done = await upgrade(database)
    if database.path is None:
        assert done.backup is None  # a server has its own backups
        return
    assert done.backup == database.path.with_name("halext.db.before-9000.bak")
    assert stat.S_IMODE(done.backup.stat().st_mode) == 0o600
    old = open_database(f"sqlite:///{done.backup}")
    try:
        assert await check(old) is SchemaState.OLDER
        assert await scalar(old, "SELECT name FROM users") == "ada"
    finally:
        await old.close()


async def test_a_step_that_fails_changes_nothing(database: Database, next_step: Path) -> None:
    add_to_upgrade(next_step, "raise RuntimeError('midway')")
    with pytest.raises(RuntimeError, match="midway"):
        await upgrade(database)
    assert await check(database) is SchemaState.OLDER
    assert await scalar(database, "SELECT count(*) FROM users") == 0


@pytest.mark.parametrize("empty_database", ["sqlite"], indirect=True)  # PostgreSQL checks at every statement
async def test_a_step_that_breaks_references_is_refused(database: Database, next_step: Path) -> None:
    await person_with_session(database)
    add_to_upgrade(next_step, "op.execute('DELETE FROM users')")
    with pytest.raises(SchemaMismatch, match="nothing was changed"):
        await upgrade(database)
    assert await scalar(database, "SELECT count(*) FROM users") == 1


def test_every_step_is_packaged_and_numbered() -> None:
    numbers = [int(revision) for revision in schema.revisions()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_files_names_say_what_alembic_says() -> None:
    scripts = ScriptDirectory.from_config(schema._config())
    assert schema.revisions() == [script.revision for script in scripts.walk_revisions()][::-1]
    assert schema.revisions()[-1] == scripts.get_current_head()
