"""The log on both databases: at once where it matters, soon otherwise, and through an outage."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from halext.accounts.audit import log as log_module
from halext.accounts.audit.log import DAY_S, AuditLog
from halext.accounts.audit.repeats import WINDOW_S
from halext.accounts.audit.store import AuditStore
from halext.accounts.audit.types import Entry, Query
from halext.accounts.types import LOCAL, Caller, Role
from halext.errors import DatabaseUnavailable, InvalidInput
from halext.storage.scope import Scope
from halext.testing.clock import ManualClock
from halext.types import UserId

EVE = Caller("Eve", Role.MEMBER, "token", UserId(2), address="10.0.0.9")


class MoodyStore(AuditStore):
    """The real store, which can be away."""

    is_away = False

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope)
        self.wrote = asyncio.Event()

    async def add(self, entries: Sequence[Entry]) -> None:
        if self.is_away:
            raise DatabaseUnavailable
        await super().add(entries)
        self.wrote.set()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(scope: Scope) -> MoodyStore:
    return MoodyStore(scope)


@pytest.fixture
def log(store: MoodyStore, clock: ManualClock) -> AuditLog:
    return AuditLog(store, clock, scrub=lambda text: text.replace("hx_secret", "-"), request_id=lambda: "r-1")


async def written(store: AuditStore) -> list[Entry]:
    return (await store.page(LOCAL, Query()))[::-1]


async def test_what_is_written_is_there(log: AuditLog, store: MoodyStore, clock: ManualClock) -> None:
    await log.write("people.set-role", EVE, "Mia", "ok", role="admin", action="x", password="p")
    (entry,) = await written(store)
    assert (entry.action, entry.subject, entry.outcome, entry.at) == ("people.set-role", "Mia", "ok", clock.now())
    assert (entry.name, entry.user_id, entry.credential, entry.address) == ("Eve", 2, "token", "10.0.0.9")
    assert entry.request_id == "r-1"
    assert entry.details == {"role": "admin", "action": "x", "password": "[hidden]"}


async def test_texts_from_outside_are_tamed(log: AuditLog, store: MoodyStore) -> None:
    evil = Caller("E\x1b[31m\0", Role.MEMBER, "token", UserId(2), address="10.0.0.9\r\n")
    await log.write("keys.set-key", evil, "hx_secret" + "y" * 500, "ok", name="\ud800\0hx_secret")
    (entry,) = await written(store)
    assert entry.name == "E\\x1b[31m\\x00"
    assert len(entry.subject) == 200
    assert entry.subject.startswith("-y")
    assert entry.details == {"name": "\\ud800\\x00-"}
    assert entry.address == "10.0.0.9\\r\\n"


async def test_the_rest_is_written_soon(log: AuditLog, store: MoodyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "GATHER_S", 0.0)
    running = asyncio.get_running_loop().create_task(log.run())
    log.record("request.refuse", EVE, "GET /a", "denied")
    async with asyncio.timeout(10):
        await store.wrote.wait()
    running.cancel()
    assert [entry.subject for entry in await written(store)] == ["GET /a"]


async def test_the_same_is_counted(log: AuditLog, store: MoodyStore, clock: ManualClock) -> None:
    for _ in range(1000):
        log.record("request.refuse", EVE, "GET /a", "denied")
    await log.tick()
    await clock.advance(WINDOW_S)
    await log.tick()
    assert [entry.count for entry in await written(store)] == [1, 999]


async def test_closing_writes_counts_too(log: AuditLog, store: MoodyStore) -> None:
    for _ in range(3):
        log.record("request.refuse", EVE, "GET /a", "denied")
    await log.close()
    assert [entry.count for entry in await written(store)] == [1, 2]


async def test_an_outage_keeps_everything(log: AuditLog, store: MoodyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.is_away = True
    with pytest.raises(DatabaseUnavailable):
        await log.write("people.set-role", EVE, "Mia")
    log.record("request.refuse", EVE, "GET /a", "denied")
    store.is_away = False
    await log.write("people.set-role", EVE, "Bob")
    assert [entry.subject for entry in await written(store)] == ["Mia", "GET /a", "Bob"]
    monkeypatch.setattr(log_module, "BUFFER_MAX", 2)
    store.is_away = True
    for number in range(5):
        log.record("request.refuse", EVE, f"GET /{number}", "denied")
    store.is_away = False
    await log.flush()
    assert [entry.subject for entry in (await written(store))[3:]] == ["GET /0", "GET /1", ""]
    assert (await written(store))[-1].details == {"entries": 3}


async def test_many_at_once_are_all_written_once(log: AuditLog, store: MoodyStore) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(log.write("keys.set-key", EVE, str(number)))
    assert sorted(int(entry.subject) for entry in await written(store)) == list(range(20))


async def test_what_is_old_goes_and_that_is_on_record(log: AuditLog, store: MoodyStore, clock: ManualClock) -> None:
    await log.clear(30)
    assert await written(store) == []
    await log.write("people.set-role", EVE, "Mia")
    await clock.advance(20 * DAY_S)
    await log.write("people.set-role", EVE, "Bob")
    await clock.advance(11 * DAY_S)
    await log.clear(30)
    assert [(entry.action, entry.subject) for entry in await written(store)] == [
        ("people.set-role", "Bob"),
        ("audit.clear", ""),
    ]


async def test_a_page_has_what_was_just_recorded(log: AuditLog) -> None:
    log.record("request.refuse", EVE, "GET /a", "denied")
    assert [entry.subject for entry in await log.page(LOCAL, Query())] == ["GET /a"]
    with pytest.raises(InvalidInput):
        await log.page(LOCAL, Query(limit=0))
