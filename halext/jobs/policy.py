"""What a job may be, and what happens to one that did not work."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from halext.accounts.types import Caller
from halext.errors import (
    AccessError,
    CapacityError,
    Conflict,
    HalextError,
    Internal,
    InvalidInput,
    StateError,
    TooLarge,
    TooManyRequests,
)
from halext.jobs.types import Draft, Failure, Job, JobId, JobState
from halext.types import UserId

MAX_ATTEMPTS = 3
"""Attempts that reached a node or died with their worker; waiting for a free node is none."""
LEASE_S = 60.0
"""After so long without a sign of life a worker is taken for dead."""
RETRY_BASE_S = 5.0
RETRY_MAX_S = 600.0

PAYLOAD_MAX = 1024 * 1024
"""Bytes of one job's payload as JSON."""
RESULT_MAX = 4 * 1024 * 1024
BATCH_MAX = 10_000
QUEUED_MAX = 20_000
"""Jobs of one person that may wait at the same time."""
QUEUED_BYTES_MAX = 256 * 1024 * 1024
"""And their payloads together: the disk is everyone's."""
PAGE_MAX = 500
PAGE_BYTES = 8 * 1024 * 1024
"""A page of jobs is read into memory as a whole."""
NAME_MAX = 100
KEY_MAX = NAME_MAX + 10
NOTE_MAX = 200
ERROR_MAX = 1_000
KEEP_S = 30 * 24 * 3600.0
"""How long a job that has ended is kept."""
WAIT_MAX_S = KEEP_S

ENDED = (JobState.DONE, JobState.FAILED, JobState.CANCELLED, JobState.INTERRUPTED, JobState.EXPIRED)
AGAIN = (JobState.FAILED, JobState.CANCELLED, JobState.INTERRUPTED, JobState.EXPIRED)
"""From where a person may put a job in line once more."""

DIED = Failure("interrupted", "The process that worked on it stopped in the middle.")
EXPIRED = Failure("timed_out", "Its time was over before it could begin.")


def owner(caller: Caller) -> UserId:
    """Whose jobs this caller has. Raises `InvalidInput` for those without an account."""
    if caller.user_id is None:
        raise InvalidInput("Jobs belong to a person: sign in, or use that person's API token.")
    return caller.user_id


def clean(draft: Draft) -> tuple[Draft, int]:
    """The draft as it is kept, and the bytes of its payload. Raises `InvalidInput` and `TooLarge`."""
    name = " ".join(draft.name.split())
    if len(name) > NAME_MAX or not name.isprintable():
        raise InvalidInput(f"The name of a job has at most {NAME_MAX} characters, and none that can't be seen.")
    if draft.key is not None and not (1 <= len(draft.key) <= KEY_MAX and draft.key.isprintable()):
        raise InvalidInput(f"The key of a job has 1 to {KEY_MAX} characters, and none that can't be seen.")
    if draft.expires_in_s is not None and not 0 < draft.expires_in_s <= WAIT_MAX_S:
        raise InvalidInput("The time that a job may wait is more than 0 seconds and at most 30 days.")
    size = len(json.dumps(draft.payload))  # as the database's driver writes it
    if size > PAYLOAD_MAX:
        raise TooLarge(f"A job takes at most {PAYLOAD_MAX // 1024:,} KB; send a part of it.")
    return replace(draft, name=name), size


def batch(name: str, drafts: Sequence[Draft]) -> list[Draft]:
    """Jobs of one name, each with the key that makes sending the whole batch again harmless. Raises `InvalidInput`."""
    if not 1 <= len(drafts) <= BATCH_MAX:
        raise InvalidInput(f"A batch has 1 to {BATCH_MAX:,} jobs; send it in parts under different names.")
    name = " ".join(name.split())
    if not name:
        raise InvalidInput("A batch needs a name, by which its results are found.")
    return [replace(draft, name=name, key=f"{name}/{index}") for index, draft in enumerate(drafts)]


def check_room(queued: int, queued_bytes: int, more: int, more_bytes: int) -> None:
    """Raise `TooManyRequests` where a person would have too much in line."""
    if queued + more > QUEUED_MAX:
        raise TooManyRequests(
            f"{queued:,} jobs of yours are waiting, and {QUEUED_MAX:,} may; wait until some are done, or cancel some.",
            retry_after_s=LEASE_S,
        )
    if queued_bytes + more_bytes > QUEUED_BYTES_MAX:
        raise TooManyRequests(
            f"The jobs of yours that are waiting would take more than {QUEUED_BYTES_MAX // 1024**2} MB; "
            "wait until some are done, or cancel some.",
            retry_after_s=LEASE_S,
        )


def fitting(sizes: Sequence[tuple[JobId, int]]) -> list[JobId]:
    """As many of the first ones as fit into a page, and at least one."""
    found: list[JobId] = []
    room = PAGE_BYTES
    for job, size in sizes:
        room -= size
        if room < 0 and found:
            break
        found.append(job)
    return found


def check_again(job: Job) -> None:
    """Raise `Conflict` where a job can't be put in line once more."""
    if job.state not in AGAIN:
        raise Conflict(f"Job {job.id} is {job.state}; only what failed, was cancelled or broke off can be tried again.")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a job whose attempt did not work."""

    failure: Failure
    retry_in_s: float | None
    """None: it has failed for good."""
    counts: bool
    """Whether this was one of its attempts."""


def after(error: Exception, job: Job) -> Verdict:
    """What to do when a handler raised this.

    Where nobody could take the work, or the database was away, the job just waits, as long as it takes; where a node
    failed, it is tried again some times; whatever else goes wrong would go wrong again.
    """
    if not isinstance(error, HalextError):
        return Verdict(Failure(Internal.code, Internal().message), None, counts=True)
    failure = Failure(error.code, plain(error.message)[:ERROR_MAX])
    if not error.retryable:
        return Verdict(failure, None, counts=True)
    if isinstance(error, CapacityError | AccessError | StateError):
        return Verdict(failure, max(delay(job.attempts), error.retry_after_s or 0.0), counts=False)
    if job.attempts >= job.max_attempts:
        return Verdict(failure, None, counts=True)
    return Verdict(failure, max(delay(job.attempts), error.retry_after_s or 0.0), counts=True)


def plain(text: str) -> str:
    """The text without the one character that PostgreSQL can't keep."""
    return text.replace("\0", "")


def delay(attempts: int) -> float:
    """Seconds before the next attempt: twice as long each time, up to a limit."""
    return min(RETRY_MAX_S, RETRY_BASE_S * 2.0 ** min(max(attempts, 1) - 1, 20))


def too_large(size: int) -> TooLarge:
    """Said of a result that nobody would want in a database."""
    return TooLarge(f"The result has {size // 1024:,} KB, and {RESULT_MAX // 1024:,} KB are kept.")
