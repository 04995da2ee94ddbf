"""Counts on both databases: exact whoever else counts at the same moment, settled once, given back by time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from halext.accounts.quotas.store import CountStore, LimitStore, Refused
from halext.accounts.quotas.types import Claim, Count, Measure, Subject
from halext.storage.scope import Scope

MIA, TEAM = Subject("user", "2"), Subject("workspace", "1")
NOON = 1_800_014_400.0
"""Some day, at noon UTC."""
LEASE_S = 120.0


@dataclass
class Watch:
    """The database's clock, as the test sets it."""

    now: float = NOON

    async def __call__(self, session: AsyncSession) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def store(scope: Scope, watch: Watch) -> CountStore:
    return CountStore(scope, watch)


def tokens(wanted: float, most: int = 100, whose: Subject = MIA) -> Claim:
    return Claim(whose, Measure.TOKENS, most, wanted, 1.0)


def images(wanted: float, most: int = 5) -> Claim:
    return Claim(MIA, Measure.IMAGES, most, wanted, wanted)


def request(most: int = 2) -> Claim:
    return Claim(MIA, Measure.REQUESTS, most, 1, 1)


def gpu(most: int = 10) -> Claim:
    return Claim(MIA, Measure.GPU_SECONDS, most, 0, 0.001)


async def count(store: CountStore, measure: Measure, whose: Subject = MIA) -> tuple[float, float]:
    _, found = await store.counts([(whose, measure)])
    return found[whose, measure].used, found[whose, measure].held


async def is_taken(store: CountStore, name: str, *claims: Claim) -> bool:
    try:
        await store.reserve(name, claims, LEASE_S)
    except Refused:
        return False
    return True


async def test_limits_are_set_one_by_one_and_forgotten_together(scope: Scope) -> None:
    store = LimitStore(scope)
    await store.set(MIA, {Measure.TOKENS: 10, Measure.IMAGES: None})
    await store.set(TEAM, {Measure.TOKENS: 3})
    await store.set(MIA, {Measure.TOKENS: 20, Measure.REQUESTS: 0})
    mine = {Measure.TOKENS: 20, Measure.IMAGES: None, Measure.REQUESTS: 0}
    assert await store.all() == {MIA: mine, TEAM: {Measure.TOKENS: 3}}
    await store.clear(MIA)
    assert await store.all() == {TEAM: {Measure.TOKENS: 3}}


async def test_what_is_held_is_settled_with_what_was_used(store: CountStore) -> None:
    await store.reserve("a", [tokens(60), images(2), request(), gpu()], LEASE_S)
    assert await count(store, Measure.TOKENS) == (0, 60)
    assert await count(store, Measure.IMAGES) == (0, 2)
    assert await count(store, Measure.REQUESTS) == (1, 0)
    spent = {Measure.TOKENS: 33.0, Measure.IMAGES: 1.0, Measure.GPU_SECONDS: 2.5, Measure.REQUESTS: 9.0}
    for _ in range(2):  # the second one finds nothing to settle
        await store.settle({"a": spent})
    assert await count(store, Measure.TOKENS) == (33, 0)
    assert await count(store, Measure.IMAGES) == (1, 0)
    assert await count(store, Measure.REQUESTS) == (1, 0)
    assert await count(store, Measure.GPU_SECONDS) == (2.5, 0)


async def test_all_or_nothing(store: CountStore) -> None:
    with pytest.raises(Refused) as refused:
        await store.reserve("a", [tokens(60), images(6)], LEASE_S)
    assert (refused.value.refusal.claim, refused.value.refusal.count) == (images(6), Count())
    assert await count(store, Measure.TOKENS) == (0, 0)
    assert await store.expire() == 0


