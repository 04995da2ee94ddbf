"""The part `worker` of `halext up`: does what people have put in line."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable

from halext.jobs.store import WORKER_MAX, WorkStore
from halext.jobs.worker import Worker
from halext.runtime.app import App
from halext.storage.scope import Scope


class WorkerService:
    """Takes jobs until it is cancelled. On PostgreSQL any number of processes may run it at the same time."""

    name = "worker"
    extra = "all"

    async def run(self, app: App, ready: Callable[[str], None]) -> None:
        """Work; when cancelled, what runs gets a moment, and what is left goes back into line at once."""
        slots = app.settings.job_slots
        if not slots:
            ready("takes no jobs, as HALEXT_JOB_SLOTS says")
            await asyncio.Event().wait()
        worker = Worker(
            WorkStore(Scope(app.database)),
            app.jobs.kinds,
            caller_of=app.people.caller_of,
            on_account=app.workspaces.still_on_behalf,
            clock=app.clock,
            name=worker_name(),
            slots=slots,
            is_alone=app.database.dialect == "sqlite",  # the data directory's lock says so
        )
        app.jobs.listen(worker.hear)
        ready(f"{slots} jobs at a time")
        await worker.run()


def worker_name() -> str:
    """A name that no other run of any process has."""
    return f"{os.getpid()}-{secrets.token_hex(8)}"[:WORKER_MAX]
