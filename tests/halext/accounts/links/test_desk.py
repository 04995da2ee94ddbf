"""Linking, from the code on one side to the name on the other, on both databases."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from halext.accounts.links import policy
from halext.accounts.links.desk import Links
from halext.accounts.links.types import ChatAccount
from halext.accounts.passwords import Passwords
from halext.accounts.people import People
from halext.accounts.types import LOCAL, Caller, Role
from halext.cluster.memory import MemoryCluster
from halext.errors import Forbidden, HalextError, InvalidInput, NotFound, TooManyRequests
from halext.storage.scope import Scope
from halext.testing.clock import ManualClock

ACCOUNT = ChatAccount("discord", "1001", "ann")
WRONG = "2222-2222"


@dataclass
class Office:
    links: Links
    people: People
    clock: ManualClock
    ann: Caller
    bob: Caller


@pytest.fixture
async def office(scope: Scope) -> Office:
    clock = ManualClock()
    counters = MemoryCluster(clock)
    people = People(scope, passwords=Passwords(time_cost=1, memory_kib=8), counters=counters, clock=clock)
    callers = []
    for name, role in (("Ann", Role.ADMIN), ("Bob", Role.MEMBER)):
        user = await people.add_user(name, role)
        callers.append(Caller(user.name, user.role, "session", user.id))
    return Office(Links(scope, people.caller_of, counters, clock), people, clock, *callers)


async def linked(office: Office, caller: Caller, account: ChatAccount = ACCOUNT) -> Caller:
    return await office.links.claim(account, (await office.links.code(caller)).text)


async def refusal(office: Office, account: ChatAccount, code: str) -> HalextError:
    with pytest.raises(HalextError) as failure:
        await office.links.claim(account, code)
    return failure.value


async def test_a_code_shown_in_a_chat_tells_who_writes_there(office: Office) -> None:
    assert await office.links.caller_for(ACCOUNT) is None
    code = await office.links.code(office.ann)
    assert code.expires_at == office.clock.now() + policy.LIFE_S
    caller = await office.links.claim(ACCOUNT, code.text.lower())
    assert caller == Caller("Ann", Role.ADMIN, "link", office.ann.user_id)
    assert await office.links.caller_for(ChatAccount("discord", "1001", "renamed")) == caller
    (known,) = await office.links.links(office.ann)
    assert (known.account, known.linked_at) == (ACCOUNT, office.clock.now())
    assert await office.links.links(office.bob) == []


async def test_a_code_is_not_on_the_record_nor_in_a_log(office: Office, scope: Scope) -> None:
    code = await office.links.code(office.ann)
    assert code.text not in repr(code)
    async with scope.read() as session:
        rows = (await (await session.connection()).exec_driver_sql("SELECT * FROM link_codes")).all()
    kept = repr(rows)
    assert code.text not in kept
    assert code.text.replace("-", "") not in kept


async def test_wrong_used_and_old_codes_are_refused_in_the_same_words(office: Office) -> None:
    code = await office.links.code(office.ann)
    await office.links.claim(ACCOUNT, code.text)
    old = await office.links.code(office.bob)
    await office.clock.advance(policy.LIFE_S)
    answers = [await refusal(office, ACCOUNT, text) for text in (WRONG, "no code", code.text, old.text)]
    assert {type(answer) for answer in answers} == {Forbidden}
    assert len({answer.message for answer in answers}) == 1


async def test_guessing_from_one_account_ends_soon(office: Office) -> None:
    code = await office.links.code(office.ann)
    answers = [await refusal(office, ACCOUNT, WRONG) for _ in range(policy.GUESSES)]
    assert {type(answer) for answer in answers} == {Forbidden}
    right = await refusal(office, ACCOUNT, code.text)
    assert isinstance(right, TooManyRequests)
    assert right.retry_after_s == policy.GUESS_WINDOW_S
    await office.links.claim(ChatAccount("discord", "7"), code.text)  # others can still link
    await office.clock.advance(policy.GUESS_WINDOW_S)
    await linked(office, office.ann)


async def test_guessing_at_the_same_time_counts_too(office: Office) -> None:
    answers = await asyncio.gather(*(refusal(office, ACCOUNT, WRONG) for _ in range(policy.GUESSES * 3)))
    assert sum(isinstance(answer, Forbidden) for answer in answers) == policy.GUESSES


async def test_many_accounts_do_not_guess_more(office: Office) -> None:
    answers = [
        await refusal(office, ChatAccount("telegram", str(number)), WRONG) for number in range(policy.GUESSES_IN_ALL)
    ]
    assert {type(answer) for answer in answers} == {Forbidden}
    assert isinstance(await refusal(office, ChatAccount("telegram", "new"), WRONG), TooManyRequests)
    assert isinstance(await refusal(office, ACCOUNT, WRONG), Forbidden)  # another platform's door


async def test_right_codes_are_no_guesses(office: Office) -> None:
    for _ in range(policy.GUESSES * 2):
        await linked(office, office.ann)


async def test_what_is_no_chat_account_is_not_looked_up(office: Office) -> None:
    code = await office.links.code(office.ann)
    with pytest.raises(InvalidInput):
        await office.links.claim(ChatAccount("discord", "a/b"), code.text)
    assert (await office.links.claim(ACCOUNT, code.text)).name == "Ann"


async def test_a_code_that_others_read_is_void(office: Office) -> None:
    code = await office.links.code(office.ann)
    await office.links.void("no code at all")
    await office.links.void(f" {code.text} ")
    assert isinstance(await refusal(office, ACCOUNT, code.text), Forbidden)


async def test_an_account_is_one_persons(office: Office) -> None:
    await linked(office, office.ann)
    await linked(office, office.bob)
    caller = await office.links.caller_for(ACCOUNT)
    assert caller is not None
    assert caller.name == "Bob"
    assert await office.links.links(office.ann) == []


async def test_rights_are_those_of_now(office: Office) -> None:
    await linked(office, office.bob)
    await office.people.set_role("Bob", Role.ADMIN)
    caller = await office.links.caller_for(ACCOUNT)
    assert caller is not None
    assert caller.role is Role.ADMIN
    await office.people.set_disabled("Bob", disabled=True)
    assert await office.links.caller_for(ACCOUNT) is None


async def test_who_is_shut_out_gets_no_code_and_their_last_one_is_none(office: Office) -> None:
    code = await office.links.code(office.bob)
    await office.people.set_disabled("Bob", disabled=True)
    assert isinstance(await refusal(office, ACCOUNT, code.text), Forbidden)
    with pytest.raises(Forbidden, match="halext user enable Bob"):
        await office.links.code(office.bob)


async def test_an_ended_link_is_a_strangers(office: Office) -> None:
    await linked(office, office.ann)
    with pytest.raises(NotFound):
        await office.links.unlink(office.bob, "discord", "1001")
    assert await office.links.caller_for(ACCOUNT) is not None
    await office.links.unlink(office.ann, "discord", "1001")
    assert await office.links.caller_for(ACCOUNT) is None


async def test_who_has_no_account_has_no_chat_accounts(office: Office) -> None:
    for attempt in (office.links.code(LOCAL), office.links.links(LOCAL), office.links.unlink(LOCAL, "discord", "1")):
        with pytest.raises(InvalidInput, match="halext user link"):
            await attempt
