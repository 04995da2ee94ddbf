"""The desk where people order jobs and ask what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence

from halext.accounts.types import Caller
from halext.errors import InvalidInput
from halext.jobs import policy
from halext.jobs.store import JobStore, WorkStore
from halext.jobs.types import Draft, Job, JobId, JobState, Kind
from halext.storage.scope import Scope

Hear = Callable[[JobId | None], None]


class JobDesk:
    """Everyone's jobs, each time for one caller. Callers without an account have none: `InvalidInput`."""

    def __init__(self, scope: Scope, kinds: Mapping[str, Kind]) -> None:
        self.kinds = kinds
        """What can be done here, by its name; for the workers."""
        self._scope = scope
        self._listeners: list[Hear] = []

    def listen(self, hear: Hear) -> None:
        """Have a worker of this process told at once of new work (None), and of jobs that are to be cancelled."""
        self._listeners.append(hear)

    async def add(self, caller: Caller, draft: Draft) -> Job:
        """Put a job in line; one with the same key is the same job. What is in line when this returns gets done.

        Raises `InvalidInput`, `TooLarge`, `TooManyRequests`, and `Conflict` for another order under the same key.
        """
        kept, store = policy.clean(draft), self._of(caller)
        new = await store.add([kept], is_repeatable=self._kind(draft.kind).is_repeatable)
        self._tell()
        return await (store.one(new[0]) if new else store.by_key(draft.kind, str(draft.key)))

    async def add_batch(self, caller: Caller, name: str, drafts: Sequence[Draft]) -> int:
        """Put many jobs of one kind in line under one name, all or none; how many of them are new. Raises as `add`."""
        store = self._of(caller)
        kept = await asyncio.to_thread(lambda: [policy.clean(draft) for draft in policy.batch(name, drafts)])
        new = await store.add(kept, is_repeatable=self._kind(drafts[0].kind).is_repeatable)
        self._tell()
        return len(new)

    async def page(
        self,
        caller: Caller,
        *,
        states: Collection[JobState] = (),
        name: str | None = None,
        after: JobId | None = None,
        limit: int = 100,
    ) -> list[Job]:
        """The caller's jobs, the newest first, from behind `after` on. Raises `InvalidInput`.

        A page of large jobs holds fewer than `limit`; an empty one is the end.
        """
        if not 1 <= limit <= policy.PAGE_MAX:
            raise InvalidInput(f"`limit` is a number from 1 to {policy.PAGE_MAX}.")
        return await self._of(caller).page(states, name, after, limit)

    async def job(self, caller: Caller, job: JobId) -> Job:
        """One of the caller's jobs. Raises `NotFound`."""
        return await self._of(caller).one(job)

    async def cancel(self, caller: Caller, job: JobId) -> Job:
        """End a job that waits, and ask for the end of one that runs; ended ones stay so. Raises `NotFound`."""
        self._tell(await self._of(caller).cancel(job))
        return await self.job(caller, job)

    async def cancel_all(self, caller: Caller, name: str) -> int:
        """The same for every job of this name; how many that were."""
        asked = await self._of(caller).cancel(name=name)
        self._tell(asked)
        return len(asked)

    async def again(self, caller: Caller, job: JobId) -> Job:
        """Put a job that did not work in line once more. Raises `NotFound` and `Conflict`."""
        found = await self._of(caller).again(job)
        self._tell()
        return found

    async def remove(self, caller: Caller, job: JobId) -> None:
        """Delete a job that does not run. Raises `NotFound` and `Conflict`."""
        await self._of(caller).remove(job)

    async def forget(self) -> None:
        """Delete everyone's jobs that ended long ago."""
        await WorkStore(self._scope).forget(policy.KEEP_S)

    async def counts(self) -> dict[JobState, int]:
        """How many of everyone's jobs are in each state: for who may see the house."""
        return await WorkStore(self._scope).counts()

    def _kind(self, name: str) -> Kind:
        if (kind := self.kinds.get(name)) is None:
            raise InvalidInput(f"There is no kind of job called {name!r}; there are: {', '.join(sorted(self.kinds))}.")
        return kind

    def _tell(self, cancelled: Sequence[JobId | None] = (None,)) -> None:
        for hear in self._listeners:
            for job in cancelled:
                hear(job)

    def _of(self, caller: Caller) -> JobStore:
        return JobStore(self._scope, policy.owner(caller))
