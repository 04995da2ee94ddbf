"""Sign-ins."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a sign-in comes from, as far as it says."""

    address: str = ""
    agent: str = ""
    """What kind of program, such as “Firefox on Linux”. The program says so itself, and it proves nothing."""


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in of one person, without the secret that its browser holds."""

    id: int
    created_at: float
    proved_at: float
    """When the password was last shown. JWTs from before that moment are void."""
    expires_at: float
    used_at: float | None
    """The last use, to ten minutes."""
    origin: Origin
