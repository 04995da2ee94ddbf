"""Pictures: ordered, followed and cancelled."""

from __future__ import annotations

from halext.accounts.types import Caller, Permission
from halext.images.types import CancelOutcome, Job
from halext.pictures import Picture, Recipe
from halext.runtime.app import Fleet
from halext.runtime.operations import operation
from halext.runtime.shapes_images import (
    Cancellation,
    FollowImages,
    ImageFailure,
    ImageJob,
    ImageJobRef,
    Imagine,
    PictureInfo,
    RecipeInfo,
)
from halext.types import ModelName, NodeName, RequestId

LONGEST_LOOK_S = 25.0
"""Proxies give up on a silent connection after 30 to 60 s."""

CANCELLED: dict[CancelOutcome, str] = {
    "dequeued": "It was waiting, and will not begin.",
    "stopping": "It ends after its next step.",
    "too_late": "It is too late: it has ended, or its node can't stop it.",
}


@operation("POST", "/hx/images", Permission.USE)
async def imagine(fleet: Fleet, caller: Caller, params: Imagine) -> ImageJob:
    """Make pictures; with `wait` false the answer is a job to follow."""
    wish = Recipe(
        prompt=params.prompt,
        negative=params.negative,
        model=ModelName(params.model),
        width=params.width,
        height=params.height,
        steps=params.steps,
        cfg=params.cfg,
        sampler=params.sampler,
        seed=params.seed,
        n=params.n,
    )
    node = NodeName(params.node) if params.node else None
    if params.wait:
        return job_info(await fleet.studio.make(caller, wish, node=node))
    return job_info(fleet.studio.begin(caller, wish, node=node))


@operation("GET", "/hx/images/{id}", Permission.OWN)
async def follow_images(fleet: Fleet, caller: Caller, params: FollowImages) -> ImageJob:
    """How far a job is, and its pictures once they are there."""
    wait_s = min(max(0.0, params.wait_s), LONGEST_LOOK_S)
    return job_info(await fleet.studio.wait(caller, RequestId(params.id), params.seen, wait_s))


@operation("DELETE", "/hx/images/{id}", Permission.OWN)
async def cancel_images(fleet: Fleet, caller: Caller, params: ImageJobRef) -> Cancellation:
    """Cancel a job, as far as that can be done."""
    outcome = await fleet.studio.stop(caller, RequestId(params.id))
    return Cancellation(outcome, CANCELLED[outcome])


def job_info(job: Job) -> ImageJob:
    """A job as JSON."""
    return ImageJob(
        id=job.id,
        state=job.state.value,
        revision=job.revision,
        place=job.place,
        step=job.step,
        of=job.of,
        eta_s=job.eta_s,
        node=job.node,
        model=job.model,
        pictures=[picture_info(picture) for picture in job.pictures],
        error=ImageFailure(job.error.code, job.error.message) if job.error else None,
    )


def picture_info(picture: Picture) -> PictureInfo:
    """A picture as JSON."""
    used = picture.recipe
    recipe = RecipeInfo(
        prompt=used.prompt,
        negative=used.negative,
        model=used.model,
        width=used.width,
        height=used.height,
        steps=used.steps,
        cfg=used.cfg,
        sampler=used.sampler,
        seed=used.seed,
    )
    return PictureInfo(picture.png, recipe, picture.node)
