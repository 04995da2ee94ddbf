"""The JSON of sign-ins and invites."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from halext.runtime.shapes import Params


class SessionRef(Params, frozen=True):
    """One of the caller's sign-ins."""

    id: int


class SessionInfo(Struct, frozen=True, kw_only=True):
    """A sign-in of the caller's."""

    id: int
    created_at: float
    expires_at: float
    used_at: float | None
    """The last use, to ten minutes."""
    address: str
    """Where it was made from."""
    agent: str
    """What kind of program made it, by its own account."""
    current: bool
    """Whether it is the one that asks."""


class ChangePassword(Params, frozen=True):
    """Replace one's own password; all other sign-ins end."""

    current: str
    password: str


class MakeInvite(Params, frozen=True):
    """An invite for one person."""

    role: Literal["admin", "member", "guest"] = "member"
    days: float = 7.0
    """How long it is good for; at most 14."""
    note: str = ""
    """Whom it is for, to be seen in the list."""


class InviteRef(Params, frozen=True):
    """One invite."""

    id: int


class InviteInfo(Struct, frozen=True, kw_only=True):
    """An invite that nobody has used yet."""

    id: int
    role: str
    note: str
    maker: str | None
    created_at: float
    expires_at: float


class NewInviteInfo(Struct, frozen=True, kw_only=True):
    """An invite with its link, this once."""

    link: str
    code: str
    """What the link carries."""
    info: InviteInfo
