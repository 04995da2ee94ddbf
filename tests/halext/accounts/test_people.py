"""The first admin, signing in, accounts and tokens, on both databases."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from halext.accounts.passwords import Passwords
from halext.accounts.people import FIRST_ADMIN_CODE_S, People
from halext.accounts.sessions.policy import SESSION_S
from halext.accounts.types import LOCAL, Caller, Role, User
from halext.cluster.memory import MemoryCluster
from halext.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    HalextError,
    InvalidInput,
    NotFound,
    TooManyRequests,
    Unauthenticated,
)
from halext.storage.scope import Scope
from halext.testing.clock import ManualClock
from halext.types import UserId

PASSWORD = "correct horse battery"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def make_people(scope: Scope, clock: ManualClock) -> People:
    quick = Passwords(time_cost=1, memory_kib=8)
    return People(scope, passwords=quick, counters=MemoryCluster(clock), clock=clock)


@pytest.fixture
def people(scope: Scope, clock: ManualClock) -> People:
    return make_people(scope, clock)


def as_caller(user: User) -> Caller:
    return Caller(user.name, user.role, "session", user.id)


# --- the first admin ---


async def test_the_first_admin_is_made_by_a_one_time_code(people: People) -> None:
    assert not await people.has_admin()
    code = await people.first_admin_code()
    assert code is not None
    user = await people.claim_first_admin(code, "Ada", PASSWORD)
    assert (user.name, user.role) == ("Ada", Role.ADMIN)
    assert await people.has_admin()
    assert await people.first_admin_code() is None
    with pytest.raises(Forbidden):
        await people.claim_first_admin(code, "Eve", PASSWORD)


async def test_a_new_code_replaces_the_older_one(people: People) -> None:
    older, newer = await people.first_admin_code(), await people.first_admin_code()
    assert older
    assert newer
    with pytest.raises(Forbidden):
        await people.claim_first_admin(older, "Ada", PASSWORD)
    await people.claim_first_admin(newer, "Ada", PASSWORD)


async def test_a_code_runs_out(people: People, clock: ManualClock) -> None:
    code = await people.first_admin_code()
    assert code
    await clock.advance(FIRST_ADMIN_CODE_S)
    with pytest.raises(Forbidden):
        await people.claim_first_admin(code, "Ada", PASSWORD)


@pytest.mark.parametrize("code", ["", "hxc_", "hx_" + "a" * 43, "hxc_" + "a" * 43, "\ud800", "x' OR '1'='1"])
async def test_a_made_up_code_is_refused(people: People, code: str) -> None:
    await people.first_admin_code()
    with pytest.raises(Forbidden):
        await people.claim_first_admin(code, "Eve", PASSWORD)


@pytest.mark.parametrize(("name", "password"), [("", PASSWORD), ("Ada", "short"), ("A\u202eda", PASSWORD)])
async def test_a_code_survives_a_name_or_password_that_will_not_do(people: People, name: str, password: str) -> None:
    code = await people.first_admin_code()
    assert code
    with pytest.raises(InvalidInput):
        await people.claim_first_admin(code, name, password)
    await people.claim_first_admin(code, "Ada", PASSWORD)


async def test_of_twenty_claims_at_once_one_wins(people: People) -> None:
    code = await people.first_admin_code()
    assert code

    async def claim(number: int) -> User | HalextError:
        try:
            return await people.claim_first_admin(code, f"claimer-{number}", PASSWORD)
        except HalextError as error:
            return error

    results = await asyncio.gather(*map(claim, range(20)))
    winners = [result for result in results if isinstance(result, User)]
    assert len(winners) == 1
    assert {type(result) for result in results if result not in winners} == {Forbidden}
    assert await people.list_users() == winners


async def test_claims_of_a_code_while_it_is_replaced_make_one_admin(people: People) -> None:
    async def try_to_become_admin(number: int) -> None:
        code = await people.first_admin_code()
        try:
            await people.claim_first_admin(code or "", f"claimer-{number}", PASSWORD)
        except Forbidden:
            return

    await asyncio.gather(*map(try_to_become_admin, range(10)))
    assert len(await people.list_users()) <= 1


# --- signing in and out ---


async def test_a_session_begins_and_ends(people: People) -> None:
    await people.add_user("Ada", Role.MEMBER, PASSWORD)
    session, user = await people.sign_in("ADA ", PASSWORD)
    assert await people.caller_for(session) == Caller("Ada", Role.MEMBER, "session", user.id)
    await people.sign_out(session)
    await people.sign_out(session)
    with pytest.raises(Unauthenticated):
        await people.caller_for(session)


async def test_a_session_runs_out(people: People, clock: ManualClock) -> None:
    await people.add_user("Ada", Role.MEMBER, PASSWORD)
    session, _ = await people.sign_in("Ada", PASSWORD)
    await clock.advance(SESSION_S - 1)
    await people.caller_for(session)
    await clock.advance(1)
    with pytest.raises(Unauthenticated):
        await people.caller_for(session)


async def test_every_wrong_sign_in_looks_the_same(people: People) -> None:
    await people.add_user("Ada", Role.MEMBER, PASSWORD)
    await people.add_user("Bot", Role.MEMBER)
    await people.add_user("Gone", Role.MEMBER, PASSWORD)
    await people.set_disabled("Gone", disabled=True)
    said = set()
    wrong = [("Ada", "wrong"), ("Nobody", PASSWORD), ("Bot", PASSWORD), ("Gone", PASSWORD), ("", ""), ("\0", "\ud800")]
    for name, password in wrong:
        with pytest.raises(Unauthenticated) as caught:
            await people.sign_in(name, password)
        said.add((caught.value.message, caught.value.retry_after_s))
    assert len(said) == 1


async def test_attempts_on_one_account_are_limited(people: People, clock: ManualClock) -> None:
    await people.add_user("Ada", Role.MEMBER, PASSWORD)
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            await people.sign_in("Ada", "wrong")
    with pytest.raises(TooManyRequests) as caught:
        await people.sign_in("ada", PASSWORD)
    assert caught.value.retry_after_s == 60
    await clock.advance(60)
    await people.sign_in("Ada", PASSWORD)


async def test_attempts_from_one_address_are_limited_whatever_the_name(people: People) -> None:
    await people.add_user("Ada", Role.MEMBER, PASSWORD)
    for number in range(5):
        with pytest.raises(Unauthenticated):
            await people.sign_in(f"guess-{number}", "wrong", address=f"2001:db8::{number}")
    with pytest.raises(TooManyRequests):
        await people.sign_in("Ada", PASSWORD, address="2001:db8::ffff")
    await people.sign_in("Ada", PASSWORD, address="2001:db8:0:1::1")


async def test_ones_own_sign_in_does_not_clear_failures_on_other_accounts(people: People) -> None:
    await people.add_user("Eve", Role.MEMBER, PASSWORD)
    for number in range(4):
        with pytest.raises(Unauthenticated):
            await people.sign_in(f"guess-{number}", "wrong", address="192.0.2.1")
        await people.sign_in("Eve", PASSWORD, address="192.0.2.1")
    with pytest.raises(Unauthenticated):
        await people.sign_in("guess", "wrong", address="192.0.2.1")
    with pytest.raises(TooManyRequests):
        await people.sign_in("guess", "wrong", address="192.0.2.1")


async def test_signing_in_often_is_no_failure(people: People) -> None:
    await people.add_user("Ada", Role.MEMBER, PASSWORD)
    for _ in range(10):
        await people.sign_in("Ada", PASSWORD, address="192.0.2.1")


async def test_an_outdated_hash_is_replaced_at_sign_in(people: People, scope: Scope, clock: ManualClock) -> None:
    await people.add_user("Ada", Role.MEMBER, PASSWORD)
    stronger = Passwords(time_cost=2, memory_kib=16)
    later = People(scope, passwords=stronger, counters=MemoryCluster(clock), clock=clock)
    before = await later._people.find("Ada")
    await later.sign_in("Ada", PASSWORD)
    after = await later._people.find("Ada")
    assert before
    assert after
    assert before[1] != after[1]
    await later.sign_in("Ada", PASSWORD)


async def test_a_password_changed_during_a_sign_in_makes_no_session(people: People) -> None:
    await people.add_user("Ada", Role.MEMBER, PASSWORD)
    found = await people._people.find("Ada")
    assert found
    assert found[1]
    await people.set_password("Ada", "another " + PASSWORD)
    is_begun = await people._sessions.begin(found[0], "h", checked=found[1], better=None, now=0, expires_at=1)
    assert not is_begun


# --- accounts ---


@pytest.mark.parametrize("twin", ["ada", "ADA", " Ada ", "\uff21\uff44\uff41"])
async def test_a_name_is_taken_however_it_is_written(people: People, twin: str) -> None:
    await people.add_user("Ada", Role.MEMBER)
    with pytest.raises(AlreadyExists):
        await people.add_user(twin, Role.ADMIN)


async def test_a_look_alike_of_the_admin_is_no_admin(people: People) -> None:
    await people.add_user("scawful", Role.ADMIN)
    for name in ("sсawful", "scawfu1", "root", "admin", "owner"):  # the first with a Cyrillic letter
        await people.add_user(name, Role.MEMBER)
    assert [user.name for user in await people.list_users() if user.role is Role.ADMIN] == ["scawful"]


async def test_the_last_admin_stays(people: People) -> None:
    await people.add_user("Ada", Role.ADMIN)
    with pytest.raises(Conflict, match="last admin"):
        await people.set_role("Ada", Role.MEMBER)
    with pytest.raises(Conflict, match="last admin"):
        await people.set_disabled("Ada", disabled=True)
    await people.add_user("Bob", Role.ADMIN)
    await people.set_disabled("Ada", disabled=True)
    with pytest.raises(Conflict, match="last admin"):
        await people.set_role("Bob", Role.GUEST)
    assert await people.has_admin()


async def test_two_admins_can_not_end_each_other_at_once(people: People) -> None:
    for _ in range(5):
        for name in ("Ada", "Bob"):
            try:
                await people.add_user(name, Role.ADMIN)
            except AlreadyExists:
                await people.set_role(name, Role.ADMIN)
        await asyncio.gather(
            people.set_role("Ada", Role.MEMBER), people.set_role("Bob", Role.MEMBER), return_exceptions=True
        )
        assert await people.has_admin()


async def test_unknown_people_are_not_found(people: People) -> None:
    for change in (
        people.set_role("nobody", Role.ADMIN),
        people.set_disabled("nobody", disabled=True),
        people.set_password("nobody", PASSWORD),
        people.create_token(LOCAL, "t", for_user="nobody"),
    ):
        with pytest.raises(NotFound, match="halext user list"):
            await change


# --- what ends a right ends it at once ---


async def test_a_disabled_account_is_shut_out_at_once(people: People) -> None:
    await people.add_user("Ada", Role.MEMBER, PASSWORD)
    session, _ = await people.sign_in("Ada", PASSWORD)
    token, _ = await people.create_token(LOCAL, "t", for_user="Ada")
    for credential in (session, token):
        await people.caller_for(credential)
    await people.set_disabled("Ada", disabled=True)
    for credential in (session, token):
        with pytest.raises(Unauthenticated):
            await people.caller_for(credential)
    await people.set_disabled("Ada", disabled=False)
    await people.caller_for(token)
    with pytest.raises(Unauthenticated):
        await people.caller_for(session)


async def test_a_new_password_ends_every_session_and_no_other_persons(people: People) -> None:
    await people.add_user("Ada", Role.MEMBER, PASSWORD)
    await people.add_user("Bob", Role.MEMBER, PASSWORD)
    session, _ = await people.sign_in("Ada", PASSWORD)
    other, _ = await people.sign_in("Bob", PASSWORD)
    await people.caller_for(session)
    await people.set_password("Ada", "another " + PASSWORD)
    with pytest.raises(Unauthenticated):
        await people.caller_for(session)
    await people.caller_for(other)
    await people.sign_in("Ada", "another " + PASSWORD)


async def test_a_new_role_counts_at_once(people: People) -> None:
    await people.add_user("Ada", Role.ADMIN)
    await people.add_user("Bob", Role.ADMIN)
    token, _ = await people.create_token(LOCAL, "t", for_user="Bob")
    assert (await people.caller_for(token)).role is Role.ADMIN
    await people.set_role("Bob", Role.MEMBER)
    assert (await people.caller_for(token)).role is Role.MEMBER


async def test_another_process_sees_it_within_a_second(people: People, scope: Scope, clock: ManualClock) -> None:
    user = await people.add_user("Ada", Role.MEMBER)
    token, info = await people.create_token(as_caller(user), "t")
    elsewhere = make_people(scope, clock)
    await elsewhere.caller_for(token)
    await people.revoke_token(as_caller(user), info.id)
    await clock.advance(1)
    with pytest.raises(Unauthenticated):
        await elsewhere.caller_for(token)


async def test_no_secret_is_kept_in_clear(people: People, scope: Scope) -> None:
    code = await people.first_admin_code()
    user = await people.add_user("Ada", Role.MEMBER, PASSWORD)
    session, _ = await people.sign_in("Ada", PASSWORD)
    token, _ = await people.create_token(as_caller(user), "t")
    kept = ""
    async with scope.read() as reading:
        for table in ("users", "sessions", "codes", "tokens"):
            kept += str((await reading.execute(text(f"SELECT * FROM {table}"))).all())
    assert code
    for secret in (PASSWORD, code, session, token):
        assert secret not in kept
        assert secret[10:] not in kept


# --- in someone's name ---


async def test_people_are_callers_by_their_number_while_they_may_come_in(people: People) -> None:
    ada = await people.add_user("Ada", Role.ADMIN)
    bob = await people.add_user("Bob", Role.MEMBER)
    assert await people.caller_of(bob.id) == Caller("Bob", Role.MEMBER, "house", bob.id)
    await people.set_role("Bob", Role.ADMIN)
    assert await people.caller_of(bob.id) == Caller("Bob", Role.ADMIN, "house", bob.id)
    await people.set_disabled("Bob", disabled=True)
    assert await people.caller_of(bob.id) is None
    assert await people.caller_of(ada.id) == Caller("Ada", Role.ADMIN, "house", ada.id)
    assert await people.caller_of(UserId(999)) is None


async def test_wrong_credentials_are_counted_for_a_whole_network_of_one_customer(people: People) -> None:
    for number in range(20):
        await people.count_failure(f"2001:db8::{number:x}")
    with pytest.raises(TooManyRequests) as caught:
        await people.count_failure("2001:db8::ffff")
    assert caught.value.retry_after_s == 60
    await people.count_failure("2001:db8:0:1::1")
