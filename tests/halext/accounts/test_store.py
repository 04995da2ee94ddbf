"""Ownership in the data layer, on both databases: what one caller can't reach, whatever is asked."""

from __future__ import annotations

import asyncio

import pytest

from halext.accounts.store import CredentialStore, PeopleStore, TokenStore
from halext.accounts.types import LOCAL, Caller, Role, TokenInfo, User
from halext.errors import AlreadyExists, Forbidden, NotFound
from halext.storage.scope import Scope
from halext.types import UserId


@pytest.fixture
def people(scope: Scope) -> PeopleStore:
    return PeopleStore(scope)


@pytest.fixture
async def ada(people: PeopleStore) -> User:
    return await people.add("Ada", Role.MEMBER, "kept", 1.0)


@pytest.fixture
async def eve(people: PeopleStore) -> User:
    return await people.add("Eve", Role.MEMBER, None, 2.0)


def tokens_of(scope: Scope, user: User) -> TokenStore:
    return TokenStore.for_caller(scope, Caller(user.name, user.role, "session", user.id))


async def add_token(store: TokenStore, owner: User, token_hash: str) -> TokenInfo:
    return await store.add(owner, "t", token_hash=token_hash, hint="hx_", now=3.0, expires_at=None)


async def test_a_store_of_tokens_opens_for_those_who_may(scope: Scope, ada: User) -> None:
    member = Caller("Ada", Role.MEMBER, "session", ada.id)
    guest_without_a_row = Caller("owner", Role.GUEST, "local")
    for caller, everyone in ((member, True), (guest_without_a_row, False)):
        with pytest.raises(Forbidden):
            TokenStore.for_caller(scope, caller, everyone=everyone)


async def test_a_store_of_tokens_reaches_its_callers_rows_only(scope: Scope, ada: User, eve: User) -> None:
    mine, hers = await add_token(tokens_of(scope, ada), ada, "a"), await add_token(tokens_of(scope, eve), eve, "e")
    assert await tokens_of(scope, ada).all() == [mine]
    with pytest.raises(NotFound):
        await tokens_of(scope, ada).revoke(hers.id)
    with pytest.raises(NotFound):
        await add_token(tokens_of(scope, eve), ada, "forged")
    assert await TokenStore.for_caller(scope, LOCAL).all() == [hers, mine]


async def test_a_hash_leads_to_its_owner_until_that_ends(scope: Scope, people: PeopleStore, ada: User) -> None:
    credentials = CredentialStore(scope)
    info = await add_token(tokens_of(scope, ada), ada, "h")
    assert await credentials.token("h") == (ada, info)
    await people.set_disabled("ada", disabled=True)
    assert await credentials.token("h") is None


async def test_the_last_use_of_a_token_that_is_gone_is_no_error(scope: Scope, ada: User) -> None:
    info = await add_token(tokens_of(scope, ada), ada, "h")
    await CredentialStore(scope).touch({info.id: 5.0, info.id + 99: 6.0})
    assert [found.last_used_at for found in await tokens_of(scope, ada).all()] == [5.0]


async def test_of_many_with_one_name_one_is_added(people: PeopleStore) -> None:
    results = await asyncio.gather(
        *(people.add("Ada", Role.MEMBER, None, 0) for _ in range(10)), return_exceptions=True
    )
    assert sum(isinstance(result, AlreadyExists) for result in results) == 9
    assert [user.name for user in await people.users()] == ["Ada"]


@pytest.mark.parametrize("name", ["' OR 1=1 --", "%", "_", "Ada'; DROP TABLE users", "\\"])
async def test_a_name_is_a_value_and_never_sql(people: PeopleStore, ada: User, name: str) -> None:
    assert await people.find(name) is None
    added = await people.add(name, Role.GUEST, None, 0)
    assert await people.find(name) == (added, None)
    assert len(await people.users()) == 2


async def test_people_come_by_name_with_all_they_are(people: PeopleStore, ada: User, eve: User) -> None:
    changed = await people.set_role("EVE", Role.GUEST)
    assert await people.users() == [ada, changed]
    assert changed == User(UserId(eve.id), "Eve", Role.GUEST, disabled=False, created_at=2.0)


async def test_a_person_is_found_by_their_number(people: PeopleStore, ada: User, eve: User) -> None:
    assert [await people.by_id(user.id) for user in (ada, eve)] == [ada, eve]
    assert await people.by_id(UserId(999)) is None
    shut_out = await people.set_disabled("Eve", disabled=True)
    assert await people.by_id(eve.id) == shut_out
