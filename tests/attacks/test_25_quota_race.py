"""Fifty requests at the same moment for the last unit of a quota: one gets it, on both databases, over processes."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from halext.accounts.quotas.desk import Quotas
from halext.accounts.quotas.types import Amounts, Measure, Subject
from halext.accounts.types import Caller, Role
from halext.errors import QuotaSpent
from halext.runtime.clock import SystemClock
from halext.storage.scope import Scope
from halext.types import UserId, WorkspaceId
from tests.conftest import Postgres
from tests.web.conftest import MODEL, House

AT_ONCE = 50
ME = Subject("user", "2")
CALLER = Caller("Mia", Role.MEMBER, "token", UserId(2))
NOON = 1_800_014_400.0
CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}
WANTED: list[Amounts] = [
    {Measure.REQUESTS: 1},
    {Measure.IMAGES: 1},
    {Measure.TOKENS: 5_000},
    {Measure.REQUESTS: 1, Measure.TOKENS: 5_000, Measure.GPU_SECONDS: 0},
]


async def noon(session: AsyncSession) -> float:
    """A clock that does not come to the next minute in the middle of a test."""
    return NOON


async def passes(quotas: Quotas, caller: Caller, wanted: Amounts) -> bool:
    try:
        await quotas.reserve(caller, wanted)
    except QuotaSpent:
        return False
    return True


@pytest.mark.parametrize("wanted", WANTED, ids="+".join)
async def test_the_last_unit_is_given_once(scope: Scope, wanted: Amounts) -> None:
    first, second = Quotas(scope, SystemClock(), noon), Quotas(scope, SystemClock(), noon)
    await first.set(ME, dict.fromkeys(Measure, 1))
    racing = [passes((first, second)[number % 2], CALLER, wanted) for number in range(AT_ONCE)]
    assert sum(await asyncio.gather(*racing)) == 1
    for line in await first.standing(CALLER):
        assert line.count.used + line.count.held <= 1


async def test_the_last_unit_of_a_workspace_is_given_to_one_of_many_people(scope: Scope) -> None:
    quotas = Quotas(scope, SystemClock(), noon)
    await quotas.set(Subject("workspace", "7"), {Measure.IMAGES: 1})
    people = [
        Caller(f"p{number}", Role.GUEST, "token", UserId(number), workspace=WorkspaceId(7)) for number in range(20)
    ]
    racing = [passes(quotas, person, {Measure.REQUESTS: 1, Measure.IMAGES: 1}) for person in people]
    assert sum(await asyncio.gather(*racing)) == 1
    left = [(await quotas.standing(person))[0] for person in people]
    assert sorted(line.count.used for line in left) == [0] * 19 + [1], "who was refused has lost nothing of their own"


async def test_settling_and_reserving_race_and_nothing_is_lost(scope: Scope) -> None:
    """Each of 60 takes one of five at a time and gives back what it did not use."""
    quotas = Quotas(scope, SystemClock(), noon)
    await quotas.set(ME, {Measure.IMAGES: 5})
    made = 0

    async def paint(number: int) -> None:
        nonlocal made
        try:
            reservation = await quotas.reserve(CALLER, {Measure.IMAGES: 1})
        except QuotaSpent:
            return
        assert reservation is not None
        is_done = number % 3 == 0
        made += is_done
        reservation.settle({Measure.IMAGES: 1 if is_done else 0})

    await asyncio.gather(*(paint(number) for number in range(60)))
    (line,) = [line for line in await quotas.standing(CALLER) if line.measure is Measure.IMAGES]
    assert (line.count.used, line.count.held) == (made, 0)
    assert made <= 5


async def test_fifty_requests_over_http(house: House) -> None:
    """Through the real door: one answer, and for the others a status that says when to come back."""
    (mia,) = [user for user in await house.app.people.list_users() if user.name == "Mia"]
    await house.app.quotas.set(Subject("user", str(mia.id)), {Measure.TOKENS: 1})
    house.script.hold(0)  # so that all of them come while the first one runs
    async with house.client() as client:
        racing = [
            asyncio.get_running_loop().create_task(client.post("/v1/chat/completions", json=CHAT))
            for _ in range(AT_ONCE)
        ]
        async with asyncio.timeout(30):
            while sum(task.done() for task in racing) < AT_ONCE - 1:
                await asyncio.wait([task for task in racing if not task.done()], return_when="FIRST_COMPLETED")
            house.script.hold(0).set()
            answers = await asyncio.gather(*racing)
    assert Counter(answer.status_code for answer in answers) == {200: 1, 429: AT_ONCE - 1}
    refused = [answer for answer in answers if answer.status_code == 429]
    assert {answer.json()["error"]["code"] for answer in refused} == {"quota_spent"}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in refused)
    assert len(house.script.requests) == 1


RACER = """
import asyncio, sys
from halext.accounts.quotas.desk import Quotas
from halext.accounts.quotas.types import Measure
from halext.accounts.types import Caller, Role
from halext.errors import QuotaSpent
from halext.runtime.clock import SystemClock
from halext.storage.engine import open_database
from halext.storage.scope import Scope

async def main():
    database = open_database(sys.argv[1])
    quotas = Quotas(Scope(database), SystemClock())
    caller = Caller("Mia", Role.MEMBER, "token", 2)

    async def passes():
        try:
            await quotas.reserve(caller, {Measure.IMAGES: 1, Measure.TOKENS: 5000})
        except QuotaSpent:
            return False
        return True

    await quotas.standing(caller)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    print(sum(await asyncio.gather(*(passes() for _ in range(25)))), flush=True)
    await database.close()

asyncio.run(main())
"""


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
async def test_two_processes_on_one_database(scope: Scope, postgres: Postgres) -> None:
    await Quotas(scope, SystemClock()).set(ME, {Measure.IMAGES: 1, Measure.TOKENS: 10_000})
    url = postgres.url(postgres.migrated or "")
    racers = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", RACER, url, stdin=PIPE, stdout=PIPE)
        for _ in range(2)
    ]
    try:
        async with asyncio.timeout(50):
            for racer in racers:
                assert await said(racer) == "ready"
            for racer in racers:
                assert racer.stdin is not None
                racer.stdin.write(b"go\n")
            passed = [int(await said(racer)) for racer in racers]
            assert [await racer.wait() for racer in racers] == [0, 0]
    finally:
        for racer in racers:
            if racer.returncode is None:
                racer.kill()
                await racer.wait()
    assert sum(passed) == 1, passed


async def said(racer: Process) -> str:
    assert racer.stdout is not None
    return (await racer.stdout.readline()).decode().strip()
