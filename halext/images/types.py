"""A job for pictures, from the wish to the files."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from halext.accounts.types import Caller
from halext.errors import HalextError
from halext.pictures import Picture, Recipe
from halext.types import ModelName, NodeName, RequestId


class JobState(StrEnum):
    """Where a job stands; the last three are ends."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_end(self) -> bool:
        """Whether nothing will change any more."""
        return self not in {JobState.WAITING, JobState.RUNNING}


CancelOutcome = Literal["dequeued", "stopping", "too_late"]
"""It will never begin · it ends after its next step · it has ended, or can't be stopped where it runs."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job at one moment. `revision` counts up with every change."""

    id: RequestId
    caller: Caller
    wish: Recipe
    created_at: float
    state: JobState = JobState.WAITING
    revision: int = 0
    place: int | None = None
    """In line while it waits: 1 is next."""
    step: int = 0
    of: int = 0
    """Steps done, and steps in all pictures together; 0 while nobody knows."""
    eta_s: float | None = None
    node: NodeName | None = None
    model: ModelName | None = None
    pictures: tuple[Picture, ...] = ()
    error: HalextError | None = None
    """Why it failed, or that it was cancelled."""
