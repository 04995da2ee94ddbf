"""Short transactions, on both databases."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from halext.errors import DatabaseUnavailable, InvalidInput
from halext.storage.engine import Database, open_database
from halext.storage.scope import Scope

INSERT = text("INSERT INTO codes (purpose, hash, created_at, expires_at) VALUES ('test', :hash, 0, 0)")
COUNT = text("SELECT count(*) FROM codes")


async def count(scope: Scope) -> int:
    async with scope.read() as session:
        return int((await session.execute(COUNT)).scalar_one())


async def test_a_write_is_seen_by_the_next_read(scope: Scope) -> None:
    async with scope.write() as session:
        await session.execute(INSERT, {"hash": "a"})
    assert await count(scope) == 1


async def test_an_error_leaves_nothing_behind(scope: Scope) -> None:
    async def fail() -> None:
        async with scope.write() as session:
            await session.execute(INSERT, {"hash": "a"})
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert await count(scope) == 0


async def test_a_cancelled_write_leaves_nothing_behind_and_frees_the_lock(scope: Scope) -> None:
    inside = asyncio.Event()

    async def stuck() -> None:
        async with scope.write() as session:
            await session.execute(INSERT, {"hash": "a"})
            inside.set()
            await asyncio.Event().wait()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(stuck())
        await inside.wait()
        task.cancel()
    async with scope.write() as session:
        await session.execute(INSERT, {"hash": "b"})
    assert await count(scope) == 1


async def test_a_reader_can_not_write(scope: Scope) -> None:
    with pytest.raises((DBAPIError, DatabaseUnavailable)):
        async with scope.read() as session:
            await session.execute(INSERT, {"hash": "a"})
    assert await count(scope) == 0


async def test_a_reader_sees_one_moment_and_does_not_wait_for_a_writer(database: Database, scope: Scope) -> None:
    async with scope.write() as writing:
        await writing.execute(INSERT, {"hash": "a"})
        assert await count(scope) == 0


async def test_many_writers_all_get_through(scope: Scope) -> None:
    async def write(number: int) -> None:
        async with scope.write() as session:
            await session.execute(INSERT, {"hash": str(number)})

    async with asyncio.TaskGroup() as group:
        for number in range(50):
            group.create_task(write(number))
    assert await count(scope) == 50


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_two_processes_may_write_to_one_file(database: Database, scope: Scope) -> None:
    other = open_database(f"sqlite:///{database.path}")
    try:
        async with asyncio.TaskGroup() as group:
            for number in range(20):
                group.create_task(_insert(Scope(other) if number % 2 else scope, str(number)))
    finally:
        await other.close()
    assert await count(scope) == 20


async def _insert(scope: Scope, value: str) -> None:
    async with scope.write() as session:
        await session.execute(INSERT, {"hash": value})


async def test_the_dialect_is_told(database: Database, scope: Scope) -> None:
    assert scope.dialect == database.dialect


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
async def test_a_restart_of_the_server_costs_one_transaction(scope: Scope) -> None:
    kill = text("SELECT pg_terminate_backend(:pid)")

    async def killed_midway() -> None:
        async with scope.write() as session:
            await session.execute(INSERT, {"hash": "a"})
            pid = (await session.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            async with scope.read() as other:
                await other.execute(kill, {"pid": pid})
            await session.execute(INSERT, {"hash": "b"})

    with pytest.raises(DatabaseUnavailable):
        await killed_midway()
    assert await count(scope) == 0
    async with scope.write() as session:
        pid = (await session.execute(text("SELECT pg_backend_pid()"))).scalar_one()
    async with scope.read() as other:
        await other.execute(kill, {"pid": pid})  # this connection lies idle now, and is dead
    async with scope.write() as session:
        await session.execute(INSERT, {"hash": "c"})
    assert await count(scope) == 1


async def test_a_broken_constraint_is_the_stores_affair(scope: Scope) -> None:
    await _insert(scope, "a")
    with pytest.raises(IntegrityError):
        await _insert(scope, "a")


async def user_where(scope: Scope, condition: str, value: object) -> None:
    async with scope.read() as session:
        await session.execute(text(f"SELECT 1 FROM users WHERE {condition} = :value").bindparams(value=value))


@pytest.mark.parametrize("value", [10**30, -(10**30)])
async def test_a_number_that_no_column_holds_is_wrong_input_and_no_outage(scope: Scope, value: int) -> None:
    with pytest.raises(InvalidInput, match="too large"):
        await user_where(scope, "id", value)


async def test_a_text_that_no_column_holds_is_wrong_input_and_no_outage(database: Database, scope: Scope) -> None:
    if database.dialect == "sqlite":  # takes it, and finds nobody
        await user_where(scope, "name", "a\0b")
        return
    with pytest.raises(InvalidInput):
        await user_where(scope, "name", "a\0b")
