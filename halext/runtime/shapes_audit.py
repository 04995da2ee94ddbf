"""The JSON of the audit log. As in `shapes`, times are seconds since the epoch."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from halext.runtime.shapes import Params


class ListAudit(Params, frozen=True):
    """Entries, the newest first."""

    since: float = 0.0
    until: float | None = None
    who: str | None = None
    """A person's name as it was then."""
    action: str | None = None
    """Such as `people.set-role`, or `people` for everything of that room."""
    after: int | None = None
    """Go on behind the entry of this id: the last one of the page before."""
    limit: int = 100


class AuditEntry(Struct, frozen=True):
    """Something that somebody did, or tried."""

    id: int
    at: float
    name: str
    user_id: int | None
    """None for the owner of this machine, for halext itself and for strangers."""
    credential: str
    action: str
    subject: str
    outcome: Literal["ok", "denied", "failed"]
    address: str
    request_id: str
    details: dict[str, bool | int | float | str | list[bool | int | float | str | None] | None]
    count: int
    """How often, where the same came again within a minute; `at` is the last time then."""
