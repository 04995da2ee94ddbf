"""Where pictures are made: one line, one job per endpoint, progress by our own name for the job, and honest ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial

from halext.accounts.quotas.types import Measure, Quota
from halext.accounts.types import Caller, Ledger, Outcome, UsageEntry
from halext.errors import (
    AllBusy,
    BadAnswer,
    Cancelled,
    HalextError,
    Internal,
    Interrupted,
    NotFound,
    TimedOut,
    Unreachable,
    UpstreamError,
)
from halext.gateway.line import Line, Waiter
from halext.gateway.policy import Serving, field_for
from halext.gateway.records import Records
from halext.gateway.types import Record
from halext.images import policy
from halext.images.inscription import inscribe
from halext.images.shelf import Entry, Shelf, Site
from halext.images.stopper import Stopper
from halext.images.types import CancelOutcome, Job, JobState
from halext.nodes.registry import Registry
from halext.pictures import Picture, Progress, Recipe, Started, Step, Waiting
from halext.types import Clock, EndpointId, Kind, NodeName, RequestId
from halext.upstream import Endpoint, Painter

MOST_WAITING = 64
"""Jobs in line. A picture takes seconds to minutes, so more would wait for hours."""
LONGEST_WAIT_S = 3600.0
SWEEP_S = 60.0
"""How often old pictures are looked for when nobody orders new ones."""

Spawn = Callable[[Coroutine[object, object, None], str], None]


class Studio:
    """Makes pictures on whichever node can. A caller sees only their own jobs: another's is `NotFound`.

    For a door that shows what happens:

        job = app.studio.begin(caller, Recipe("a lighthouse", steps=30))
        async for now in app.studio.follow(caller, job.id):   # `place` in line, `step` of `of`, `eta_s`; then its end
            ...                                               # its end has `pictures`, or the `error`
        await app.studio.stop(caller, job.id)                 # "dequeued", "stopping" or "too_late"

    and for one that waits: `await app.studio.make(caller, wish)`. The recipe stands in each picture's PNG file too.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        painters: Mapping[Kind, Painter],
        clock: Clock,
        spawn: Spawn,
        records: Records,
        new_id: Callable[[], RequestId],
        ledger: Ledger | None = None,
        quota: Quota | None = None,
        look_again: Callable[[EndpointId], None] = lambda _endpoint: None,
    ) -> None:
        """`look_again` is called when a failure makes a look at an endpoint worth while; it must not wait."""
        self._registry = registry
        self._painters = painters
        self._clock = clock
        self._spawn = spawn
        self._records = records
        self._ledger = ledger
        self._quota = quota
        self._look_again = look_again
        self._new_id = new_id
        self._shelf = Shelf(clock)
        self._stopper = Stopper(clock)
        self._taken: set[EndpointId] = set()
        self._line: Line[Site] = Line(MOST_WAITING)
        registry.listen(self._line.move)

    # --- what doors call ---

    def begin(self, caller: Caller, wish: Recipe, job: RequestId | None = None, *, node: NodeName | None = None) -> Job:
        """A new job, which runs whoever looks on; only on `node`, if one is named. `job` is its id, if it has one.

        Raises `InvalidInput` for a wish that can't be made, `AllBusy` when too many wait, and `NoNodeMakesPictures`,
        `NoNodeHasModel`, `UnknownModel` or `UnknownNode` when nobody could make it now.
        """
        policy.check(wish)
        name, now = job or self._new_id(), self._clock.now()
        record = Record(id=name, caller=caller, model=wish.model, started_at=now, kind="image")
        entry = Entry(Job(name, caller, wish, now), record, self._clock.monotonic(), node)
        self._open(entry)
        if len(self._shelf.in_line()) >= MOST_WAITING:
            raise AllBusy(f"{MOST_WAITING} jobs for pictures are waiting already; try again later.")
        self._shelf.add(entry)
        self._records.add(record)
        self._tell_places()
        self._spawn(self._run(entry), f"pictures {name}")
        return entry.job

    def job(self, caller: Caller, job: RequestId) -> Job:
        """How a job is now. Raises `NotFound` also for what belongs to others."""
        return self._shelf.find(caller, job).job

    def follow(self, caller: Caller, job: RequestId) -> AsyncIterator[Job]:
        """A job as it is now, then whenever it has changed; the last one is its end. Raises `NotFound` at once.

        Any number may follow, come late and leave: the job does not mind. Whoever is slow sees fewer steps.
        """
        return self._shelf.find(caller, job).follow()

    async def wait(self, caller: Caller, job: RequestId, seen: int, timeout_s: float) -> Job:
        """The job as soon as its revision is above `seen`, and at the latest after so many seconds."""
        entry = self._shelf.find(caller, job)
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await entry.newer(seen)
        return entry.job

    async def finished(self, caller: Caller, job: RequestId) -> Job:
        """The job once its pictures are there. Raises what it failed with; `Cancelled` when somebody stopped it."""
        found = self._shelf.find(caller, job).job
        async for found in self.follow(caller, job):  # noqa: B007 - the last one counts
            pass
        if found.error is not None:
            raise found.error
        return found

    async def make(
        self, caller: Caller, wish: Recipe, job: RequestId | None = None, *, node: NodeName | None = None
    ) -> Job:
        """`begin` and `finished` in one; nobody works on for a caller who has left."""
        begun = self.begin(caller, wish, job, node=node)
        try:
            return await self.finished(caller, begun.id)
        except asyncio.CancelledError:
            self._spawn(self._abandon(caller, begun.id), f"stop pictures {begun.id}")
            raise

    async def stop(self, caller: Caller, job: RequestId) -> CancelOutcome:
        """End a job, as far as that can be done. Raises `NotFound`."""
        entry = self._shelf.find(caller, job)
        if entry.job.state.is_end:
            return "too_late"
        if (site := entry.site) is None:
            self._dequeue(entry)
            return "dequeued"
        if await self._stopper.ask(entry, site) == "cannot":
            return "too_late"
        self._drop(entry)
        return "stopping"

    async def run(self) -> None:
        """Let go of old pictures, for ever."""
        while True:
            await self._clock.sleep(SWEEP_S)
            self._shelf.sweep()

    # --- one job ---

    async def _run(self, entry: Entry) -> None:
        entry.task = asyncio.current_task()
        if entry.job.state.is_end:
            return
        try:
            if self._quota is not None:
                entry.reservation = await self._quota.reserve(entry.job.caller, policy.to_reserve(entry.job.wish))
            pictures = await self._made(entry)
        except HalextError as error:
            self._end(entry, JobState.FAILED, error)
        except asyncio.CancelledError:
            self._end(entry, JobState.CANCELLED, Cancelled())
            if not entry.is_cancelled:  # the house closes
                raise
        except Exception:
            self._end(entry, JobState.FAILED, Internal())
            raise
        else:
            self._end(entry, JobState.DONE, pictures=pictures)

    async def _made(self, entry: Entry) -> tuple[Picture, ...]:
        while not entry.is_cancelled:
            waiter = Waiter(lane=entry.lane, place=partial(self._try, entry), undo=self._give_back)
            site = entry.site = await self._line.wait(waiter, LONGEST_WAIT_S)
            is_lost, sent = False, self._clock.monotonic()
            try:
                return await self._paint(entry, site)
            except UpstreamError as error:
                is_lost = isinstance(error, Unreachable | TimedOut)
                self._after_failure(entry, site, error)
            except asyncio.CancelledError:  # the house closes
                await self._stopper.last_word(site, entry.job.id)
                raise
            finally:
                entry.busy_s += self._clock.monotonic() - sent if entry.started else 0.0
                await self._leave(entry, site, is_lost=is_lost)
        raise Cancelled

    def _try(self, entry: Entry) -> Site | None:
        """Take an endpoint, in the same step in which it is chosen."""
        if entry.is_cancelled:
            raise Cancelled
        chosen = policy.choose(self._open(entry), self._taken)
        if chosen is None:
            return None
        state, info = chosen
        self._taken.add(state.endpoint.id)
        return Site(state.endpoint, info.name, self._painters[state.endpoint.kind])

    def _open(self, entry: Entry) -> Serving:
        """The endpoints that may be asked; at least one, or the error that says why there is none."""
        now, model, only = self._clock.now(), entry.job.wish.model, entry.only
        if only is not None:
            self._registry.node(only)
        painting = (state for state in self._registry.states() if state.endpoint.kind in self._painters)
        states = [state for state in painting if only in {None, state.node.name}]
        has_model = policy.serving(states, model)
        found = field_for(has_model, now=now, tried=entry.tried, only=None)
        if not found.open:
            raise policy.nobody(states, has_model, found, entry.tried, model, only, now=now)
        return found.open

    async def _paint(self, entry: Entry, site: Site) -> tuple[Picture, ...]:
        entry.started = False
        entry.record.model = site.model
        entry.record.node, entry.record.endpoint = site.endpoint.node, site.endpoint.id
        whole = entry.job.wish.steps * entry.job.wish.n
        self._tell_places()
        entry.change(
            state=JobState.RUNNING, place=None, node=site.endpoint.node, model=site.model, step=0, of=whole, eta_s=None
        )
        began = self._clock.monotonic()
        wish = replace(entry.job.wish, model=site.model)
        pictures = await site.painter.paint(site.endpoint, wish, entry.job.id, partial(_hear, entry))
        if entry.is_cancelled:
            raise Cancelled
        # Checksums of some megabytes: the loop has others to serve meanwhile.
        pictures = await asyncio.to_thread(_inscribed, site.endpoint, wish, pictures)
        known = self._registry.rates(site.endpoint.id, site.model)
        took_s = self._clock.monotonic() - began
        self._registry.worked(site.endpoint.id, site.model, replace(known, last_total_s=took_s))
        return pictures

    def _after_failure(self, entry: Entry, site: Site, error: UpstreamError) -> None:
        """Tell the registry, and end the job unless another node may be asked."""
        endpoint = site.endpoint
        entry.tried[endpoint.id] = error.message
        entry.record.failures.append(f"{endpoint.node}: {error.message.removeprefix(f'{endpoint.node}: ')}")
        self._registry.failed(endpoint.id, site.model, error)
        self._look_again(endpoint.id)
        if policy.after_failure(error, len(entry.tried), started=entry.started) == "end":
            raise policy.final(error, endpoint, started=entry.started) from error
        try:
            self._open(entry)
        except HalextError:
            raise error from None  # what the node said tells more than that nobody else is there

    async def _leave(self, entry: Entry, site: Site, *, is_lost: bool) -> None:
        """The job is not at this endpoint any more; the next one may come when nothing there can stop it by mistake."""
        try:
            async with entry.stopping:
                entry.site = None
        finally:
            entry.site = None
            self._tell_places()
            if is_lost:
                self._spawn(self._clear(site, entry.job.id), f"clear {site.endpoint.id} of {entry.job.id}")
            else:
                self._give_back(site)

    async def _clear(self, site: Site, job: RequestId) -> None:
        try:
            await self._stopper.clear(site, job)
        finally:
            self._give_back(site)

    def _give_back(self, site: Site) -> None:
        self._taken.discard(site.endpoint.id)
        self._line.move()

    # --- stopping ---

    def _dequeue(self, entry: Entry) -> None:
        entry.is_cancelled = True
        if entry.task is None:  # ordered in this very tick
            self._end(entry, JobState.CANCELLED, Cancelled())
        else:
            entry.task.cancel()

    def _drop(self, entry: Entry) -> None:
        """Nobody wants what still comes of it."""
        entry.is_cancelled = True
        if not entry.is_insisted_on:
            entry.is_insisted_on = True
            self._spawn(self._stopper.insist(entry), f"stop pictures {entry.job.id}")

    async def _abandon(self, caller: Caller, job: RequestId) -> None:
        with suppress(NotFound):
            await self.stop(caller, job)

    # --- telling and writing down ---

    def _tell_places(self) -> None:
        """Everyone in our line hears their place."""
        waiting = self._shelf.in_line()
        for entry, place in zip(waiting, policy.places([entry.wants for entry in waiting]), strict=True):
            entry.change(place=place, state=JobState.WAITING)

    def _end(
        self, entry: Entry, state: JobState, error: HalextError | None = None, pictures: tuple[Picture, ...] = ()
    ) -> None:
        if entry.is_cancelled:
            state, error, pictures = JobState.CANCELLED, Cancelled(), ()
        entry.change(state=state, error=error, pictures=pictures, place=None, eta_s=None)
        self._shelf.ended(entry)
        if entry.reservation is not None:
            entry.reservation.settle({Measure.IMAGES: len(pictures), Measure.GPU_SECONDS: entry.busy_s})
        self._write_down(entry.record, _outcome(state, error), self._clock.monotonic() - entry.began)
        self._tell_places()

    def _write_down(self, record: Record, outcome: Outcome, total_s: float) -> None:
        record.outcome, record.total_s = outcome, total_s
        self._records.ended(record)
        if self._ledger is None or record.node is None:
            return
        self._ledger.record(
            UsageEntry(
                request_id=record.id,
                caller=record.caller,
                model=record.model,
                node=record.node,
                started_at=record.started_at,
                total_s=total_s,
                first_token_s=None,
                prompt_tokens=0,
                completion_tokens=0,
                outcome=outcome,
            )
        )


