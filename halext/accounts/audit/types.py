"""Entries of the audit log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from halext.accounts.types import Caller, Role
from halext.types import UserId

Outcome = Literal["ok", "denied", "failed"]
"""Done; not allowed, or not so often; allowed, and it went wrong."""
Scalar = None | bool | int | float | str
Detail = Scalar | Sequence[Scalar]

HOUSE = Caller("halext", Role.ADMIN, "house")
"""Who does what nobody asked for, such as starting."""
STRANGER = Caller("stranger", Role.GUEST, "house")
"""Who is not known, or not yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that somebody did, or tried."""

    at: float
    user_id: UserId | None
    name: str
    """What the person was called then: entries outlive people and their names."""
    credential: str
    action: str
    """A stable name with a dot, such as `people.set-role`."""
    subject: str
    """What it was done to."""
    outcome: Outcome
    address: str = ""
    request_id: str = ""
    details: Mapping[str, Detail] = field(default_factory=dict)
    count: int = 1
    """How often, where the same came again and again; `at` is the last time then."""
    id: int = 0
    """Its place in the log; 0 before it is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which entries to see, the newest first."""

    since: float = 0.0
    until: float | None = None
    who: str | None = None
    """The name of a person, however it is written, as it was then."""
    action: str | None = None
    """An action, or the part before its dot for all of that room."""
    after: int | None = None
    """Go on behind the entry of this id, as the last page ended."""
    limit: int = 100


class Audit(Protocol):
    """Takes what was done without making anyone wait."""

    def record(self, action: str, by: Caller, subject: str = "", outcome: Outcome = "ok", /, **details: Detail) -> None:
        """Remember it; it is on record soon. The same within a minute becomes one more entry with a count.

        Details are names, ids and choices; never a secret, a prompt or an answer.
        """

    async def write(
        self, action: str, by: Caller, subject: str = "", outcome: Outcome = "ok", /, **details: Detail
    ) -> None:
        """Put it on record; it is there when this returns. Raises `DatabaseUnavailable`; then it is written later."""


class Unrecorded:
    """Fulfils `Audit` where nobody keeps a log, as in tests of something else."""

    def record(self, action: str, by: Caller, subject: str = "", outcome: Outcome = "ok", /, **details: Detail) -> None:
        """Forget it."""

    async def write(
        self, action: str, by: Caller, subject: str = "", outcome: Outcome = "ok", /, **details: Detail
    ) -> None:
        """Forget it."""
