"""The JSON of chat accounts."""

from __future__ import annotations

from msgspec import Struct

from halext.runtime.shapes import Params


class LinksOf(Params, frozen=True):
    """Whose chat accounts: only for the owner of the machine, who has no account; everyone else has their own."""

    user: str | None = None


class UnlinkAccount(LinksOf, frozen=True, kw_only=True):
    """A chat account that is no longer to be known."""

    platform: str
    account: str


class LinkCodeInfo(Struct, frozen=True, kw_only=True):
    """A code to be typed into a chat as `/link CODE`, once, while it is valid."""

    code: str
    expires_at: float


class LinkInfo(Struct, frozen=True, kw_only=True):
    """A chat account of the caller's."""

    platform: str
    account: str
    """The platform's own number for it."""
    name: str
    linked_at: float
