"""Sign-ins in the database: whose they are, and what ends them."""

from __future__ import annotations

import pytest

from halext.accounts.sessions.store import OwnSessions, SessionStore
from halext.accounts.sessions.types import Origin, Session
from halext.accounts.store import PeopleStore
from halext.accounts.types import Role, User
from halext.errors import NotFound
from halext.storage.scope import Scope

HERE = Origin("192.0.2.1", "Firefox on Linux")


@pytest.fixture
def people(scope: Scope) -> PeopleStore:
    return PeopleStore(scope)


@pytest.fixture
def store(scope: Scope) -> SessionStore:
    return SessionStore(scope)


@pytest.fixture
async def ada(people: PeopleStore) -> User:
    return await people.add("Ada", Role.MEMBER, "kept", 1.0)


@pytest.fixture
async def eve(people: PeopleStore) -> User:
    return await people.add("Eve", Role.MEMBER, "hers", 2.0)


async def begin(store: SessionStore, user: User, name: str, checked: str = "kept", now: float = 1.0) -> bool:
    return await store.begin(user, name, checked=checked, better=None, now=now, expires_at=now + 10, origin=HERE)


async def test_a_session_leads_to_its_person_until_it_ends(store: SessionStore, people: PeopleStore, ada: User) -> None:
    assert await begin(store, ada, "s")
    found = await store.find("s")
    assert found
    user, session = found
    assert user == ada
    assert session == Session(session.id, 1.0, 1.0, 11.0, None, HERE)
    await store.end("s")
    assert await store.find("s") is None


async def test_shutting_out_ends_it(store: SessionStore, people: PeopleStore, ada: User) -> None:
    await begin(store, ada, "s")
    await people.set_disabled("ada", disabled=True)
    assert await store.find("s") is None
    assert not await begin(store, ada, "t")
    await people.set_disabled("ada", disabled=False)
    assert await store.find("s") is None


async def test_a_better_hash_replaces_the_kept_one_and_a_changed_one_stays(
    store: SessionStore, people: PeopleStore, ada: User
) -> None:
    assert await store.begin(ada, "s", checked="kept", better="better", now=1.0, expires_at=9.0)
    assert await people.find("ada") == (ada, "better")
    assert not await begin(store, ada, "t", checked="kept")


async def test_sessions_that_ran_out_are_cleared_away(store: SessionStore, ada: User) -> None:
    for number in range(3):
        await begin(store, ada, str(number), now=number * 10.0)
    assert [await store.find(str(number)) for number in range(2)] == [None, None]
    assert await store.find("2") is not None


async def test_everyone_reaches_their_own_only(store: SessionStore, scope: Scope, ada: User, eve: User) -> None:
    await begin(store, ada, "a")
    await begin(store, eve, "e", checked="hers")
    own = OwnSessions(scope, ada.id)
    (mine,) = await own.all(2.0)
    (hers,) = await OwnSessions(scope, eve.id).all(2.0)
    said = []
    for number in (hers.id, 9999):
        with pytest.raises(NotFound) as caught:
            await own.end(number)
        said.append(caught.value.message)
    assert said[0] == said[1]
    await own.end(mine.id)
    await own.end_all()
    assert await store.find("a") is None
    assert await store.find("e") is not None


async def test_what_has_run_out_is_not_listed(store: SessionStore, scope: Scope, ada: User) -> None:
    await begin(store, ada, "s")
    assert await OwnSessions(scope, ada.id).all(11.0) == []


async def test_the_last_use_is_kept_and_one_that_is_gone_is_no_error(
    store: SessionStore, scope: Scope, ada: User
) -> None:
    await begin(store, ada, "s")
    (session,) = await OwnSessions(scope, ada.id).all(2.0)
    await store.touch({session.id: 5.0, session.id + 99: 6.0})
    (session,) = await OwnSessions(scope, ada.id).all(2.0)
    assert session.used_at == 5.0


async def test_a_new_password_keeps_one_session_and_proves_it_anew(
    store: SessionStore, scope: Scope, people: PeopleStore, ada: User, eve: User
) -> None:
    for name in ("one", "two"):
        await begin(store, ada, name)
    await begin(store, eve, "hers", checked="hers")
    own = OwnSessions(scope, ada.id)
    kept = (await store.find("one") or pytest.fail("gone"))[1].id
    assert not await own.renew_password(kept, checked="other", password_hash="new", now=5.0)
    assert len(await own.all(2.0)) == 2
    assert await own.renew_password(kept, checked="kept", password_hash="new", now=5.0)
    (left,) = await own.all(2.0)
    assert (left.id, left.created_at, left.proved_at) == (kept, 1.0, 5.0)
    assert await people.find("ada") == (ada, "new")
    assert (await store.find("hers") or pytest.fail("gone"))[1].proved_at == 1.0


async def test_without_a_session_to_keep_all_end(store: SessionStore, scope: Scope, ada: User) -> None:
    await begin(store, ada, "s")
    assert await OwnSessions(scope, ada.id).renew_password(None, checked="kept", password_hash="new", now=5.0)
    assert await OwnSessions(scope, ada.id).all(2.0) == []
