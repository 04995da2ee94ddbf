"""One's own sign-ins, one's own password, and JWTs made from either, on both databases."""

from __future__ import annotations

import pytest

from halext.accounts import jwts, policy
from halext.accounts.passwords import Passwords
from halext.accounts.people import People
from halext.accounts.sessions.policy import STEP_S
from halext.accounts.types import LOCAL, Caller, Permission, Role
from halext.cluster.memory import MemoryCluster
from halext.errors import Forbidden, InvalidInput, NotFound, TooManyRequests, Unauthenticated
from halext.storage.scope import Scope
from halext.testing.clock import ManualClock

PASSWORD = "correct horse battery"
NEW = "staple " + PASSWORD
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def people(scope: Scope, clock: ManualClock) -> People:
    quick = Passwords(time_cost=1, memory_kib=8)
    made = People(scope, passwords=quick, counters=MemoryCluster(clock), clock=clock, signing_keys=[bytes(range(32))])
    await made.add_user("Ada", Role.MEMBER, PASSWORD)
    return made


async def sign_in(people: People, password: str = PASSWORD) -> tuple[str, Caller]:
    session, _ = await people.sign_in("Ada", password, address="192.0.2.1", user_agent=FIREFOX)
    return session, await people.caller_for(session)


async def test_sign_ins_tell_when_from_where_and_with_what(people: People, clock: ManualClock) -> None:
    session, caller = await sign_in(people)
    begun = clock.now()
    await clock.advance(2 * STEP_S)
    await people.caller_for(session)
    await people.flush()
    (mine,) = await people.sessions(caller)
    assert (mine.created_at, mine.id) == (begun, caller.session)
    assert (mine.origin.address, mine.origin.agent) == ("192.0.2.1", "Firefox on Linux")
    assert mine.used_at is not None
    assert 0 <= clock.now() - mine.used_at < STEP_S


async def test_one_or_all_can_be_ended(people: People) -> None:
    (first, caller), (second, other) = await sign_in(people), await sign_in(people)
    assert other.session is not None
    await people.end_session(caller, other.session)
    with pytest.raises(Unauthenticated):
        await people.caller_for(second)
    with pytest.raises(NotFound):
        await people.end_session(caller, other.session)
    await people.sign_out_everywhere(caller)
    with pytest.raises(Unauthenticated):
        await people.caller_for(first)


async def test_an_admin_signs_someone_out(people: People) -> None:
    session, _ = await sign_in(people)
    assert (await people.sign_out_user("ada")).name == "Ada"
    with pytest.raises(Unauthenticated):
        await people.caller_for(session)
    with pytest.raises(NotFound):
        await people.sign_out_user("nobody")


async def test_who_has_no_account_has_no_sign_ins(people: People) -> None:
    for attempt in (people.sessions(LOCAL), people.sign_out_everywhere(LOCAL), people.end_session(LOCAL, 1)):
        with pytest.raises(InvalidInput):
            await attempt


# --- one's own password ---


async def test_a_new_password_ends_all_other_sign_ins(people: People, clock: ManualClock) -> None:
    (kept, caller), (other, _) = await sign_in(people), await sign_in(people)
    await clock.advance(policy.FRESH_S + 1)
    jwt, _ = await people.access_token(kept)
    await clock.advance(1)
    await people.change_password(caller, PASSWORD, NEW)
    renewed = await people.caller_for(kept)
    assert renewed.signed_in_at == clock.now()
    assert policy.is_fresh(renewed, Permission.ACCOUNT, clock.now())
    for ended in (other, jwt):
        with pytest.raises(Unauthenticated):
            await people.caller_for(ended)
    await sign_in(people, NEW)
    with pytest.raises(Unauthenticated):
        await sign_in(people)


@pytest.mark.parametrize("password", ["short", "x" * 2000])
async def test_a_password_that_will_not_do(people: People, password: str) -> None:
    _, caller = await sign_in(people)
    with pytest.raises(InvalidInput):
        await people.change_password(caller, PASSWORD, password)
    await sign_in(people)


