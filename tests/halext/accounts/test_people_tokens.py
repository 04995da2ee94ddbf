"""API tokens, on both databases: whose they are, who reaches them, when they end."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text

from halext.accounts import policy
from halext.accounts.passwords import Passwords
from halext.accounts.people import People
from halext.accounts.types import LOCAL, Caller, Permission, Role, User
from halext.cluster.memory import MemoryCluster
from halext.errors import Forbidden, InvalidInput, NotFound, SignInAgain, Unauthenticated
from halext.storage.scope import Scope
from halext.testing.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def people(scope: Scope, clock: ManualClock) -> People:
    return People(scope, passwords=Passwords(time_cost=1, memory_kib=8), counters=MemoryCluster(clock), clock=clock)


def as_caller(user: User) -> Caller:
    return Caller(user.name, user.role, "session", user.id)


async def test_a_token_is_shown_once_and_works(people: People) -> None:
    user = await people.add_user("Ada", Role.MEMBER)
    token, info = await people.create_token(as_caller(user), "notebook")
    assert token.startswith("hx_")
    assert token.startswith(info.hint)
    assert len(info.hint) <= 8
    scopes = frozenset({Permission.USE, Permission.OWN})
    assert await people.caller_for(token) == Caller("Ada", Role.MEMBER, "token", user.id, scopes=scopes)
    assert await people.list_tokens(as_caller(user)) == [info]
    assert info.scopes == scopes


async def test_a_token_runs_out(people: People, clock: ManualClock) -> None:
    user = await people.add_user("Ada", Role.MEMBER)
    token, info = await people.create_token(as_caller(user), "t", 3600)
    assert info.expires_at == clock.now() + 3600
    await people.caller_for(token)
    await clock.advance(3600)
    with pytest.raises(Unauthenticated):
        await people.caller_for(token)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
async def test_a_senseless_time_is_refused(people: People, seconds: float) -> None:
    user = await people.add_user("Ada", Role.MEMBER)
    with pytest.raises(InvalidInput):
        await people.create_token(as_caller(user), "t", seconds)


async def test_anothers_token_looks_like_none(people: People) -> None:
    ada = await people.add_user("Ada", Role.MEMBER)
    eve = await people.add_user("Eve", Role.MEMBER)
    token, info = await people.create_token(as_caller(ada), "t")
    said = []
    for token_id in (info.id, info.id + 1000):
        with pytest.raises(NotFound) as caught:
            await people.revoke_token(as_caller(eve), token_id)
        said.append(caught.value.message)
    assert said[0] == said[1]
    await people.caller_for(token)
    assert await people.list_tokens(as_caller(eve)) == []
    with pytest.raises(Forbidden):
        await people.list_tokens(as_caller(eve), everyone=True)
    for whose in ("Ada", "nobody"):
        with pytest.raises(Forbidden):
            await people.create_token(as_caller(eve), "t", for_user=whose)


async def test_an_admin_and_the_owner_of_the_machine_reach_all_tokens(people: People, clock: ManualClock) -> None:
    ada = await people.add_user("Ada", Role.MEMBER)
    boss = await people.add_user("Boss", Role.ADMIN)
    _, first = await people.create_token(as_caller(ada), "first")
    fresh = replace(as_caller(boss), signed_in_at=clock.now())
    _, second = await people.create_token(fresh, "second", for_user="ada")
    assert second.owner == "Ada"
    assert await people.list_tokens(LOCAL) == [second, first]
    assert await people.list_tokens(as_caller(boss)) == []
    assert await people.list_tokens(as_caller(boss), everyone=True) == [second, first]
    await people.revoke_token(as_caller(boss), first.id)
    await people.revoke_token(LOCAL, second.id)
    assert await people.list_tokens(LOCAL) == []


async def test_the_owner_of_the_machine_says_whose_token_it_is(people: People) -> None:
    with pytest.raises(InvalidInput, match="--user"):
        await people.create_token(LOCAL, "t")


async def test_the_id_of_a_revoked_token_is_not_given_again(people: People) -> None:
    ada = as_caller(await people.add_user("Ada", Role.MEMBER))
    _, first = await people.create_token(ada, "first")
    await people.revoke_token(ada, first.id)
    _, second = await people.create_token(ada, "second")
    assert second.id != first.id


async def test_the_last_use_is_written_down(people: People, clock: ManualClock) -> None:
    ada = as_caller(await people.add_user("Ada", Role.MEMBER))
    token, info = await people.create_token(ada, "t")
    assert info.last_used_at is None
    await people.caller_for(token)
    await clock.advance(5)
    await people.caller_for(token)
    await people.flush()
    assert [info.last_used_at for info in await people.list_tokens(ada)] == [clock.now()]


async def test_a_token_carries_what_it_was_given(people: People) -> None:
    ada = as_caller(await people.add_user("Ada", Role.ADMIN))
    for scopes, rights in (
        (["manage-nodes"], {Permission.MANAGE_NODES}),
        (["all"], None),
        (None, {Permission.USE, Permission.OWN}),
    ):
        token, info = await people.create_token(LOCAL, "t", for_user="Ada", scopes=scopes)
        assert (await people.caller_for(token)).scopes == info.scopes == rights
    assert [info.scopes for info in await people.list_tokens(ada)][1] is None
    with pytest.raises(SignInAgain):
        await people.create_token(ada, "t", scopes=["manage-nodes"])


async def test_the_owners_role_bounds_every_token(people: People) -> None:
    await people.add_user("Boss", Role.ADMIN)
    await people.add_user("Ada", Role.ADMIN)
    token, _ = await people.create_token(LOCAL, "t", for_user="Ada", scopes=["all"])
    assert policy.allowed(await people.caller_for(token), Permission.MANAGE_NODES)
    await people.set_role("Ada", Role.MEMBER)
    assert not policy.allowed(await people.caller_for(token), Permission.MANAGE_NODES)


async def test_a_token_from_before_scopes_has_all_rights(people: People, scope: Scope) -> None:
    await people.add_user("Ada", Role.MEMBER)
    token, _ = await people.create_token(LOCAL, "t", for_user="Ada")
    async with scope.write() as session:
        await session.execute(text("UPDATE tokens SET scopes = NULL"))
    assert (await people.caller_for(token)).scopes is None


async def test_a_right_of_another_version_is_none_here(people: People, scope: Scope) -> None:
    await people.add_user("Ada", Role.MEMBER)
    token, _ = await people.create_token(LOCAL, "t", for_user="Ada")
    async with scope.write() as session:
        await session.execute(text("UPDATE tokens SET scopes = 'use fly'"))
    assert (await people.caller_for(token)).scopes == frozenset({Permission.USE})


async def test_a_token_for_someone_else_takes_a_new_sign_in(people: People, clock: ManualClock) -> None:
    """A browser that was left open must not open another person's conversations."""
    await people.add_user("Boss", Role.ADMIN, "correct horse battery")
    await people.add_user("Mia", Role.MEMBER)
    session, _ = await people.sign_in("Boss", "correct horse battery")
    boss = await people.caller_for(session)
    await people.create_token(boss, "t", for_user="Mia")
    await clock.advance(3601)
    with pytest.raises(SignInAgain):
        await people.create_token(boss, "t", for_user="Mia")
    await people.create_token(boss, "mine")
