"""Short transactions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from halext.storage.engine import Database, Dialect, translated


class Scope:
    """Hands out sessions. Keep each one short: never across a stream, a job, a request to a node or a password hash."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def dialect(self) -> Dialect:
        """For the few statements that the two databases spell differently."""
        return self._database.dialect

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session that sees one moment of the database and can't change it. Raises `DatabaseUnavailable`."""
        async with _session(self._database.reader) as session:
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A session whose changes are committed together at the end, or not at all. Raises `DatabaseUnavailable`."""
        async with _session(self._database.writer) as session:
            yield session


@asynccontextmanager
async def _session(engine: AsyncEngine) -> AsyncIterator[AsyncSession]:
    with translated():
        async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
            yield session
