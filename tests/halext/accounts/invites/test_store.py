"""Invites in the database: used once, and only while their maker backs them."""

from __future__ import annotations

import asyncio

import pytest

from halext.accounts.invites.store import InviteStore
from halext.accounts.invites.types import Invite
from halext.accounts.store import PeopleStore
from halext.accounts.types import Role, User
from halext.errors import AlreadyExists, NotFound
from halext.storage.scope import Scope
from halext.types import UserId


@pytest.fixture
def people(scope: Scope) -> PeopleStore:
    return PeopleStore(scope)


@pytest.fixture
def store(scope: Scope) -> InviteStore:
    return InviteStore(scope)


@pytest.fixture
async def ada(people: PeopleStore) -> User:
    await people.add("Other", Role.ADMIN, None, 1.0)  # so that Ada is not the last one
    return await people.add("Ada", Role.ADMIN, None, 1.0)


async def add(store: InviteStore, code: str, maker: UserId | None, now: float = 1.0) -> Invite:
    return await store.add(code, Role.GUEST, "for Bob", maker=maker, now=now, expires_at=now + 10)


async def test_an_invite_makes_one_account(store: InviteStore, people: PeopleStore, ada: User) -> None:
    made = await add(store, "h", ada.id)
    assert made == Invite(made.id, Role.GUEST, "for Bob", "Ada", 1.0, 11.0)
    assert await store.all(2.0) == [made]
    user = await store.claim("h", "Bob", "kept", 5.0)
    assert user
    assert await people.find("bob") == (user, "kept")
    assert (user.role, user.created_at) == (Role.GUEST, 5.0)
    assert await store.claim("h", "Eve", "kept", 5.0) is None
    assert await store.all(2.0) == []


async def test_of_many_at_once_one_gets_it(store: InviteStore, people: PeopleStore, ada: User) -> None:
    await add(store, "h", ada.id)
    found = await asyncio.gather(*(store.claim("h", f"Bob {number}", "kept", 5.0) for number in range(8)))
    assert len([user for user in found if user]) == 1
    assert len(await people.users()) == 3


async def test_a_taken_name_uses_nothing_up(store: InviteStore, ada: User) -> None:
    await add(store, "h", ada.id)
    with pytest.raises(AlreadyExists):
        await store.claim("h", "ADA", "kept", 5.0)
    assert await store.claim("h", "Bob", "kept", 5.0)


async def test_it_runs_out_and_is_cleared_away(store: InviteStore, ada: User) -> None:
    old = await add(store, "h", ada.id)
    assert not await store.is_open("h", 11.0)
    assert await store.claim("h", "Bob", "kept", 11.0) is None
    await add(store, "i", None, now=11.0)
    with pytest.raises(NotFound):
        await store.remove(old.id)


@pytest.mark.parametrize("loss", ["role", "shut out"])
async def test_it_ends_for_good_with_its_makers_right(
    store: InviteStore, people: PeopleStore, ada: User, loss: str
) -> None:
    await add(store, "h", ada.id)
    await add(store, "owners", None)
    assert await store.is_open("h", 2.0)
    if loss == "role":
        await people.set_role("Ada", Role.MEMBER)
        await people.set_role("Ada", Role.ADMIN)
    else:
        await people.set_disabled("Ada", disabled=True)
        await people.set_disabled("Ada", disabled=False)
    assert not await store.is_open("h", 2.0)
    assert await store.claim("h", "Bob", "kept", 2.0) is None
    assert [invite.maker for invite in await store.all(2.0)] == [None]


async def test_without_its_makers_right_it_counts_for_nothing(
    store: InviteStore, people: PeopleStore, ada: User
) -> None:
    member = await people.add("Mia", Role.MEMBER, None, 1.0)
    await add(store, "h", member.id)
    assert await store.all(2.0) == []
    assert await store.claim("h", "Bob", "kept", 2.0) is None


async def test_it_can_be_ended(store: InviteStore, ada: User) -> None:
    made = await add(store, "h", ada.id)
    await store.remove(made.id)
    assert not await store.is_open("h", 2.0)
