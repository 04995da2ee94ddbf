"""People who own jobs, and a way to let the database's time pass."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import update

from halext.accounts.store import PeopleStore
from halext.accounts.types import Role, User
from halext.jobs.store import JobRow, JobStore, WorkStore
from halext.storage.scope import Scope

Pass = Callable[[float], Awaitable[None]]


@pytest.fixture
async def ann(scope: Scope) -> User:
    return await PeopleStore(scope).add("Ann", Role.MEMBER, None, 0.0)


@pytest.fixture
async def bob(scope: Scope) -> User:
    return await PeopleStore(scope).add("Bob", Role.MEMBER, None, 0.0)


@pytest.fixture
def jobs(scope: Scope, ann: User) -> JobStore:
    """Ann's."""
    return JobStore(scope, ann.id)


@pytest.fixture
def work(scope: Scope) -> WorkStore:
    return WorkStore(scope)


@pytest.fixture
def let_pass(scope: Scope) -> Pass:
    """The database's clock can't be moved; instead everything that was to come comes so much sooner."""

    async def pass_time(seconds: float) -> None:
        await shift(scope, seconds)

    return pass_time


async def shift(scope: Scope, seconds: float) -> None:
    columns = ("run_at", "lease_until", "expires_at", "created_at", "started_at", "finished_at")
    values = {name: getattr(JobRow, name) - seconds for name in columns}
    async with scope.write() as session:
        await session.execute(update(JobRow).values(values).execution_options(synchronize_session=False))
