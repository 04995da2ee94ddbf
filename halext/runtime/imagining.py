"""A job for pictures from its beginning to its end, through whichever `Control`: for command line and library."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

from halext.errors import HalextError, TimedOut, Unreachable, by_code
from halext.runtime.clock import SystemClock
from halext.runtime.control import Control
from halext.runtime.shapes_images import FollowImages, ImageJob, ImageJobRef, Imagine
from halext.runtime.verbs import images
from halext.types import Clock

UNDER_WAY = frozenset({"waiting", "running"})
MOST_LOOKS = 5
"""Looks at a job that fail in a row: a broken connection does not lose a job that goes on elsewhere."""
PAUSE_S = 1.0
BAR = 20
"""Signs of a bar of progress."""
MINUTE_S = 60


async def imagining(control: Control, wish: Imagine, clock: Clock | None = None) -> AsyncGenerator[ImageJob, None]:
    """The job as it is, again whenever it has changed, and at last with its pictures.

    Leaving it before stops the job. Raises what the job failed with.
    """
    job = await _begun(control, wish)
    try:
        yield job
        while job.state in UNDER_WAY:
            job = await _next(control, job, clock or SystemClock())
            yield job
    finally:
        if job.state in UNDER_WAY:
            await _stop(control, job)
    if job.error is not None:
        raise (by_code(job.error.code) or HalextError)(job.error.message)


async def _begun(control: Control, wish: Imagine) -> ImageJob:
    """The new job. Whoever leaves while it is ordered leaves none behind: its id is waited for, to stop it by."""
    async with asyncio.TaskGroup() as group:
        ordering = group.create_task(_answer(control, wish))
        try:
            answer = await asyncio.shield(ordering)
        except asyncio.CancelledError:
            answer = await ordering
            if isinstance(answer, ImageJob):
                await _stop(control, answer)
            raise
    if isinstance(answer, HalextError):
        raise answer
    return answer


async def _answer(control: Control, wish: Imagine) -> ImageJob | HalextError:
    """A task group would wrap what is raised."""
    try:
        return await control.call(images.imagine, wish)
    except HalextError as error:
        return error


async def _next(control: Control, job: ImageJob, clock: Clock) -> ImageJob:
    look = FollowImages(id=job.id, seen=job.revision)
    for _ in range(MOST_LOOKS - 1):
        try:
            return await control.call(images.follow_images, look)
        except (Unreachable, TimedOut):
            await clock.sleep(PAUSE_S)
    return await control.call(images.follow_images, look)


async def _stop(control: Control, job: ImageJob) -> None:
    with suppress(HalextError):
        await control.call(images.cancel_images, ImageJobRef(id=job.id))


def told(job: ImageJob) -> str:
    """How far a job is, in words and a bar."""
    if job.state == "waiting":
        where = f" at {job.node}" if job.node else ""
        return f"waiting{where}, place {job.place}" if job.place else f"waiting{where}"
    at = f"{job.model} on {job.node}: "
    if not job.step or not job.of:
        return f"{at}no step yet"  # it loads its model, or is a server that never tells
    full = round(BAR * job.step / job.of)
    left = f", about {_duration(job.eta_s)} left" if job.eta_s is not None else ""
    return f"{at}{'█' * full}{'░' * (BAR - full)} step {job.step} of {job.of}{left}"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 2 * MINUTE_S else f"{seconds / MINUTE_S:.0f} min"
