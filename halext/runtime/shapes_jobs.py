"""The JSON of jobs."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field

from halext.runtime.shapes import Params

JobStateWord = Literal["queued", "running", "done", "failed", "cancelled", "interrupted", "expired"]
PriorityWord = Literal["interactive", "batch"]


class OfOwner(Params, frozen=True):
    """Whose jobs: only for the owner of the machine, who has no account; everyone else has their own."""

    user: str | None = None


class JobMessage(Struct, frozen=True, forbid_unknown_fields=True):
    """One turn of the conversation that is to be answered."""

    role: Literal["system", "user", "assistant"]
    content: str


class Asking(OfOwner, frozen=True, kw_only=True):
    """How a question is to be answered. `options` are temperature, top_p, seed, max_tokens and their like."""

    model: str = ""
    system: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    schema: dict[str, Any] | None = None
    """The answer must be JSON that follows this."""
    node: str | None = None
    priority: PriorityWord = "batch"
    expires_in_s: float | None = None
    """So long it may wait until it begins; without it, until there is a node for it."""


class AddJob(Asking, frozen=True, kw_only=True):
    """A question to be answered in the background: a prompt, or whole messages."""

    prompt: str = ""
    messages: list[JobMessage] = field(default_factory=list)
    name: str = ""
    key: str | None = None
    """The same question with the same key is one job, however often it is sent."""


class AddJobs(Asking, frozen=True, kw_only=True):
    """Many questions under one name. Sent again, what is known is left as it is."""

    name: str
    prompts: list[str]


class ListJobs(OfOwner, frozen=True, kw_only=True):
    """Jobs in this state and of this name, the newest first; `after` is the id of the last one seen."""

    state: JobStateWord | None = None
    name: str | None = None
    after: int | None = None
    limit: int = 100


class JobRef(OfOwner, frozen=True, kw_only=True):
    """One job."""

    id: int


class CancelJobs(OfOwner, frozen=True, kw_only=True):
    """All jobs of a name."""

    name: str


class JobFailure(Struct, frozen=True):
    """Why the last attempt did not work."""

    code: str
    message: str


class JobAnswer(Struct, frozen=True):
    """What the model said."""

    text: str
    finish: str = "stop"
    model: str = ""
    node: str = ""
    total_s: float | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0


class JobInfo(Struct, frozen=True):
    """A job. Times are in seconds since the epoch."""

    id: int
    kind: str
    name: str
    key: str | None
    state: JobStateWord
    priority: int
    prompt: str
    progress: float
    note: str
    attempts: int
    max_attempts: int
    is_cancelling: bool
    error: JobFailure | None
    answer: JobAnswer | None
    created_at: float
    run_at: float
    started_at: float | None
    finished_at: float | None


class BatchInfo(Struct, frozen=True):
    """What became of a batch that was sent: how many jobs are new, and how many were there."""

    name: str
    new: int
    known: int


class CancelledJobs(Struct, frozen=True):
    """How many jobs were cancelled, or asked to end."""

    cancelled: int
