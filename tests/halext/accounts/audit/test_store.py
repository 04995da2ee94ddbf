from __future__ import annotations

from dataclasses import replace

import pytest

from halext.accounts.audit.store import AuditStore
from halext.accounts.audit.types import Entry, Query
from halext.accounts.types import Caller, Permission, Role
from halext.errors import Forbidden
from halext.storage.scope import Scope
from halext.types import UserId

BOSS = Caller("Boss", Role.ADMIN, "session", UserId(1))
SET_ROLE = Entry(
    at=100.0,
    user_id=UserId(1),
    name="Ada",
    credential="session",
    action="people.set-role",
    subject="Eve",
    outcome="ok",
    address="10.0.0.1",
    request_id="r1",
    details={"role": "admin", "tags": ["a", 1], "none": None},
)
OTHERS = (
    replace(SET_ROLE, at=200.0, action="people.sign-in", name="stranger", user_id=None, outcome="failed", details={}),
    replace(SET_ROLE, at=300.0, action="peoples.nothing", subject="", count=7, details={}),
)


@pytest.fixture
async def store(scope: Scope) -> AuditStore:
    store = AuditStore(scope)
    await store.add([SET_ROLE, *OTHERS])
    return store


async def test_what_is_added_is_read_newest_first(store: AuditStore) -> None:
    found = await store.page(BOSS, Query())
    assert [replace(entry, id=0) for entry in found] == [OTHERS[1], OTHERS[0], SET_ROLE]
    assert [entry.id for entry in found] == [3, 2, 1]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        (Query(since=200.0), [3, 2]),
        (Query(until=200.0), [1]),
        (Query(who="ada"), [3, 1]),
        (Query(who="%"), []),
        (Query(action="people"), [2, 1]),
        (Query(action="people.set-role"), [1]),
        (Query(action="people._et-role"), []),
        (Query(action="%"), []),
        (Query(after=3), [2, 1]),
        (Query(limit=1), [3]),
        (Query(who="stranger", action="people", since=100, until=201, after=3, limit=5), [2]),
    ],
)
async def test_questions(store: AuditStore, query: Query, ids: list[int]) -> None:
    assert [entry.id for entry in await store.page(BOSS, query)] == ids


async def test_who_may_not_see_the_house_sees_nothing(store: AuditStore) -> None:
    narrow = replace(BOSS, scopes=frozenset({Permission.USE, Permission.MANAGE_PEOPLE}))
    for caller in (Caller("Mia", Role.MEMBER, "session", UserId(2)), narrow):
        with pytest.raises(Forbidden):
            await store.page(caller, Query())


async def test_only_what_is_old_goes_and_a_number_is_never_given_twice(store: AuditStore) -> None:
    assert await store.clear(200.0) == 1
    assert await store.clear(200.0) == 0
    assert [entry.id for entry in await store.page(BOSS, Query())] == [3, 2]
    assert await store.clear(1e12) == 2
    await store.add([SET_ROLE])
    assert [entry.id for entry in await store.page(BOSS, Query())] == [4]


def test_the_store_can_add_read_and_clear_and_nothing_else() -> None:
    assert {name for name in vars(AuditStore) if not name.startswith("_")} == {"add", "page", "clear"}
