from __future__ import annotations

import asyncio

import pytest

from halext.accounts.links.store import ClaimStore, LinkStore
from halext.accounts.links.types import ChatAccount, Link
from halext.accounts.store import PeopleStore
from halext.accounts.types import Role, User
from halext.errors import NotFound
from halext.storage.scope import Scope

ACCOUNT = ChatAccount("discord", "1001", "ann#1")


@pytest.fixture
async def ann(scope: Scope) -> User:
    return await PeopleStore(scope).add("Ann", Role.MEMBER, None, 0.0)


@pytest.fixture
async def bob(scope: Scope) -> User:
    return await PeopleStore(scope).add("Bob", Role.MEMBER, None, 0.0)


async def link(scope: Scope, person: User, account: ChatAccount, now: float = 1.0) -> None:
    await LinkStore(scope, person.id).keep_code(f"code of {person.name}", 600.0)
    assert await ClaimStore(scope).claim(account, f"code of {person.name}", now) == person.id


async def test_a_code_links_once(scope: Scope, ann: User) -> None:
    claims, links = ClaimStore(scope), LinkStore(scope, ann.id)
    await links.keep_code("h", 600.0)
    assert await claims.owner(ACCOUNT) is None
    assert await claims.claim(ACCOUNT, "h", 1.5) == ann.id
    assert await claims.owner(ACCOUNT) == ann.id
    assert await links.all() == [Link(ACCOUNT, ann.id, 1.5)]
    assert await claims.claim(ChatAccount("discord", "2"), "h", 2.0) is None
    assert len(await links.all()) == 1


@pytest.mark.parametrize(("code", "now"), [("other", 0.0), ("h", 600.0), ("h", 601.0)])
async def test_a_code_that_is_none_changes_nothing(scope: Scope, ann: User, code: str, now: float) -> None:
    await LinkStore(scope, ann.id).keep_code("h", 600.0)
    assert await ClaimStore(scope).claim(ACCOUNT, code, now) is None
    assert await LinkStore(scope, ann.id).all() == []


async def test_a_new_code_ends_the_one_before(scope: Scope, ann: User) -> None:
    links = LinkStore(scope, ann.id)
    await links.keep_code("old", 600.0)
    await links.keep_code("new", 600.0)
    assert await ClaimStore(scope).claim(ACCOUNT, "old", 1.0) is None
    assert await ClaimStore(scope).claim(ACCOUNT, "new", 1.0) == ann.id


async def test_two_clicks_at_once_leave_one_code(scope: Scope, ann: User) -> None:
    codes = [f"h{number}" for number in range(8)]
    async with asyncio.TaskGroup() as group:
        for code in codes:
            group.create_task(LinkStore(scope, ann.id).keep_code(code, 600.0))
    found = [await ClaimStore(scope).claim(ACCOUNT, code, 1.0) for code in codes]
    assert [owner for owner in found if owner is not None] == [ann.id]


async def test_of_several_who_show_a_code_one_is_linked(scope: Scope, ann: User) -> None:
    await LinkStore(scope, ann.id).keep_code("h", 600.0)
    accounts = [ChatAccount("telegram", str(number)) for number in range(6)]
    found = await asyncio.gather(*(ClaimStore(scope).claim(account, "h", 1.0) for account in accounts))
    assert [owner for owner in found if owner is not None] == [ann.id]
    assert len(await LinkStore(scope, ann.id).all()) == 1


async def test_a_code_can_be_ended(scope: Scope, ann: User) -> None:
    claims = ClaimStore(scope)
    await LinkStore(scope, ann.id).keep_code("h", 600.0)
    await claims.void("other")
    await claims.void("h")
    assert await claims.claim(ACCOUNT, "h", 1.0) is None


async def test_an_account_moves_to_who_claims_it_last(scope: Scope, ann: User, bob: User) -> None:
    await link(scope, ann, ACCOUNT)
    await link(scope, bob, ChatAccount("discord", "1001", "bob#2"), now=2.0)
    assert await LinkStore(scope, ann.id).all() == []
    assert await LinkStore(scope, bob.id).all() == [Link(ChatAccount("discord", "1001", "bob#2"), bob.id, 2.0)]


async def test_who_is_shut_out_links_nothing_and_takes_nothing(scope: Scope, ann: User, bob: User) -> None:
    await link(scope, ann, ACCOUNT)
    await LinkStore(scope, bob.id).keep_code("h", 600.0)
    await PeopleStore(scope).set_disabled("Bob", disabled=True)
    assert await ClaimStore(scope).claim(ACCOUNT, "h", 1.0) is None
    assert await ClaimStore(scope).owner(ACCOUNT) == ann.id
    await PeopleStore(scope).set_disabled("Bob", disabled=False)
    assert await ClaimStore(scope).claim(ACCOUNT, "h", 1.0) == bob.id


async def test_the_same_number_elsewhere_is_someone_else(scope: Scope, ann: User) -> None:
    await link(scope, ann, ACCOUNT)
    assert await ClaimStore(scope).owner(ChatAccount("telegram", ACCOUNT.id)) is None


async def test_links_come_by_platform_and_time(scope: Scope, ann: User) -> None:
    for platform, number, now in (("telegram", "1", 1.0), ("discord", "2", 9.0), ("discord", "3", 5.0)):
        await link(scope, ann, ChatAccount(platform, number), now)
    assert [known.account.id for known in await LinkStore(scope, ann.id).all()] == ["3", "2", "1"]


async def test_others_links_are_not_there(scope: Scope, ann: User, bob: User) -> None:
    await link(scope, ann, ACCOUNT)
    bobs = LinkStore(scope, bob.id)
    assert await bobs.all() == []
    messages = []
    for platform, number in (("discord", "1001"), ("discord", "999")):
        with pytest.raises(NotFound) as failure:
            await bobs.remove(platform, number)
        messages.append(failure.value.message)
    assert messages[0] == messages[1]
    assert await ClaimStore(scope).owner(ACCOUNT) == ann.id
    await LinkStore(scope, ann.id).remove("discord", "1001")
    assert await ClaimStore(scope).owner(ACCOUNT) is None
