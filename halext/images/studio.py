"""Where pictures are made: one line, one job per endpoint, progress by our own name for the job, and honest ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from halext.accounts.types import Caller, Ledger, Outcome, UsageEntry
from halext.errors import AllBusy, BadAnswer, Cancelled, HalextError, Internal, Interrupted, NotFound, UpstreamError
from halext.gateway.line import Line, Waiter
from halext.gateway.policy import Serving, field_for
from halext.gateway.records import Records
from halext.gateway.types import Record
from halext.images import policy
from halext.images.inscription import inscribe
from halext.images.types import CancelOutcome, Job, JobState
from halext.nodes.policy import lookup_name
from halext.nodes.registry import Registry
from halext.pictures import Picture, Progress, Recipe, Started, Step, Waiting
from halext.types import Clock, EndpointId, Kind, ModelName, RequestId
from halext.upstream import Endpoint, Painter, Stopping

MOST_WAITING = 64
"""Jobs in line. A picture takes seconds to minutes, so more would wait for hours."""
LONGEST_WAIT_S = 3600.0
KEPT_S = 600.0
"""How long the pictures of a job can be fetched after its end."""
KEPT_BYTES = 32 * 1024 * 1024
"""What the pictures of ended jobs may take of our memory, all together; the oldest go first."""
INSIST_S = 0.5
"""Between two tries to stop a job that its server has not begun yet."""

Spawn = Callable[[Coroutine[object, object, None], str], None]


@dataclass(frozen=True, slots=True)
class _Site:
    """Where a job is made."""

    endpoint: Endpoint
    model: ModelName
    painter: Painter


@dataclass(eq=False, slots=True)
class _Entry:
    """The mutable side of a job."""

    job: Job
    record: Record
    began: float
    """By the monotonic clock."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    site: _Site | None = None
    started: bool = False
    """Its server has begun with it."""
    is_cancelled: bool = False
    tried: dict[EndpointId, str] = field(default_factory=dict)
    ended_at: float | None = None

    @property
    def lane(self) -> str:
        return lookup_name(self.job.wish.model)


