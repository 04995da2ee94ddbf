"""The connection to SQLite or PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import URL, event, exc, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from halext.errors import DatabaseUnavailable, DataDirUnusable, InvalidInput, InvalidSetting, MissingExtra

BUSY_TIMEOUT_S = 5.0
"""How long a writer waits for another one before it gives up with `DatabaseUnavailable`."""
UNFIT = "A value here can't be kept: a number is too large, or a text has a character that no database takes."

Dialect = Literal["sqlite", "postgresql"]
_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}


class Database:
    """An open database: one engine to read with and one to write with.

    On SQLite they differ, because a transaction that means to write takes the write lock when it begins, and reads
    must not stand in line for it. On PostgreSQL both share one pool.
    """

    def __init__(self, url: URL, *, path: Path | None, reader: AsyncEngine, writer: AsyncEngine) -> None:
        self.path = path
        """The SQLite file, or None on PostgreSQL."""
        self.reader = reader
        self.writer = writer
        self._url = url

    def __repr__(self) -> str:
        return f"<Database {self._url.render_as_string(hide_password=True)}>"

    @property
    def dialect(self) -> Dialect:
        """Which of the two databases this is."""
        return "postgresql" if self.path is None else "sqlite"

    async def ping(self) -> None:
        """Return if the database answers. Raises `DatabaseUnavailable`."""
        with translated():
            async with self.reader.connect() as connection:
                await connection.execute(text("SELECT 1"))

    async def settings(self, *names: str) -> dict[str, str]:
        """The values of these settings of the database, as it names them. Raises `DatabaseUnavailable`."""
        ask = "PRAGMA" if self.path is not None else "SHOW"
        with translated():
            async with self.writer.connect() as connection:
                return {name: str(await connection.scalar(text(f"{ask} {name}"))) for name in names}

    async def now(self) -> float | None:
        """The time by the database's clock; None on SQLite, which has ours. Raises `DatabaseUnavailable`."""
        if self.path is not None:
            return None
        with translated():
            async with self.reader.connect() as connection:
                return float(await connection.scalar(text("SELECT extract(epoch FROM clock_timestamp())")) or 0)

    async def close(self) -> None:
        """Close every connection. Transactions under way are rolled back."""
        await self.writer.dispose()
        if self.reader is not self.writer:
            await self.reader.dispose()

    def migration_engine(self) -> AsyncEngine:
        """An engine of its own for schema changes; the caller disposes of it.

        On SQLite a table is altered by copying and dropping it. With foreign keys enforced the drop would delete
        the rows that refer to it, and enforcement can't be changed inside a transaction.
        """
        if self.path is None:
            return create_async_engine(self._url, poolclass=NullPool, hide_parameters=True)
        return _sqlite_engine(self._url, begin="BEGIN IMMEDIATE", pragmas=("foreign_keys=OFF",), poolclass=NullPool)


def open_database(url: str) -> Database:
    """The database behind `url`: `sqlite:///FILE` or `postgresql://…`. No connection is made yet.

    A SQLite file is created if need be and readable by its owner only, as are its journal files, which take over its
    mode. Raises `InvalidSetting`, `DataDirUnusable` and `MissingExtra`; none of them shows the URL's password.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "postgresql":
        return _open_postgresql(parsed)
    return _open_sqlite(parsed)


@contextmanager
def translated() -> Iterator[None]:
    """Turns what the drivers raise when the database is away, locked, full or damaged into `DatabaseUnavailable`.

    A broken constraint or a mistake in a statement passes as it is: the store that made it knows what it means. A
    value that no column can hold, such as a number of thirty digits, is what somebody sent: `InvalidInput`.
    """
    try:
        yield
    except OverflowError as error:  # from sqlite3 itself, which SQLAlchemy does not wrap
        raise InvalidInput(UNFIT) from error
    except (exc.IntegrityError, exc.DataError, exc.ProgrammingError, exc.NotSupportedError):
        raise
    # DBAPIError and all of its other kinds: cut off midway, asyncpg may raise any of them, even an InternalError.
    except (OSError, exc.TimeoutError, exc.DBAPIError) as error:
        if _is_about_a_value(error):
            raise InvalidInput(UNFIT) from error
        # The plain kind is what sqlite3 raises for a file that it can not read.
        message = "The database file is damaged, or is none; restore a copy of it"
        is_damaged = type(error) is exc.DatabaseError
        raise DatabaseUnavailable(message if is_damaged else None, retry_after_s=BUSY_TIMEOUT_S) from error


def _is_about_a_value(error: Exception) -> bool:
    """Whether PostgreSQL, or its driver already, can't take a value; SQLAlchemy calls that just an error."""
    cause = getattr(getattr(error, "orig", None), "__cause__", None)
    return any(kind.__name__ == "DataError" for kind in type(cause).__mro__)


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # The cause is left out on purpose: it quotes the URL.
        raise InvalidSetting("HALEXT_DATABASE_URL can't be read; try sqlite:///FILE or postgresql://…") from None
    driver = _DRIVERS.get(parsed.drivername)
    if driver is None:
        raise InvalidSetting(
            f"HALEXT_DATABASE_URL begins with {parsed.drivername}://; halext knows sqlite:/// and postgresql://"
        )
    return parsed.set(drivername=driver)


def _open_postgresql(url: URL) -> Database:
    try:
        # Pre-ping costs a round trip per checkout and makes a restart of the server invisible to idle connections.
        engine = create_async_engine(
            url, pool_pre_ping=True, pool_size=5, max_overflow=5, pool_timeout=BUSY_TIMEOUT_S, hide_parameters=True
        )
    except ModuleNotFoundError as error:
        raise MissingExtra("PostgreSQL needs one more package: pip install 'halext[postgres]'") from error
    return Database(url, path=None, reader=engine.execution_options(postgresql_readonly=True), writer=engine)


def _open_sqlite(url: URL) -> Database:
    if not url.database or url.database == ":memory:":
        raise InvalidSetting(
            "HALEXT_DATABASE_URL needs a file: a database in memory can't be shared by two connections"
        )
    path = Path(url.database).absolute()
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise DataDirUnusable(f"The database {path} can't be opened for writing: {error.strerror}") from error
    url = url.set(database=str(path))
    # FULL: an acknowledged commit survives a power cut.
    durable = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")
    return Database(
        url,
        path=path,
        reader=_sqlite_engine(url, begin="BEGIN", pragmas=(*durable, "query_only=ON"), pool_size=5, max_overflow=5),
        # One connection: writers of this process wait here, in order, and not by asking the file again and again.
        writer=_sqlite_engine(url, begin="BEGIN IMMEDIATE", pragmas=durable, pool_size=1, max_overflow=0),
    )


def _sqlite_engine(url: URL, *, begin: str, pragmas: tuple[str, ...], **pool: Any) -> AsyncEngine:
    if "pool_size" in pool:
        pool["pool_timeout"] = BUSY_TIMEOUT_S
    engine = create_async_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S}, hide_parameters=True, **pool)

    @event.listens_for(engine.sync_engine, "connect")
    def on_connect(connection: Any, _record: object) -> None:
        # Otherwise Python's sqlite3 begins transactions itself, too late and without the write lock.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def on_begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine
