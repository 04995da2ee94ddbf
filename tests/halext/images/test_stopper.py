"""Stopping at servers that forget, are deaf, or are gone. With the real driver it is in test_studio.py."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest

from halext.accounts.types import LOCAL
from halext.errors import TimedOut, Unreachable, UpstreamError
from halext.gateway.types import Record
from halext.images import stopper as stopper_file
from halext.images.shelf import Entry, Site
from halext.images.stopper import Stopper
from halext.images.types import Job
from halext.pictures import Recipe
from halext.testing.clock import ManualClock, ScaledClock
from halext.types import EndpointId, ModelName, NodeName, RequestId
from halext.upstream import Endpoint, Painter, Stopping

JOB = RequestId("r-1")


class Scripted:
    """Answers each wish to stop with the next of these; the last one stays."""

    def __init__(self, *answers: Stopping | UpstreamError) -> None:
        self.answers: Sequence[Stopping | UpstreamError] = answers
        self.asked = 0
        self.has_asked_four_times = asyncio.Event()

    async def stop(self, _endpoint: Endpoint, job: RequestId) -> Stopping:
        assert job == JOB
        said = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if self.asked == 4:
            self.has_asked_four_times.set()
        if isinstance(said, UpstreamError):
            raise said
        return said


def at(painter: Scripted) -> Site:
    endpoint = Endpoint(EndpointId("pc"), NodeName("pc"), "automatic1111", "http://pc")
    return Site(endpoint, ModelName("m"), cast("Painter", painter))


def entry_at(site: Site) -> Entry:
    made = Entry(Job(JOB, LOCAL, Recipe("x"), 0.0), Record(JOB, LOCAL, ModelName("m"), 0.0, "image"), 0.0)
    made.site = site
    return made


async def test_a_server_that_does_not_answer_may_the_next_time() -> None:
    site = at(Scripted(TimedOut(), "stopping"))
    stopper, entry = Stopper(ManualClock()), entry_at(site)
    assert [await stopper.ask(entry, site) for _ in range(2)] == ["not_begun", "stopping"]


async def test_the_wish_is_repeated_until_the_job_has_left() -> None:
    painter = Scripted("gone", "not_begun", "stopping")
    entry = entry_at(at(painter))
    insisting = asyncio.ensure_future(Stopper(ScaledClock(100)).insist(entry))
    async with asyncio.timeout(5):
        await painter.has_asked_four_times.wait()
        entry.site = None
        await insisting


@pytest.mark.parametrize(
    ("answers", "asked"),
    [
        (("gone",), 1),
        (("cannot",), 1),
        ((Unreachable(),), 1),
        (("stopping", "stopping", "gone"), 3),
        (("not_begun", TimedOut(), "stopping", "gone"), 4),
    ],
)
async def test_clearing_ends_when_the_job_is_gone(answers: tuple[Stopping | UpstreamError, ...], asked: int) -> None:
    painter = Scripted(*answers)
    async with asyncio.timeout(5):
        await Stopper(ScaledClock(100)).clear(at(painter), JOB)
    assert painter.asked == asked


async def test_clearing_is_given_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopper_file, "LONGEST_CLEARING_S", 2.0)
    painter, clock = Scripted("not_begun"), ManualClock()
    clearing = asyncio.ensure_future(Stopper(clock).clear(at(painter), JOB))
    while not clearing.done():
        await clock.advance(stopper_file.INSIST_S)
    assert painter.asked == 4


@pytest.mark.parametrize(("answers", "asked"), [(("not_begun", "gone", "stopping"), 3), ((Unreachable(),), 1)])
async def test_the_last_word(answers: tuple[Stopping | UpstreamError, ...], asked: int) -> None:
    painter = Scripted(*answers)
    await Stopper(ScaledClock(100)).last_word(at(painter), JOB)
    assert painter.asked == asked


async def test_the_last_word_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopper_file, "LAST_WORD_S", 0.02)
    async with asyncio.timeout(5):
        await Stopper(ScaledClock(1000)).last_word(at(Scripted("not_begun")), JOB)
