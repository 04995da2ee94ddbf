"""What a line of jobs promises, on each database: any order of events against a model of a few lines."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import delete

from halext.accounts.store import PeopleStore
from halext.accounts.types import Role, User
from halext.errors import Conflict
from halext.jobs import policy
from halext.jobs.store import JobRow, JobStore, WorkStore
from halext.jobs.types import BATCH, INTERACTIVE, Claim, Draft, Failure, JobId, JobState, Result
from halext.storage.engine import Database, open_database
from halext.storage.scope import Scope
from tests.conftest import SOAK
from tests.halext.jobs.conftest import shift

T = TypeVar("T")
LEASE_S = 1_000.0
WAIT_S = 5_000.0
"""Real seconds pass too while the machine runs; steps of hundreds are far from every edge."""
STEPS_S = [400.0, 1_400.0, 6_000.0]
OOPS = Failure("oops", "It did not work.")


@dataclass
class Known:
    """What the model thinks of a job."""

    state: JobState
    priority: int
    is_repeatable: bool
    due: float
    expires: float | None
    attempts: int = 0
    most: int = policy.MAX_ATTEMPTS
    worker: str | None = None
    lease: float = 0.0
    is_cancelling: bool = False

    def back(self, otherwise: JobState) -> None:
        """Its worker has it no more."""
        self.state = JobState.CANCELLED if self.is_cancelling else otherwise

    @property
    def when_broken(self) -> JobState:
        return JobState.QUEUED if self.is_repeatable else JobState.INTERRUPTED


class Line(RuleBasedStateMachine):
    """Two workers, one person, a clock, and claims that are kept for long after they have ended."""

    loop: asyncio.AbstractEventLoop
    scope: Scope
    owner: User

    def __init__(self) -> None:
        super().__init__()
        self.jobs, self.work = JobStore(self.scope, self.owner.id), WorkStore(self.scope)
        self.now = 0.0
        self.known: dict[JobId, Known] = {}
        self.claims: list[Claim] = []

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        async def clear() -> None:
            async with self.scope.write() as session:
                await session.execute(delete(JobRow))

        self.do(clear())

    @rule(priority=st.sampled_from([INTERACTIVE, BATCH]), is_repeatable=st.booleans(), expires=st.booleans())
    def add(self, priority: int, is_repeatable: bool, expires: bool) -> None:
        draft = Draft("echo", {}, priority=priority, expires_in_s=WAIT_S if expires else None)
        (job,) = self.do(self.jobs.add([(draft, 2)], is_repeatable=is_repeatable))
        ends = self.now + WAIT_S if expires else None
        self.known[job] = Known(JobState.QUEUED, priority, is_repeatable, self.now, ends)

    @rule(worker=st.sampled_from(["w1", "w2"]))
    def claim(self, worker: str) -> None:
        ready = [
            (known.priority, job)
            for job, known in self.known.items()
            if known.state is JobState.QUEUED
            and known.due <= self.now
            and (known.expires is None or known.expires > self.now)
        ]
        claim = self.do(self.work.claim(worker, ["echo"], LEASE_S))
        assert (claim and claim.job.id) == (min(ready)[1] if ready else None)
        if claim is not None:
            known = self.known[claim.job.id]
            known.state, known.worker, known.lease = JobState.RUNNING, worker, self.now + LEASE_S
            known.attempts += 1
            self.claims.append(claim)

    @rule(seconds=st.sampled_from(STEPS_S))
    def wait(self, seconds: float) -> None:
        self.do(shift(self.scope, seconds))
        self.now += seconds

    @rule(everyone=st.booleans())
    def sweep(self, everyone: bool) -> None:
        many = 0
        for known in self.known.values():
            if known.state is JobState.RUNNING and (everyone or known.lease < self.now):
                is_spent = known.is_repeatable and known.attempts >= known.most
                known.back(JobState.FAILED if is_spent else known.when_broken)
            elif known.state is JobState.QUEUED and known.expires is not None and known.expires <= self.now:
                known.state = JobState.EXPIRED
            else:
                continue
            many += 1
        # Jobs that were lost and whose time is over too are counted twice: put back, and then ended.
        for known in self.known.values():
            if known.state is JobState.QUEUED and known.expires is not None and known.expires <= self.now:
                known.state = JobState.EXPIRED
                many += 1
        assert self.do(self.work.sweep(everyone=everyone)) == many

    def pick(self, data: st.DataObject) -> tuple[Claim, Known | None]:
        """Any claim that was ever made, and its job if it is still that worker's."""
        claim = data.draw(st.sampled_from(self.claims), label="claim")
        known = self.known[claim.job.id]
        is_held = known.state is JobState.RUNNING and (known.worker, known.attempts) == (
            claim.worker,
            claim.job.attempts,
        )
        return claim, known if is_held else None

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        claim, known = self.pick(data)
        asked = self.do(self.work.renew(claim, LEASE_S, 0.5, "half"))
        assert asked is (None if known is None else known.is_cancelling)
        if known is not None:
            known.lease = self.now + LEASE_S

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), how=st.sampled_from(["finish", "fail", "cancelled", "retry", "wait"]))
    def end(self, data: st.DataObject, how: str) -> None:
        claim, known = self.pick(data)
        if how == "finish":
            done, state = self.do(self.work.finish(claim, Result(how))), JobState.DONE
        elif how == "fail":
            done, state = self.do(self.work.fail(claim, OOPS)), JobState.FAILED
        elif how == "cancelled":
            done, state = self.do(self.work.cancelled(claim)), JobState.CANCELLED
        else:
            done = self.do(self.work.retry(claim, OOPS, 900.0, counts=how == "retry"))
            state = JobState.QUEUED
        assert done is (known is not None), "only who has it may end it"
        if known is None:
            return
        known.state = state
        if state is JobState.QUEUED:
            known.back(state)
            known.due, known.most = self.now + 900.0, known.most + (how == "wait")

    @rule(worker=st.sampled_from(["w1", "w2"]))
    def leave(self, worker: str) -> None:
        held = [known for known in self.known.values() if (known.state, known.worker) == (JobState.RUNNING, worker)]
        for known in held:
            known.back(known.when_broken)
            known.most += 1
        assert self.do(self.work.leave(worker)) == len(held)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(sorted(self.known)), label="job")
        known, found = self.known[job], self.do(self.jobs.cancel(job))
        assert found == ([] if known.state in policy.ENDED else [job])
        if known.state not in policy.ENDED:
            known.is_cancelling = True
            known.state = JobState.CANCELLED if known.state is JobState.QUEUED else known.state

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def again(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(sorted(self.known)), label="job")
        known = self.known[job]
        if known.state not in policy.AGAIN:
            with pytest.raises(Conflict):
                self.do(self.jobs.again(job))
            return
        self.do(self.jobs.again(job))
        known.state, known.due, known.expires, known.is_cancelling = JobState.QUEUED, self.now, None, False
        known.most = known.attempts + policy.MAX_ATTEMPTS

    @invariant()
    def it_is_as_the_model_thinks(self) -> None:
        found = {job.id: job for job in self.do(self.jobs.page((), None, None, 500))}
        assert {number: job.state for number, job in found.items()} == {
            number: known.state for number, known in self.known.items()
        }
        for number, known in self.known.items():
            job = found[number]
            assert (job.attempts, job.max_attempts) == (known.attempts, known.most)
            assert (job.finished_at is not None) == (job.state in policy.ENDED)


@pytest.mark.timeout(600)
def test_a_line_keeps_its_promises(database: Database) -> None:
    """In a loop of its own: the steps of the machine are synchronous."""
    loop = asyncio.new_event_loop()
    own = open_database(database._url.render_as_string(hide_password=False))
    try:
        Line.loop, Line.scope = loop, Scope(own)
        Line.owner = loop.run_until_complete(PeopleStore(Line.scope).add("Ann", Role.MEMBER, None, 0.0))
        run_state_machine_as_test(
            Line,
            settings=settings(
                max_examples=150 if SOAK else 12,
                stateful_step_count=40,
                deadline=None,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        loop.run_until_complete(own.close())
        loop.close()
