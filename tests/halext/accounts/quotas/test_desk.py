"""Reserve, run, settle: one count for a person, whatever happens on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from halext.accounts.quotas import desk
from halext.accounts.quotas.desk import LEASE_S, RENEW_S, Quotas
from halext.accounts.quotas.store import CountStore, LimitStore
from halext.accounts.quotas.types import Amounts, Measure, Reservation, Subject
from halext.accounts.types import LOCAL, Caller, Role
from halext.errors import DatabaseUnavailable, InvalidInput, QuotaSpent
from halext.storage.scope import Scope
from halext.testing.clock import ManualClock
from halext.types import UserId, WorkspaceId

MIA, TEAM = Subject("user", "2"), Subject("workspace", "7")
CALLER = Caller("Mia", Role.MEMBER, "token", UserId(2))
GUEST = Caller("Gus", Role.GUEST, "link", UserId(3))
NOON = 1_800_014_400.0
ANSWER: Amounts = {Measure.REQUESTS: 1, Measure.TOKENS: 60, Measure.GPU_SECONDS: 0}


class House:
    """Quotas at noon, by the test's clock."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.clock = ManualClock()
        self.quotas = self.another()

    def another(self) -> Quotas:
        """Quotas of another process."""
        start = self.clock.monotonic()

        async def now(session: AsyncSession) -> float:
            return NOON + self.clock.monotonic() - start

        return Quotas(self.scope, self.clock, now)

    async def left(self, measure: Measure, caller: Caller = CALLER) -> float:
        """What the caller has left of it."""
        (found,) = [line for line in await self.quotas.standing(caller) if line.measure is measure]
        assert found.most is not None
        return found.most - found.count.used - found.count.held


@pytest.fixture
def house(scope: Scope) -> House:
    return House(scope)


async def reserved(work: Awaitable[Reservation | None]) -> Reservation:
    found = await work
    assert found is not None
    return found


async def taken(quotas: Quotas) -> bool:
    """Whether there was something left for an answer."""
    try:
        await quotas.reserve(CALLER, ANSWER)
    except QuotaSpent:
        return False
    return True


async def spent(work: Awaitable[Reservation | None]) -> QuotaSpent:
    with pytest.raises(QuotaSpent) as refused:
        await work
    return refused.value


async def test_who_has_no_limit_costs_no_query(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CountStore, "reserve", None)
    assert await house.quotas.reserve(CALLER, ANSWER) is None
    monkeypatch.setattr(LimitStore, "all", None)  # what was read once is known
    assert await house.quotas.reserve(CALLER, ANSWER) is None
    assert await house.quotas.reserve(LOCAL, ANSWER) is None


async def test_an_answer_is_held_and_then_counted(house: House) -> None:
    await house.quotas.set(MIA, {Measure.TOKENS: 100})
    first = await reserved(house.quotas.reserve(CALLER, ANSWER))
    assert await house.left(Measure.TOKENS) == 40
    second = await reserved(house.quotas.reserve(CALLER, ANSWER))
    assert await house.left(Measure.TOKENS) == 0
    refused = await spent(house.quotas.reserve(CALLER, ANSWER))
    assert "promised to requests that still run" in refused.message
    first.settle({Measure.TOKENS: 25.0, Measure.GPU_SECONDS: 3.0})
    first.settle({Measure.TOKENS: 99.0})
    # What has ended counts at once, whether or not it has been written down.
    third = await reserved(house.quotas.reserve(CALLER, ANSWER))
    third.settle({})
    second.settle({Measure.TOKENS: 90.0})
    assert await house.left(Measure.TOKENS) == -15
    assert "spent" in (await spent(house.quotas.reserve(CALLER, ANSWER))).message