class Studio:
    """Makes pictures on whichever node can. A caller sees only their own jobs."""

    def __init__(
        self,
        *,
        registry: Registry,
        painters: Mapping[Kind, Painter],
        clock: Clock,
        spawn: Spawn,
        records: Records,
        ledger: Ledger | None = None,
        look_again: Callable[[EndpointId], None] = lambda _endpoint: None,
    ) -> None:
        """`look_again` is called when a failure makes a look at an endpoint worth while; it must not wait."""
        self._registry = registry
        self._painters = painters
        self._clock = clock
        self._spawn = spawn
        self._records = records
        self._ledger = ledger
        self._look_again = look_again
        self._entries: dict[RequestId, _Entry] = {}
        self._taken: set[EndpointId] = set()
        self._line: Line[_Site] = Line(MOST_WAITING)
        registry.listen(self._line.move)

    # --- what doors call ---

    def order(self, caller: Caller, wish: Recipe, job: RequestId) -> Job:
        """A new job, which runs whoever looks on.

        Raises `InvalidInput` for a wish that can't be made, `AllBusy` when too many wait, and `NoNodeMakesPictures`,
        `NoNodeHasModel` or `UnknownModel` when nobody could make it now.
        """
        policy.check(wish)
        now = self._clock.now()
        record = Record(id=job, caller=caller, model=wish.model, started_at=now, kind="image")
        entry = _Entry(Job(job, caller, wish, now), record, self._clock.monotonic())
        self._open(entry)
        if len(self._line) >= MOST_WAITING:
            raise AllBusy(f"{MOST_WAITING} jobs for pictures are waiting already; try again later.")
        self._forget_old()
        self._entries[job] = entry
        self._records.add(record)
        self._tell_places()
        self._spawn(self._run(entry), f"pictures {job}")
        return entry.job

    def job(self, caller: Caller, job: RequestId) -> Job:
        """How a job is now. Raises `NotFound` also for what belongs to others."""
        return self._find(caller, job).job

    async def wait(self, caller: Caller, job: RequestId, seen: int, timeout_s: float) -> Job:
        """The job as soon as its revision is above `seen`, and at the latest after so many seconds."""
        entry = self._find(caller, job)
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while entry.job.revision <= seen and not entry.job.state.is_end:
                    await entry.changed.wait()
        return entry.job

    async def finished(self, caller: Caller, job: RequestId) -> Job:
        """The job once its pictures are there. Raises what it failed with; `Cancelled` when somebody cancelled it."""
        entry = self._find(caller, job)
        while not entry.job.state.is_end:
            await entry.changed.wait()
        if entry.job.error is not None:
            raise entry.job.error
        return entry.job

    async def make(self, caller: Caller, wish: Recipe, job: RequestId) -> Job:
        """`order` and `finished` in one; nobody works on for a caller who has left."""
        self.order(caller, wish, job)
        try:
            return await self.finished(caller, job)
        except asyncio.CancelledError:
            self._spawn(self._abandon(caller, job), f"cancel pictures {job}")
            raise

    async def cancel(self, caller: Caller, job: RequestId) -> CancelOutcome:
        """End a job, as far as that can be done."""
        entry = self._find(caller, job)
        if entry.job.state.is_end:
            return "too_late"
        if entry.site is None:
            entry.is_cancelled = True
            if entry.task is None:  # ordered in this very tick
                self._end(entry, JobState.CANCELLED, Cancelled())
            else:
                entry.task.cancel()
            return "dequeued"
        outcome = await self._stop(entry, entry.site)
        if outcome == "cannot" or entry.job.state.is_end:
            return "too_late"
        entry.is_cancelled = True
        if outcome == "not_begun":
            self._spawn(self._insist(entry), f"stop pictures {job}")
        return "stopping"

    # --- one job ---

    async def _run(self, entry: _Entry) -> None:
        entry.task = asyncio.current_task()
        if entry.job.state.is_end:
            return
        try:
            pictures = await self._made(entry)
        except HalextError as error:
            self._end(entry, JobState.CANCELLED if entry.is_cancelled else JobState.FAILED, error)
        except asyncio.CancelledError:
            self._end(entry, JobState.CANCELLED, Cancelled())
            if not entry.is_cancelled:  # the house closes
                raise
        except Exception:
            self._end(entry, JobState.FAILED, Internal())
            raise
        else:
            self._end(entry, JobState.DONE, pictures=pictures)

    async def _made(self, entry: _Entry) -> tuple[Picture, ...]:
        while True:
            waiter = Waiter(lane=entry.lane, place=partial(self._try, entry), undo=self._give_back)
            site = entry.site = await self._line.wait(waiter, LONGEST_WAIT_S)
            try:
                return await self._paint(entry, site)
            except UpstreamError as error:
                self._after_failure(entry, site, error)
            finally:
                entry.site = None
                self._tell_places()
                self._give_back(site)

    def _try(self, entry: _Entry) -> _Site | None:
        """Take an endpoint, in the same step in which it is chosen."""
        chosen = policy.choose(self._open(entry), self._taken)
        if chosen is None:
            return None
        state, info = chosen
        self._taken.add(state.endpoint.id)
        return _Site(state.endpoint, info.name, self._painters[state.endpoint.kind])

    def _open(self, entry: _Entry) -> Serving:
        """The endpoints that may be asked; at least one, or the error that says why there is none."""
        now, model = self._clock.now(), entry.job.wish.model
        states = [state for state in self._registry.states() if state.endpoint.kind in self._painters]
        has_model = policy.serving(states, model)
        found = field_for(has_model, now=now, tried=entry.tried, only=None)
        if not found.open:
            raise policy.nobody(states, has_model, found, entry.tried, model, now=now)
        return found.open

    def _give_back(self, site: _Site) -> None:
        self._taken.discard(site.endpoint.id)
        self._line.move()

    async def _paint(self, entry: _Entry, site: _Site) -> tuple[Picture, ...]:
        entry.started = False
        entry.record.model = site.model
        entry.record.node, entry.record.endpoint = site.endpoint.node, site.endpoint.id
        whole = entry.job.wish.steps * entry.job.wish.n
        self._tell_places()
        self._change(
            entry, state=JobState.RUNNING, place=None, node=site.endpoint.node, model=site.model, step=0, of=whole
        )
        began = self._clock.monotonic()
        wish = replace(entry.job.wish, model=site.model)
        pictures = await site.painter.paint(site.endpoint, wish, entry.job.id, partial(self._hear, entry))
        if entry.is_cancelled:
            raise Cancelled
        pictures = _inscribed(site.endpoint, pictures)
        known = self._registry.rates(site.endpoint.id, site.model)
        took_s = self._clock.monotonic() - began
        self._registry.worked(site.endpoint.id, site.model, replace(known, last_total_s=took_s))
        return pictures

    def _hear(self, entry: _Entry, progress: Progress) -> None:
        match progress:
            case Waiting(place):
                self._change(entry, state=JobState.WAITING, place=place)
            case Started():
                entry.started = True
                self._change(entry, state=JobState.RUNNING, place=None)
            case Step(n, of, eta_s):
                entry.started = True
                self._change(entry, state=JobState.RUNNING, place=None, step=n, of=of, eta_s=eta_s)

    def _after_failure(self, entry: _Entry, site: _Site, error: UpstreamError) -> None:
        """Tell the registry, and end the job unless another node may be asked."""
        endpoint = site.endpoint
        entry.tried[endpoint.id] = error.message
        entry.record.failures.append(f"{endpoint.node}: {error.message.removeprefix(f'{endpoint.node}: ')}")
        self._registry.failed(endpoint.id, site.model, error)
        self._look_again(endpoint.id)
        if entry.is_cancelled:
            raise Cancelled from error
        if policy.after_failure(error, len(entry.tried), started=entry.started) == "end":
            raise policy.final(error, endpoint, started=entry.started) from error
        try:
            self._open(entry)
        except HalextError:
            raise error from None  # what the node said tells more than that nobody else is there

    # --- stopping ---

    async def _stop(self, entry: _Entry, site: _Site) -> Stopping:
        """One try; a server that does not answer may do so the next time."""
        try:
            return await site.painter.stop(site.endpoint, entry.job.id)
        except UpstreamError:
            return "not_begun"

    async def _insist(self, entry: _Entry) -> None:
        while (site := entry.site) is not None and await self._stop(entry, site) == "not_begun":
            await self._clock.sleep(INSIST_S)

    async def _abandon(self, caller: Caller, job: RequestId) -> None:
        with suppress(NotFound):
            await self.cancel(caller, job)

    # --- keeping and telling ---

    def _find(self, caller: Caller, job: RequestId) -> _Entry:
        entry = self._entries.get(job)
        if entry is None or (entry.job.caller.user_id, entry.job.caller.name) != (caller.user_id, caller.name):
            raise NotFound("There is no such job for pictures; they are kept for ten minutes after their end.")
        return entry

    def _change(self, entry: _Entry, **values: object) -> None:
        fresh = replace(entry.job, **values)  # type: ignore[arg-type]  # fields of Job, by their names
        if fresh == entry.job:
            return
        entry.job = replace(fresh, revision=entry.job.revision + 1)
        entry.changed.set()
        entry.changed = asyncio.Event()

    def _tell_places(self) -> None:
        """Everyone in our line hears their place."""
        waiting = [entry for entry in self._entries.values() if entry.site is None and not entry.job.state.is_end]
        for entry, place in zip(waiting, policy.places([entry.lane for entry in waiting]), strict=True):
            self._change(entry, place=place, state=JobState.WAITING)

    def _end(
        self, entry: _Entry, state: JobState, error: HalextError | None = None, pictures: tuple[Picture, ...] = ()
    ) -> None:
        entry.ended_at = self._clock.now()
        self._change(entry, state=state, error=error, pictures=pictures, place=None, eta_s=None)
        outcome: Outcome = "done"
        if error is not None:
            outcome = "interrupted" if isinstance(error, Interrupted) else "failed"
            outcome = "cancelled" if state is JobState.CANCELLED else outcome
        record = entry.record
        record.outcome, record.total_s = outcome, self._clock.monotonic() - entry.began
        self._write_down(record)
        self._forget_old()
        self._tell_places()

    def _write_down(self, record: Record) -> None:
        if self._ledger is None or record.node is None or record.total_s is None or record.outcome is None:
            return
        self._ledger.record(
            UsageEntry(
                request_id=record.id,
                caller=record.caller,
                model=record.model,
                node=record.node,
                started_at=record.started_at,
                total_s=record.total_s,
                first_token_s=None,
                prompt_tokens=0,
                completion_tokens=0,
                outcome=record.outcome,
            )
        )

    def _forget_old(self) -> None:
        """Ended jobs go after a while, and before that when their pictures take too much room."""
        ended = [entry for entry in self._entries.values() if entry.ended_at is not None]
        size = sum(_bytes(entry) for entry in ended)
        for entry in sorted(ended, key=lambda entry: entry.ended_at or 0.0)[:-1]:
            if size <= KEPT_BYTES and self._clock.now() - (entry.ended_at or 0.0) <= KEPT_S:
                return
            size -= _bytes(entry)
            del self._entries[entry.job.id]


def _bytes(entry: _Entry) -> int:
    return sum(len(picture.png) for picture in entry.job.pictures)


def _inscribed(endpoint: Endpoint, pictures: tuple[Picture, ...]) -> tuple[Picture, ...]:
    """The pictures with their recipes inside. Raises `BadAnswer` when there are none, or files that are broken."""
    if not pictures:
        raise BadAnswer(f"{endpoint.node} sent no picture.", node=endpoint.node, endpoint=endpoint.id)
    try:
        return tuple(replace(picture, png=inscribe(picture)) for picture in pictures)
    except ValueError as error:
        message = f"{endpoint.node} sent a picture that is broken: {error}."
        raise BadAnswer(message, node=endpoint.node, endpoint=endpoint.id) from error
