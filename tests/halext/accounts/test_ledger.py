"""The ledger on both databases: soon, once, and through an outage."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

import pytest

from halext.accounts import ledger as ledger_module
from halext.accounts.ledger import BATCH_MAX, RETRY_S, UsageLedger
from halext.accounts.store import UsageStore
from halext.accounts.types import LOCAL, Caller, Role, UsageEntry, UsageTotal
from halext.errors import DatabaseUnavailable, Forbidden
from halext.storage.scope import Scope
from halext.testing.clock import ManualClock
from halext.types import ModelName, NodeName, RequestId, UserId

ADA = Caller("Ada", Role.MEMBER, "session", UserId(1))
EVE = Caller("Eve", Role.MEMBER, "token", UserId(2))
BOSS = Caller("Boss", Role.ADMIN, "session", UserId(3))


def entry(number: int, caller: Caller = ADA, started_at: float = 100.0) -> UsageEntry:
    return UsageEntry(
        RequestId(f"r{number}"), caller, ModelName("llama3"), NodeName("mac"), started_at, 2.0, 0.5, 10, 20, "done"
    )


class WatchedStore(UsageStore):
    """The real store, which can be away and says when it was asked."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope)
        self.is_away = False
        self.batches: list[int] = []
        self.changed = asyncio.Condition()

    async def add(self, entries: Sequence[UsageEntry]) -> None:
        try:
            if self.is_away:
                raise DatabaseUnavailable
            await super().add(entries)
        finally:
            async with self.changed:
                self.batches.append(0 if self.is_away else len(entries))
                self.changed.notify_all()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20), self.changed:
            await self.changed.wait_for(condition)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(scope: Scope) -> WatchedStore:
    return WatchedStore(scope)


async def requests(store: UsageStore) -> int:
    return sum(total.requests for total in await store.totals(BOSS, 0, everyone=True))


async def test_entries_are_gathered_and_written_together(store: WatchedStore, clock: ManualClock) -> None:
    ledger = UsageLedger(store, clock, gather_s=0.05)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(ledger.run())
        for number in range(20):
            ledger.record(entry(number))
        await store.until(lambda: store.batches == [20])
        ledger.record(entry(20))
        await store.until(lambda: store.batches == [20, 1])
        running.cancel()
    assert await requests(store) == 21


async def test_a_full_batch_does_not_wait(store: WatchedStore, clock: ManualClock) -> None:
    ledger = UsageLedger(store, clock, gather_s=3600)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(ledger.run())
        for number in range(BATCH_MAX + 1):
            ledger.record(entry(number))
        await store.until(lambda: store.batches == [BATCH_MAX, 1])
        running.cancel()


async def test_closing_writes_the_rest(store: WatchedStore, clock: ManualClock) -> None:
    ledger = UsageLedger(store, clock)
    for number in range(BATCH_MAX * 2 + 5):
        ledger.record(entry(number))
    await ledger.flush()
    assert store.batches == [BATCH_MAX, BATCH_MAX, 5]
    await ledger.flush()
    assert await requests(store) == BATCH_MAX * 2 + 5


async def test_an_outage_loses_nothing(store: WatchedStore, clock: ManualClock) -> None:
    ledger = UsageLedger(store, clock, gather_s=0.001)
    store.is_away = True
    async with asyncio.TaskGroup() as group:
        running = group.create_task(ledger.run())
        ledger.record(entry(1))
        await store.until(lambda: store.batches == [0])
        ledger.record(entry(2))
        store.is_away = False
        await clock.advance(RETRY_S)
        await store.until(lambda: store.batches == [0, 2])
        running.cancel()
    assert await requests(store) == 2


async def test_a_long_outage_loses_the_oldest_and_says_so(
    store: WatchedStore, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = UsageLedger(store, clock, buffer_max=5)
    store.is_away = True
    for number in range(8):
        ledger.record(entry(number, EVE if number < 3 else ADA))
    with pytest.raises(DatabaseUnavailable):
        await ledger.flush()
    store.is_away = False
    await ledger.flush()
    assert [(total.caller, total.requests) for total in await store.totals(BOSS, 0, everyone=True)] == [("Ada", 5)]
    said = [record for record in caplog.records if record.name == ledger_module.__name__]
    assert [record.levelno for record in said] == [logging.ERROR, logging.ERROR]
    assert "3 usage entries" in said[1].getMessage()


async def test_an_entry_dropped_while_its_batch_is_written_is_written_once(
    store: WatchedStore, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = UsageLedger(store, clock, buffer_max=3)
    add = store.add

    async def record_meanwhile(entries: Sequence[UsageEntry]) -> None:
        monkeypatch.setattr(store, "add", add)
        ledger.record(entry(3))  # the buffer is full: entry 0 goes
        await add(entries)

    monkeypatch.setattr(store, "add", record_meanwhile)
    for number in range(3):
        ledger.record(entry(number))
    await ledger.flush()
    assert store.batches == [3, 1]
    assert await requests(store) == 4


async def test_a_batch_after_a_doubtful_commit_counts_once(store: WatchedStore) -> None:
    await store.add([entry(1), entry(2)])
    await store.add([entry(1), entry(2), entry(3)])
    assert await requests(store) == 3


async def test_totals_are_ones_own(store: WatchedStore, clock: ManualClock) -> None:
    ledger = UsageLedger(store, clock)
    for number, caller in enumerate((ADA, ADA, EVE, LOCAL)):
        ledger.record(entry(number, caller, started_at=100.0 + number))
    await ledger.flush()
    total = UsageTotal("Ada", ModelName("llama3"), 2, 20, 40, 4.0)
    assert await ledger.totals(ADA, 0) == [total]
    assert [found.requests for found in await ledger.totals(ADA, 101)] == [1]
    assert [found.caller for found in await ledger.totals(LOCAL, 0)] == ["owner"]
    assert [found.caller for found in await ledger.totals(BOSS, 0, everyone=True)] == ["Ada", "Eve", "owner"]
    with pytest.raises(Forbidden):
        await ledger.totals(EVE, 0, everyone=True)


async def test_what_a_client_or_node_makes_up_does_not_spoil_the_batch(store: WatchedStore) -> None:
    hostile = UsageEntry(
        RequestId("r"),
        ADA,
        ModelName("a\0b\ud800'; DROP TABLE usage"),
        NodeName("mac"),
        1,
        1,
        None,
        2**70,
        -5,
        "failed",
    )
    await store.add([hostile, entry(2)])
    totals = await store.totals(ADA, 0)
    assert sorted((total.model, total.completion_tokens) for total in totals) == [
        ("ab?'; DROP TABLE usage", 0),
        ("llama3", 20),
    ]
