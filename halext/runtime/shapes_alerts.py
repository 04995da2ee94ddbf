"""The JSON of alerts. As in `shapes`, times are seconds since the epoch."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from halext.runtime.shapes import Params


class ListAlerts(Params, frozen=True):
    """Incidents, the newest first."""

    open: bool = False
    """Only those that are not over."""
    limit: int = 50


class NoticeInfo(Struct, frozen=True):
    """An incident told in one place."""

    place: str
    """Such as `webhook/slack`."""
    state: Literal["waiting", "told", "done", "given-up"]
    """There is something to tell; its beginning is told; all is told; it was over for too long to be told."""
    attempts: int
    error: str
    """Why the last attempt failed; empty after one that worked."""


class IncidentInfo(Struct, frozen=True):
    """One outage of a node. Open where `ended_at` is None."""

    id: int
    node: str
    rule: str
    reason: str
    started_at: float
    """The first failed look."""
    fired_at: float
    ended_at: float | None
    ending: Literal["back", "removed"] | None
    told: list[NoticeInfo]
    """Empty where nobody was there to be told."""
