"""Chat accounts, and the codes that link them to people."""

from __future__ import annotations

from dataclasses import dataclass, field

from halext.types import UserId


@dataclass(frozen=True, slots=True)
class ChatAccount:
    """Someone on a chat platform."""

    platform: str
    """Such as `discord` or `telegram`."""
    id: str
    """The platform's own number for them. Names can be changed and taken over; numbers can't."""
    name: str = ""
    """What they are called there, for people to recognise; it proves nothing."""


@dataclass(frozen=True, slots=True)
class Link:
    """A chat account that belongs to a person here."""

    account: ChatAccount
    user_id: UserId
    linked_at: float


@dataclass(frozen=True, slots=True)
class LinkCode:
    """A code to be typed into a chat, once. It is shown this once; only its digest is kept."""

    text: str = field(repr=False)
    expires_at: float
