"""What is remembered, for whom and for how long."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halext.accounts.types import LOCAL, Caller, Role
from halext.errors import NotFound
from halext.gateway.types import Record
from halext.images.shelf import KEPT_BYTES, KEPT_JOBS, KEPT_S, Entry, Shelf
from halext.images.types import Job, JobState
from halext.pictures import Picture, Recipe
from halext.testing.clock import ManualClock
from halext.types import ModelName, NodeName, RequestId, UserId

WISH = Recipe("a lighthouse")
ANN = Caller("ann", Role.MEMBER, "token", UserId(1))


def entry(name: str, caller: Caller = LOCAL) -> Entry:
    job = RequestId(name)
    return Entry(Job(job, caller, WISH, 0.0), Record(job, caller, ModelName(""), 0.0, "image"), 0.0)


def finish(shelf: Shelf, one: Entry, size: int = 0) -> None:
    one.change(state=JobState.DONE, pictures=(Picture(bytes(size), WISH, NodeName("pc")),))
    shelf.ended(one)


def has(shelf: Shelf, one: Entry) -> bool:
    try:
        return shelf.find(one.job.caller, one.job.id) is one
    except NotFound:
        return False


@pytest.mark.parametrize(
    "other",
    [LOCAL, Caller("ben", Role.ADMIN, "session", UserId(2)), Caller("ann", Role.MEMBER, "token", UserId(2))],
)
def test_what_belongs_to_others_is_not_there(other: Caller) -> None:
    shelf = Shelf(ManualClock())
    shelf.add(entry("r-1", ANN))
    assert shelf.find(ANN, RequestId("r-1")).job.caller == ANN
    with pytest.raises(NotFound, match="ten minutes"):
        shelf.find(other, RequestId("r-1"))


async def test_an_ended_job_is_kept_for_its_time_and_one_under_way_for_ever() -> None:
    clock = ManualClock()
    shelf, done, running = Shelf(clock), entry("done"), entry("running")
    shelf.add(done)
    shelf.add(running)
    finish(shelf, done)
    await clock.advance(KEPT_S - 1)
    assert has(shelf, done)
    await clock.advance(1)
    assert not has(shelf, done)
    assert has(shelf, running)


@given(st.lists(st.integers(0, KEPT_BYTES), min_size=1, max_size=12))
def test_pictures_never_take_more_than_their_room(sizes: list[int]) -> None:
    clock = ManualClock()
    shelf, entries = Shelf(clock), [entry(f"r-{number}") for number in range(len(sizes))]
    for one, size in zip(entries, sizes, strict=True):
        asyncio.run(clock.advance(1))
        shelf.add(one)
        finish(shelf, one, size)
    kept = [one for one in entries if has(shelf, one)]
    assert entries[-1] in kept
    assert sum(one.size for one in kept) <= KEPT_BYTES
    with_pictures = [has(shelf, one) for one in entries if one.size]
    assert all(after or not before for before, after in pairwise(with_pictures)), "the oldest go first"


def test_the_newest_job_is_kept_however_large() -> None:
    shelf, one = Shelf(ManualClock()), entry("r-1")
    shelf.add(one)
    finish(shelf, one, KEPT_BYTES + 1)
    assert has(shelf, one)


async def test_jobs_without_pictures_are_not_endless_either() -> None:
    clock = ManualClock()
    shelf, entries = Shelf(clock), [entry(f"r-{number}") for number in range(KEPT_JOBS + 3)]
    for one in entries:
        await clock.advance(0.001)
        shelf.add(one)
        finish(shelf, one)
    assert sum(has(shelf, one) for one in entries) == KEPT_JOBS
    assert not has(shelf, entries[2])


async def test_news_are_counted_and_the_same_again_is_none() -> None:
    one = entry("r-1")
    one.change(place=2)
    one.change(place=2)
    assert (one.job.revision, one.job.place) == (1, 2)
    waiting = asyncio.ensure_future(one.newer(1))
    await asyncio.sleep(0)
    assert not waiting.done()
    one.change(place=1)
    assert (await waiting).place == 1
    assert (await one.newer(0)).revision == 2


async def test_whoever_is_slow_sees_the_newest() -> None:
    one = entry("r-1")
    following = one.follow()
    assert (await anext(following)).revision == 0
    for place in (3, 2, 1):
        one.change(place=place)
    assert (await anext(following)).place == 1
    one.change(state=JobState.FAILED)
    assert [now.state async for now in following] == [JobState.FAILED]
    assert [now.state async for now in one.follow()] == [JobState.FAILED]
