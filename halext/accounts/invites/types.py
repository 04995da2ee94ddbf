"""Invites."""

from __future__ import annotations

from dataclasses import dataclass, field

from halext.accounts.types import Role


@dataclass(frozen=True, slots=True)
class Invite:
    """An invite that nobody has used yet, without its code."""

    id: int
    role: Role
    note: str
    """Whom it is for, for those who look through the list."""
    maker: str | None
    """Who made it; None for the owner of the machine."""
    created_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class NewInvite:
    """A new invite with its code, which is shown this once; only its digest is kept."""

    code: str = field(repr=False)
    invite: Invite
