"""Limits that are kept: no query for those who have none, and changes that are seen at once."""

from __future__ import annotations

import asyncio

import pytest

from halext.accounts.quotas.book import CACHE_S, LimitBook
from halext.accounts.quotas.store import LimitStore
from halext.accounts.quotas.types import Measure, Subject
from halext.errors import DatabaseUnavailable
from halext.storage.scope import Scope
from halext.testing.clock import ManualClock

MIA = Subject("user", "2")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry per look into the database; "away" in front makes the database fail."""
    seen: list[str] = []
    look = LimitStore.all

    async def all_(self: LimitStore) -> dict[Subject, dict[Measure, int | None]]:
        if seen[:1] == ["away"]:
            raise DatabaseUnavailable
        seen.append("read")
        return await look(self)

    monkeypatch.setattr(LimitStore, "all", all_)
    return seen


async def test_it_is_read_once_and_again_after_a_change(scope: Scope, reads: list[str]) -> None:
    book = LimitBook(scope, ManualClock())
    assert await asyncio.gather(*(book.read() for _ in range(20))) == [{}] * 20
    assert len(reads) == 1
    await book.set(MIA, {Measure.TOKENS: 5})
    assert await book.read() == {MIA: {Measure.TOKENS: 5}}
    await book.clear(MIA)
    assert [await book.read() for _ in range(3)] == [{}] * 3
    assert len(reads) == 3


async def test_another_process_sees_a_change_within_a_second(scope: Scope, reads: list[str]) -> None:
    clock = ManualClock()
    here, there = LimitBook(scope, clock), LimitBook(scope, clock)
    await here.read()
    await there.set(MIA, {Measure.TOKENS: 5})
    await clock.advance(CACHE_S)
    seen = await here.read()
    # One process has a SQLite file: nobody else can change it, so it is not read again.
    assert seen == ({} if scope.dialect == "sqlite" else {MIA: {Measure.TOKENS: 5}})
    assert len(reads) == (1 if scope.dialect == "sqlite" else 2)


async def test_a_look_that_began_before_a_change_does_not_outlive_it(scope: Scope) -> None:
    book = LimitBook(scope, ManualClock())
    await asyncio.gather(book.read(), book.set(MIA, {Measure.TOKENS: 5}), book.read())
    assert await book.read() == {MIA: {Measure.TOKENS: 5}}


async def test_while_the_database_is_away_what_was_known_holds(scope: Scope, reads: list[str]) -> None:
    clock = ManualClock()
    book = LimitBook(scope, clock)
    await book.set(MIA, {Measure.TOKENS: 5})
    known = await book.read()
    reads.insert(0, "away")
    await clock.advance(10 * CACHE_S)
    assert await book.read() == known
    with pytest.raises(DatabaseUnavailable):
        await LimitBook(scope, clock).read()
