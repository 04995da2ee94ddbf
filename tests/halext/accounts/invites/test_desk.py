"""Inviting and coming by an invite."""

from __future__ import annotations

import pytest

from halext.accounts import tokens
from halext.accounts.invites.desk import Invites
from halext.accounts.invites.policy import GUESS_WINDOW_S, GUESSES, LIFE_S
from halext.accounts.passwords import Passwords
from halext.accounts.store import PeopleStore
from halext.accounts.types import LOCAL, Caller, Permission, Role, User
from halext.cluster.memory import MemoryCluster
from halext.errors import AlreadyExists, Forbidden, InvalidInput, TooManyRequests
from halext.storage.scope import Scope
from halext.testing.clock import ManualClock

PASSWORD = "correct horse battery"


class CountedPasswords(Passwords):
    """Counts the costly work."""

    hashed = 0

    async def hash(self, password: str) -> str:
        self.hashed += 1
        return await super().hash(password)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def passwords() -> CountedPasswords:
    return CountedPasswords(time_cost=1, memory_kib=8)


@pytest.fixture
def invites(scope: Scope, passwords: Passwords, clock: ManualClock) -> Invites:
    return Invites(scope, passwords=passwords, counters=MemoryCluster(clock), clock=clock)


@pytest.fixture
async def ada(scope: Scope) -> Caller:
    return as_caller(await PeopleStore(scope).add("Ada", Role.ADMIN, None, 1.0))


def as_caller(user: User) -> Caller:
    return Caller(user.name, user.role, "session", user.id)


async def test_whoever_has_the_link_chooses_name_and_password(
    invites: Invites, ada: Caller, clock: ManualClock
) -> None:
    made = await invites.make(ada, Role.GUEST, " for\nBob ")
    assert tokens.purpose_of(made.code) == "invite"
    assert made.code not in repr(made)
    assert (made.invite.note, made.invite.maker, made.invite.role) == ("for Bob", "Ada", Role.GUEST)
    assert made.invite.expires_at == clock.now() + LIFE_S
    assert await invites.all(ada) == [made.invite]
    user = await invites.claim(made.code, " Bob ", PASSWORD, address="192.0.2.1")
    assert (user.name, user.role) == ("Bob", Role.GUEST)
    with pytest.raises(Forbidden, match="used or has ended"):
        await invites.claim(made.code, "Eve", PASSWORD)


async def test_only_who_manages_people_invites(invites: Invites, ada: Caller) -> None:
    few = Caller("Ada", Role.ADMIN, "token", ada.user_id, scopes=frozenset({Permission.MANAGE_PEOPLE}))
    await invites.make(few, Role.MEMBER)
    with pytest.raises(Forbidden, match="makes someone admin"):
        await invites.make(few, Role.ADMIN)  # who may less than an admin makes none
    for caller in (Caller("Mia", Role.MEMBER, "session"), Caller("A", Role.ADMIN, "token", scopes=frozenset())):
        for attempt in (invites.make(caller, Role.GUEST), invites.all(caller), invites.end(caller, 1)):
            with pytest.raises(Forbidden):
                await attempt


async def test_a_name_or_password_that_will_not_do_uses_nothing_up(invites: Invites, ada: Caller) -> None:
    made = await invites.make(LOCAL, Role.MEMBER)
    with pytest.raises(InvalidInput):
        await invites.claim(made.code, "Bob", "short")
    with pytest.raises(AlreadyExists):
        await invites.claim(made.code, "ada", PASSWORD)
    assert (await invites.claim(made.code, "Bob", PASSWORD)).name == "Bob"


async def test_an_ended_invite_opens_nothing(invites: Invites, ada: Caller) -> None:
    made = await invites.make(ada, Role.MEMBER)
    await invites.end(ada, made.invite.id)
    with pytest.raises(Forbidden):
        await invites.claim(made.code, "Bob", PASSWORD)


@pytest.mark.parametrize("code", ["", "hxi_", "hxc_" + "a" * 43, "hxi_" + "a" * 43, "\ud800", "x' OR '1'='1"])
async def test_a_made_up_code_costs_no_hash_and_says_nothing(
    invites: Invites, passwords: CountedPasswords, ada: Caller, code: str
) -> None:
    await invites.make(ada, Role.MEMBER)
    with pytest.raises(Forbidden, match="used or has ended"):
        await invites.claim(code, "Bob", PASSWORD)
    assert passwords.hashed == 0


async def test_guessing_is_limited_by_address(invites: Invites, ada: Caller, clock: ManualClock) -> None:
    made = await invites.make(ada, Role.MEMBER)
    for number in range(GUESSES):
        with pytest.raises(Forbidden):
            await invites.claim("hxi_" + "a" * 43, "Bob", PASSWORD, address=f"2001:db8::{number}")
    with pytest.raises(TooManyRequests):
        await invites.claim(made.code, "Bob", PASSWORD, address="2001:db8::ffff")
    await clock.advance(GUESS_WINDOW_S)
    await invites.claim(made.code, "Bob", PASSWORD, address="2001:db8::ffff")


async def test_right_codes_are_not_counted(invites: Invites, ada: Caller) -> None:
    for number in range(GUESSES + 2):
        made = await invites.make(ada, Role.MEMBER)
        await invites.claim(made.code, f"Bob {number}", PASSWORD, address="192.0.2.1")