async def test_tokens_are_held_as_far_as_there_are_some(store: CountStore) -> None:
    await store.reserve("a", [tokens(60)], LEASE_S)
    await store.reserve("b", [tokens(60)], LEASE_S)
    assert await count(store, Measure.TOKENS) == (0, 100)
    assert not await is_taken(store, "c", tokens(1))
    await store.settle({"b": {Measure.TOKENS: 90.0}, "unknown": {Measure.TOKENS: 5.0}})
    assert await count(store, Measure.TOKENS) == (90, 60)  # the last answer may end over it
    await store.settle({"a": {}})
    assert await is_taken(store, "c", tokens(50))
    assert await count(store, Measure.TOKENS) == (90, 10)


@pytest.mark.parametrize("claim", [tokens(5, 0), images(1, 0), request(0), gpu(0)], ids=lambda claim: claim.measure)
async def test_a_limit_of_nothing(store: CountStore, claim: Claim) -> None:
    assert not await is_taken(store, "a", claim)


async def test_gpu_seconds_must_not_be_spent(store: CountStore) -> None:
    assert await is_taken(store, "a", gpu())
    assert await is_taken(store, "b", gpu())
    await store.settle({"a": {Measure.GPU_SECONDS: 10.4}})
    assert not await is_taken(store, "c", gpu())


async def test_minutes_and_days_begin_anew(store: CountStore, watch: Watch) -> None:
    assert [await is_taken(store, str(n), request(), images(5)) for n in range(2)] == [True, False]
    watch.now += 60
    assert await is_taken(store, "next minute", request())
    assert not await is_taken(store, "same day", images(1))
    watch.now += 86_400
    assert await is_taken(store, "next day", images(5))
    await store.settle({"0": {Measure.IMAGES: 5.0}})  # of yesterday
    assert await count(store, Measure.IMAGES) == (0, 5)


async def test_a_reservation_of_a_process_that_died_comes_back_once(store: CountStore, watch: Watch) -> None:
    await store.reserve("dead", [tokens(60)], LEASE_S)
    await store.reserve("alive", [tokens(30)], LEASE_S)
    watch.now += LEASE_S - 1
    await store.renew({"alive"}, LEASE_S)
    watch.now += 1
    assert [await store.expire() for _ in range(2)] == [1, 0]
    await store.settle({"dead": {Measure.TOKENS: 60.0}})  # it was only slow: too late
    assert await count(store, Measure.TOKENS) == (0, 30)
    await store.settle({"alive": {Measure.TOKENS: 7.0}})
    assert await count(store, Measure.TOKENS) == (7, 0)


async def test_old_counts_are_forgotten(store: CountStore, watch: Watch) -> None:
    await store.reserve("a", [request(), tokens(5)], LEASE_S)
    watch.now += 4 * 86_400
    await store.expire()
    watch.now = NOON
    assert await count(store, Measure.REQUESTS) == (0, 0)


async def test_the_databases_clock_is_the_real_one(scope: Scope) -> None:
    now, _ = await CountStore(scope).counts([])
    assert now > NOON - 10 * 365 * 86_400
    assert (await CountStore(scope).counts([]))[0] >= now - 0.1


@pytest.mark.parametrize("claim", [tokens(500, 1), images(1, 1), request(1)], ids=lambda claim: claim.measure)
async def test_of_fifty_at_once_one_gets_the_last_unit(store: CountStore, claim: Claim) -> None:
    taken = await asyncio.gather(*(is_taken(store, str(n), claim, tokens(1, 10**6, TEAM)) for n in range(50)))
    assert sum(taken) == 1
    assert sum(await count(store, claim.measure)) == 1
    assert await count(store, Measure.TOKENS, TEAM) == (0, 1)


async def test_settled_and_expired_at_the_same_moment(store: CountStore, watch: Watch) -> None:
    names = [str(n) for n in range(10)]
    for name in names:
        await store.reserve(name, [tokens(10)], LEASE_S)
    watch.now += LEASE_S
    settling = [store.settle({name: {Measure.TOKENS: 1.0}}) for name in names for _ in range(2)]
    await asyncio.gather(*settling, store.expire())
    used, held = await count(store, Measure.TOKENS)
    assert held == 0
    assert 0 <= used <= 10