async def test_what_is_spent_is_refused_without_a_query_until_there_is_more(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.quotas.set(MIA, {Measure.REQUESTS: 1})
    assert await house.quotas.reserve(CALLER, ANSWER) is None, "there is nothing to settle"
    await spent(house.quotas.reserve(CALLER, ANSWER))
    with monkeypatch.context() as patch:
        patch.setattr(CountStore, "reserve", None)
        refused = await spent(house.quotas.reserve(CALLER, ANSWER))
        assert (refused.status, refused.code) == (429, "quota_spent")
        assert refused.retry_after_s == pytest.approx(60)
    await house.quotas.set(MIA, {Measure.REQUESTS: 2})  # a new limit holds at once
    await house.quotas.reserve(CALLER, ANSWER)
    await spent(house.quotas.reserve(CALLER, ANSWER))
    await house.clock.advance(60)
    await house.quotas.reserve(CALLER, ANSWER)


async def test_memory_for_what_is_spent_is_bounded(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "SPENT_MAX", 2)
    await house.quotas.set(Subject("role", "guest"), {Measure.REQUESTS: 0})
    for number in range(5):
        await spent(house.quotas.reserve(Caller("x", Role.GUEST, "link", UserId(number)), ANSWER))
    assert len(house.quotas._spent) == 2


async def test_workspace_and_person_both_count_and_either_may_refuse(house: House) -> None:
    caller = Caller("Mia", Role.MEMBER, "token", UserId(2), workspace=WorkspaceId(7))
    other = Caller("Ada", Role.ADMIN, "session", UserId(1), workspace=WorkspaceId(7))
    await house.quotas.set(MIA, {Measure.TOKENS: 1_000})
    await house.quotas.set(TEAM, {Measure.TOKENS: 100})
    first = await reserved(house.quotas.reserve(caller, ANSWER))
    (await reserved(house.quotas.reserve(other, ANSWER))).settle({Measure.TOKENS: 40.0})
    first.settle({Measure.TOKENS: 60.0})
    for who in (caller, other):
        assert (await spent(house.quotas.reserve(who, ANSWER))).message.startswith("The workspace's 100 tokens")
    assert await house.left(Measure.TOKENS) == 940, "what was refused took nothing"
    kinds = [line.subject and line.subject.kind for line in await house.quotas.standing(caller)]
    assert kinds == ["user"] * 4 + ["workspace"] * 4


async def test_guests_have_little_until_told_otherwise(house: House) -> None:
    for _ in range(10):
        (await reserved(house.quotas.reserve(GUEST, ANSWER))).settle({})
    await spent(house.quotas.reserve(GUEST, ANSWER))
    await house.quotas.set(Subject("role", "guest"), dict.fromkeys(Measure))
    assert await house.quotas.reserve(GUEST, ANSWER) is None
    await house.quotas.clear(Subject("role", "guest"))
    await spent(house.quotas.reserve(GUEST, ANSWER))
    with pytest.raises(InvalidInput):
        await house.quotas.set(Subject("role", "guest"), {Measure.TOKENS: -1})
    assert await house.quotas.set_limits() == {}


async def test_standing_of_those_without_a_limit(house: House) -> None:
    for caller in (LOCAL, CALLER):
        assert [(line.measure, line.most) for line in await house.quotas.standing(caller)] == [
            (measure, None) for measure in Measure
        ]


async def test_what_a_dead_process_held_comes_back_when_it_is_missed(house: House) -> None:
    await house.quotas.set(MIA, {Measure.TOKENS: 60})
    dead, other = house.another(), house.another()
    await reserved(dead.reserve(CALLER, ANSWER))
    await spent(other.reserve(CALLER, ANSWER))
    await house.clock.advance(LEASE_S)
    await reserved(other.reserve(CALLER, ANSWER))


async def test_what_runs_for_long_keeps_its_reservation(house: House) -> None:
    await house.quotas.set(MIA, {Measure.TOKENS: 60})
    running = asyncio.get_running_loop().create_task(house.quotas.run())
    reservation = await reserved(house.quotas.reserve(CALLER, ANSWER))
    other = house.another()
    for _ in range(int(3 * LEASE_S / RENEW_S)):
        await house.clock.advance(RENEW_S)
        await house.quotas.tick()  # what `run` does by itself; its end can be seen here
    await spent(other.reserve(CALLER, ANSWER))
    reservation.settle({Measure.TOKENS: 1.0})
    async with asyncio.timeout(10):
        while not await taken(other):  # written down without being asked
            pass
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_whoever_leaves_in_the_middle_leaves_nothing_held(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await house.quotas.set(MIA, {Measure.TOKENS: 60})
    whole = CountStore.reserve
    for is_made in (True, False):

        async def reserve(*args: object, is_made: bool = is_made) -> None:
            if is_made:
                await whole(*args)  # type: ignore[arg-type]
            raise asyncio.CancelledError

        with monkeypatch.context() as patch:
            patch.setattr(CountStore, "reserve", reserve)
            with pytest.raises(asyncio.CancelledError):
                await house.quotas.reserve(CALLER, ANSWER)
        assert await house.left(Measure.TOKENS) == 60


async def test_a_bad_moment_of_the_database_loses_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await house.quotas.set(MIA, {Measure.TOKENS: 60})
    reservation = await reserved(house.quotas.reserve(CALLER, ANSWER))

    async def away(*_: object) -> None:
        raise DatabaseUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(CountStore, "settle", away)
        reservation.settle({Measure.TOKENS: 10.0})
        with pytest.raises(DatabaseUnavailable):
            await house.quotas.flush()
        patch.setattr(CountStore, "reserve", away)
        patch.setattr(desk, "UNSURE_MAX", 3)
        for _ in range(5):
            with pytest.raises(DatabaseUnavailable):
                await house.quotas.reserve(CALLER, ANSWER)
        assert len(house.quotas._ended) == 3
    assert await house.left(Measure.TOKENS) == 50
