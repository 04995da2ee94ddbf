"""Quotas: what is measured, for whom, and how much of it they may have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

from halext.accounts.types import Caller


class Measure(StrEnum):
    """What is counted. Minutes are those of the clock; days begin at midnight UTC."""

    REQUESTS = "requests_per_minute"
    TOKENS = "tokens_per_day"
    """Read and written by models, together."""
    IMAGES = "images_per_day"
    GPU_SECONDS = "gpu_seconds_per_day"
    """For how long a node worked on answers and pictures."""


Amounts = Mapping[Measure, float]
"""So much of each. A measure that is missing is not touched; one that is there with 0 must have something left."""

Limits = Mapping[Measure, int | None]
"""The most of each; None: without limit. A measure that is missing is left to whatever applies otherwise."""

SubjectKind = Literal["user", "workspace", "role"]


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """For whom a limit is set. A role's limits are those of each person who has it and no limits of their own."""

    kind: SubjectKind
    id: str
    """The number of the person or workspace, or the role's name."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One line of a reservation: of one measure, for one subject."""

    subject: Subject
    measure: Measure
    most: int
    wanted: float
    """What is held while the request runs; less when less is left."""
    least: float
    """What must be left, or the request is refused."""

    @property
    def at_once(self) -> bool:
        """Whether it is used up by asking, so that nothing is to be settled."""
        return self.measure is Measure.REQUESTS


@dataclass(frozen=True, slots=True)
class Count:
    """How much of a measure is gone in the minute or the day that runs."""

    used: float = 0.0
    held: float = 0.0
    """Promised to requests that are still running."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a reservation was not made."""

    claim: Claim
    count: Count
    resets_in_s: float


@dataclass(frozen=True, slots=True)
class Standing:
    """How one measure stands for one subject."""

    subject: Subject | None
    """None where nothing is counted, because there is no limit."""
    measure: Measure
    most: int | None
    count: Count
    resets_in_s: float


class Reservation(Protocol):
    """What a request was promised. It is given back by `settle`, or by time when the process died."""

    def settle(self, spent: Amounts) -> None:
        """Count what was really used in place of what was held. Never waits or fails; only the first call counts."""


class Quota(Protocol):
    """What the gateway and the studio ask before they begin."""

    async def reserve(self, caller: Caller, wanted: Amounts) -> Reservation | None:
        """Take it from the caller's quotas, all or nothing; None for callers without any limit.

        Raises `QuotaSpent`, which says what is spent and when there is more, and `DatabaseUnavailable`.
        """
