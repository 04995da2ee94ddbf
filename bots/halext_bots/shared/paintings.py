"""How pictures look in a chat while they are made, and when they are there."""

from __future__ import annotations

from halext.commands import words
from halext.commands.types import Button, File
from halext.images.types import Job, JobState
from halext.pictures import Picture
from halext.runtime.units import show_duration

SIGNS = 20
"""Characters of the bar."""


def progress(job: Job) -> str:
    """How far a job is, as Markdown."""
    if job.state is JobState.WAITING:
        return f"Waiting for a free node, place {job.place} in line." if job.place else "Waiting for a free node."
    where = f" on {words.plain(job.node)}" if job.node else ""
    if not job.of:
        return f"Preparing{where} …"
    left = f", about {show_duration(job.eta_s)} left" if job.eta_s is not None else ""
    done = round(SIGNS * job.step / job.of)
    return f"`{'█' * done}{'░' * (SIGNS - done)}` step {job.step} of {job.of}{where}{left}"


def ended(job: Job) -> str:
    """What stands below the pictures, or why there are none."""
    if job.error is not None:
        return words.plain(job.error.message)
    return "\n".join(_caption(picture) for picture in job.pictures)


def stop_button(job: Job) -> tuple[Button, ...]:
    """Under a picture that is being made."""
    return (Button("Stop", f"cancel {job.id}"),)


def files(job: Job) -> tuple[File, ...]:
    """The pictures; their names hold the seed, so that they can be made again."""
    return tuple(File(f"picture-{picture.recipe.seed}.png", picture.png) for picture in job.pictures)


def _caption(picture: Picture) -> str:
    used = picture.recipe
    parts = (f"{words.plain(used.model)} on {words.plain(picture.node)}", f"{used.width}×{used.height}")
    return f"*{' · '.join([*parts, f'{used.steps} steps', f'seed {used.seed}'])}*"