def _hear(entry: Entry, progress: Progress) -> None:
    match progress:
        case Waiting(place):
            entry.change(state=JobState.WAITING, place=place)
        case Started():
            entry.started = True
            entry.change(state=JobState.RUNNING, place=None)
        case Step(n, of, eta_s):
            entry.started = True
            entry.change(state=JobState.RUNNING, place=None, step=n, of=of, eta_s=eta_s)


def _outcome(state: JobState, error: HalextError | None) -> Outcome:
    if state is JobState.CANCELLED:
        return "cancelled"
    if error is None:
        return "done"
    return "interrupted" if isinstance(error, Interrupted) else "failed"


def _inscribed(endpoint: Endpoint, wish: Recipe, pictures: tuple[Picture, ...]) -> tuple[Picture, ...]:
    """The pictures with their recipes inside.

    Raises `BadAnswer` when there are none, or files that are broken, and `Interrupted` when there are fewer than were
    wished for: the last of them is then unfinished.
    """
    if not pictures:
        raise BadAnswer(f"{endpoint.node} sent no picture.", node=endpoint.node, endpoint=endpoint.id)
    if len(pictures) < wish.n:
        message = f"Somebody stopped {endpoint.node} at picture {len(pictures)} of {wish.n}; ask again."
        raise Interrupted(message, node=endpoint.node, endpoint=endpoint.id, began=True)
    try:
        return tuple(replace(picture, png=inscribe(picture)) for picture in pictures)
    except ValueError as error:
        message = f"{endpoint.node} sent a picture that is broken: {error}."
        raise BadAnswer(message, node=endpoint.node, endpoint=endpoint.id) from error
