"""A credential that goes on working after it was ended, here or in another process on the same database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx
import pytest

from halext.accounts import policy
from halext.accounts.callers import CACHE_S
from halext.accounts.passwords import Passwords
from halext.accounts.people import People
from halext.accounts.types import LOCAL, Permission, Role
from halext.cluster.memory import MemoryCluster
from halext.errors import Unauthenticated
from halext.runtime.control import LocalControl
from halext.runtime.shapes import SetDisabled
from halext.runtime.verbs.people import set_disabled
from halext.storage.scope import Scope
from halext.testing.clock import ManualClock
from tests.web.conftest import House

PASSWORD = "correct horse battery"
SESSION_KINDS = {"session", "jwt of a session"}
TOKEN_KINDS = {"token", "jwt of a token"}
EVERY_KIND = SESSION_KINDS | TOKEN_KINDS


@dataclass
class Town:
    """Two processes on one database, and what Ada can come in with."""

    here: People
    there: People
    clock: ManualClock
    held: dict[str, str]
    token_id: int

    async def good(self, process: People) -> set[str]:
        """The kinds that let Ada into a process."""
        found = set()
        for kind, credential in self.held.items():
            try:
                await process.caller_for(credential)
            except Unauthenticated:
                continue
            found.add(kind)
        return found


@pytest.fixture
async def town(scope: Scope) -> Town:
    clock = ManualClock()

    def process() -> People:
        quick = Passwords(time_cost=1, memory_kib=8)
        keys = [bytes(range(32))]
        return People(scope, passwords=quick, counters=MemoryCluster(clock), clock=clock, signing_keys=keys)

    here, there = process(), process()
    await here.add_user("Boss", Role.ADMIN, PASSWORD)
    await here.add_user("Ada", Role.ADMIN, PASSWORD)
    session, _ = await here.sign_in("Ada", PASSWORD)
    token, info = await here.create_token(LOCAL, "t", for_user="Ada", scopes=["all"])
    held = {
        "session": session,
        "jwt of a session": (await here.access_token(session))[0],
        "token": token,
        "jwt of a token": (await here.access_token(token))[0],
    }
    town = Town(here, there, clock, held, info.id)
    assert await town.good(here) == await town.good(there) == EVERY_KIND
    return town


async def sign_out(town: Town) -> None:
    await town.here.sign_out(town.held["session"])


async def sign_out_by_jwt(town: Town) -> None:
    await town.here.sign_out(town.held["jwt of a session"])


async def sign_out_everywhere(town: Town) -> None:
    await town.here.sign_out_everywhere(await town.here.caller_for(town.held["token"]))


async def be_signed_out(town: Town) -> None:
    await town.here.sign_out_user("Ada")


async def end_it(town: Town) -> None:
    caller = await town.here.caller_for(town.held["session"])
    await town.here.end_session(caller, caller.session or 0)


async def change_password(town: Town) -> None:
    session, _ = await town.here.sign_in("Ada", PASSWORD)
    await town.here.change_password(await town.here.caller_for(session), PASSWORD, "another " + PASSWORD)


async def get_another_password(town: Town) -> None:
    await town.here.set_password("Ada", "another " + PASSWORD)


async def be_shut_out(town: Town) -> None:
    await town.here.set_disabled("Ada", disabled=True)


async def revoke(town: Town) -> None:
    await town.here.revoke_token(LOCAL, town.token_id)


@pytest.mark.parametrize(
    ("event", "ended"),
    [
        (sign_out, SESSION_KINDS),
        (sign_out_by_jwt, SESSION_KINDS),
        (sign_out_everywhere, SESSION_KINDS),
        (be_signed_out, SESSION_KINDS),
        (end_it, SESSION_KINDS),
        (change_password, SESSION_KINDS),
        (get_another_password, SESSION_KINDS),
        (be_shut_out, EVERY_KIND),
        (revoke, TOKEN_KINDS),
    ],
)
async def test_what_is_ended_here_ends_there_within_a_second(
    town: Town, event: Callable[[Town], Awaitable[None]], ended: set[str]
) -> None:
    await event(town)
    assert await town.good(town.here) == EVERY_KIND - ended
    await town.clock.advance(CACHE_S)
    assert await town.good(town.there) == EVERY_KIND - ended
    assert CACHE_S <= 1.0


async def test_a_lost_role_is_lost_in_every_process_and_with_every_credential(town: Town) -> None:
    await town.here.set_role("Ada", Role.MEMBER)
    await town.clock.advance(CACHE_S)
    for process in (town.here, town.there):
        for credential in town.held.values():
            caller = await process.caller_for(credential)
            assert not any(policy.allowed(caller, right) for right in Permission if right.startswith("manage"))


async def test_being_let_in_again_brings_no_sign_in_back(town: Town) -> None:
    await town.here.set_disabled("Ada", disabled=True)
    await town.here.set_disabled("Ada", disabled=False)
    await town.clock.advance(CACHE_S)
    assert await town.good(town.there) == TOKEN_KINDS


async def test_a_jwt_is_not_brought_back_by_the_next_sign_in(town: Town) -> None:
    await town.here.sign_out(town.held["session"])
    await town.here.sign_in("Ada", PASSWORD)  # SQLite may give its row the number of the one that has gone
    assert await town.good(town.here) == TOKEN_KINDS


async def test_the_sign_in_that_changed_the_password_stays_but_no_jwt_of_it(town: Town) -> None:
    await town.clock.advance(5)
    caller = await town.here.caller_for(town.held["session"])
    await town.here.change_password(caller, PASSWORD, "another " + PASSWORD)
    await town.clock.advance(CACHE_S)
    assert await town.good(town.there) == EVERY_KIND - {"jwt of a session"}


async def test_an_answer_that_runs_ends_with_being_shut_out(house: House, member: httpx.AsyncClient) -> None:
    """Neither the model goes on working for someone who is shut out, nor does their stream tell more."""
    house.script.hold(1)
    answer = (await member.post("/hx/conversations", json={"text": "hi"})).json()["answer"]
    await house.script.began.wait()
    async with asyncio.timeout(10), member.stream("GET", f"/hx/answers/{answer}") as stream:
        lines = stream.aiter_lines()
        assert await anext(lines)
        await LocalControl(house.app, LOCAL).call(set_disabled, SetDisabled(name="Mia", disabled=True))
        assert "event: done" in [line async for line in lines]
    await house.script.closed.wait()
    assert (await member.get("/hx/me")).status_code == 401