async def test_the_current_password_can_not_be_guessed(people: People, clock: ManualClock) -> None:
    session, caller = await sign_in(people)
    for _ in range(policy.SIGN_IN_FAILURES):
        with pytest.raises(Forbidden, match="current password"):
            await people.change_password(caller, "wrong", NEW)
    with pytest.raises(TooManyRequests):
        await people.change_password(caller, PASSWORD, NEW)
    await people.caller_for(session)
    await sign_in(people)  # who guesses does not shut the owner out
    await clock.advance(policy.SIGN_IN_WINDOW_S)
    await people.change_password(caller, PASSWORD, NEW)


async def test_who_has_no_password_sets_none(people: People) -> None:
    await people.add_user("Robot", Role.MEMBER)
    token, _ = await people.create_token(LOCAL, "t", for_user="Robot", scopes=["all"])
    with pytest.raises(Forbidden):
        await people.change_password(await people.caller_for(token), "", NEW)


# --- JWTs ---


async def test_a_jwt_of_a_sign_in_is_its_person_for_a_quarter_of_an_hour(people: People, clock: ManualClock) -> None:
    session, caller = await sign_in(people)
    jwt, expires_at = await people.access_token(session)
    assert expires_at == clock.now() + jwts.LIFE_S
    found = await people.caller_for(jwt)
    assert found == Caller("Ada", Role.MEMBER, "jwt", caller.user_id)
    assert (found.session, found.signed_in_at) == (caller.session, caller.signed_in_at)
    await clock.advance(jwts.LIFE_S + jwts.LEEWAY_S)
    with pytest.raises(Unauthenticated):
        await people.caller_for(jwt)


async def test_a_jwt_never_has_more_than_what_it_was_made_from(people: People) -> None:
    token, _ = await people.create_token(LOCAL, "t", for_user="Ada", scopes=["use"])
    for asked, rights in ((None, {Permission.USE}), (["use"], {Permission.USE})):
        jwt, _ = await people.access_token(token, asked)
        assert policy.rights(await people.caller_for(jwt)) == rights
    for wrong in (["own"], ["use", "manage-nodes"]):
        with pytest.raises(Forbidden):
            await people.access_token(token, wrong)
    for none in ([], ["fly"]):
        with pytest.raises(InvalidInput):
            await people.access_token(token, none)


async def test_a_jwt_makes_no_other_one(people: People) -> None:
    session, _ = await sign_in(people)
    jwt, _ = await people.access_token(session)
    with pytest.raises(Forbidden):
        await people.access_token(jwt)


@pytest.mark.parametrize("credential", ["", "hx_" + "a" * 43, "hxs_" + "a" * 43, "hxc_" + "a" * 43])
async def test_nothing_makes_no_jwt(people: People, credential: str) -> None:
    with pytest.raises(Unauthenticated):
        await people.access_token(credential)


async def test_signing_out_with_a_jwt_ends_the_sign_in_behind_it(people: People) -> None:
    session, _ = await sign_in(people)
    jwt, _ = await people.access_token(session)
    await people.sign_out(jwt)
    for ended in (session, jwt):
        with pytest.raises(Unauthenticated):
            await people.caller_for(ended)


async def test_signing_out_with_a_tokens_jwt_ends_nothing(people: People) -> None:
    token, _ = await people.create_token(LOCAL, "t", for_user="Ada")
    jwt, _ = await people.access_token(token)
    await people.sign_out(jwt)
    assert (await people.caller_for(jwt)).name == "Ada"


async def test_a_sign_in_for_a_jwt_alone_lives_no_longer(people: People, clock: ManualClock) -> None:
    session, _ = await people.sign_in("Ada", PASSWORD, for_jwt=True)
    jwt, _ = await people.access_token(session)
    await clock.advance(jwts.LIFE_S)
    for ended in (session, jwt):
        with pytest.raises(Unauthenticated):
            await people.caller_for(ended)


async def test_another_house_signs_nothing_for_this_one(people: People, scope: Scope, clock: ManualClock) -> None:
    other = People(scope, passwords=Passwords(time_cost=1, memory_kib=8), counters=MemoryCluster(clock), clock=clock)
    session, _ = await sign_in(people)
    jwt, _ = await other.access_token(session)
    with pytest.raises(Unauthenticated):
        await people.caller_for(jwt)
