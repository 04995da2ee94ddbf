"""Work in the background: questions that are answered while nobody waits."""

from __future__ import annotations

import asyncio

import msgspec

from halext.accounts.types import Caller, Permission
from halext.chat import later
from halext.errors import InvalidInput
from halext.jobs.types import BATCH, INTERACTIVE, Draft, Job, JobId, JobState
from halext.runtime.acting import acting_for
from halext.runtime.app import App
from halext.runtime.operations import operation
from halext.runtime.shapes import Done
from halext.runtime.shapes_jobs import (
    AddJob,
    AddJobs,
    Asking,
    BatchInfo,
    CancelJobs,
    CancelledJobs,
    JobAnswer,
    JobFailure,
    JobInfo,
    JobRef,
    ListJobs,
)


@operation("POST", "/hx/jobs", Permission.OWN, also=Permission.USE)
async def add_job(app: App, caller: Caller, params: AddJob) -> JobInfo:
    """Have a question answered in the background."""
    if bool(params.prompt) == bool(params.messages):
        raise InvalidInput("Give either `prompt` or `messages`.")
    person = await acting_for(app, caller, params.user)
    messages: list[tuple[str, str]] = [(line.role, line.content) for line in params.messages]
    messages = messages or [("user", params.prompt)]
    draft = _draft(params, person, messages, name=params.name, key=params.key)
    return _info(await app.jobs.add(person, draft))


@operation("POST", "/hx/jobs/batch", Permission.OWN, also=Permission.USE)
async def add_jobs(app: App, caller: Caller, params: AddJobs) -> BatchInfo:
    """Have many questions answered in the background, under one name."""
    person = await acting_for(app, caller, params.user)

    def drafts() -> list[Draft]:
        return [_draft(params, person, [("user", prompt)]) for prompt in params.prompts]

    new = await app.jobs.add_batch(person, params.name, await asyncio.to_thread(drafts))
    return BatchInfo(" ".join(params.name.split()), new, len(params.prompts) - new)


@operation("GET", "/hx/jobs", Permission.OWN)
async def list_jobs(app: App, caller: Caller, params: ListJobs) -> list[JobInfo]:
    """The caller's jobs, the newest first; an empty page is the end."""
    person = await acting_for(app, caller, params.user)
    found = await app.jobs.page(
        person,
        states=[JobState(params.state)] if params.state else [],
        name=params.name,
        after=None if params.after is None else JobId(params.after),
        limit=params.limit,
    )
    return [_info(job) for job in found]


@operation("GET", "/hx/jobs/{id}", Permission.OWN)
async def show_job(app: App, caller: Caller, params: JobRef) -> JobInfo:
    """How far a job is, and its answer."""
    return _info(await app.jobs.job(await acting_for(app, caller, params.user), JobId(params.id)))


@operation("POST", "/hx/jobs/{id}/cancel", Permission.OWN)
async def cancel_job(app: App, caller: Caller, params: JobRef) -> JobInfo:
    """Cancel a job; one that runs ends in a moment."""
    return _info(await app.jobs.cancel(await acting_for(app, caller, params.user), JobId(params.id)))


@operation("POST", "/hx/jobs/cancel", Permission.OWN)
async def cancel_jobs(app: App, caller: Caller, params: CancelJobs) -> CancelledJobs:
    """Cancel all jobs of a name."""
    return CancelledJobs(await app.jobs.cancel_all(await acting_for(app, caller, params.user), params.name))


@operation("POST", "/hx/jobs/{id}/retry", Permission.OWN, also=Permission.USE)
async def retry_job(app: App, caller: Caller, params: JobRef) -> JobInfo:
    """Try a job again that failed, was cancelled or broke off."""
    return _info(await app.jobs.again(await acting_for(app, caller, params.user), JobId(params.id)))


@operation("DELETE", "/hx/jobs/{id}", Permission.OWN)
async def delete_job(app: App, caller: Caller, params: JobRef) -> Done:
    """Delete a job and its answer."""
    await app.jobs.remove(await acting_for(app, caller, params.user), JobId(params.id))
    return Done(f"Job {params.id} is deleted.")


def _draft(
    params: Asking, person: Caller, messages: list[tuple[str, str]], *, name: str = "", key: str | None = None
) -> Draft:
    begin = [("system", params.system)] if params.system else []
    question = later.payload(
        begin + messages, model=params.model, options=params.options, schema=params.schema, node=params.node
    )
    return Draft(
        later.KIND,
        question,
        name=name,
        key=key,
        priority=INTERACTIVE if params.priority == "interactive" else BATCH,
        workspace=person.workspace,
        expires_in_s=params.expires_in_s,
    )


def _info(job: Job) -> JobInfo:
    is_question = job.kind == later.KIND
    return JobInfo(
        id=job.id,
        kind=job.kind,
        name=job.name,
        key=job.key,
        state=job.state.value,
        priority=job.priority,
        prompt=later.asked(job.payload) if is_question else "",
        progress=job.progress,
        note=job.note,
        attempts=job.attempts,
        max_attempts=job.max_attempts,
        is_cancelling=job.is_cancelling,
        error=JobFailure(job.failure.code, job.failure.message) if job.failure else None,
        answer=msgspec.convert(job.result, JobAnswer) if is_question and job.result is not None else None,
        created_at=job.created_at,
        run_at=job.run_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
    )
