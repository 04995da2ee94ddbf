"""To-dos of people. A task is a person's; work of halext's own is a job."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from halext.accounts.workspaces.types import ALONE, Sharing
from halext.types import UserId

TaskId = NewType("TaskId", int)


class Priority(StrEnum):
    """How much it matters."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


class TaskState(StrEnum):
    """Where it stands. A suggested task is nobody's to-do yet: its owner accepts or drops it."""

    SUGGESTED = "suggested"
    OPEN = "open"
    DONE = "done"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Task:
    """One thing that someone means to do. Times are seconds since the epoch."""

    id: TaskId
    owner_id: UserId
    title: str
    notes: str
    priority: Priority
    state: TaskState
    due_at: float | None
    created_at: float
    done_at: float | None
    sharing: Sharing = ALONE
    """How it stands to the person who looks at it."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A task that is not written down yet."""

    title: str
    notes: str = ""
    priority: Priority = Priority.NORMAL
    due_at: float | None = None
