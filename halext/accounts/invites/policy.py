"""How long an invite may live, whose counts, and how often one may guess."""

from __future__ import annotations

from halext.accounts.policy import PERMISSIONS
from halext.accounts.types import Permission, Role
from halext.errors import InvalidInput

LIFE_S = 7 * 24 * 3600.0
LONGEST_LIFE_S = 14 * 24 * 3600.0
"""A link that lies about in a chat for longer finds somebody whom it was not meant for."""
NOTE_MAX = 200
GUESSES = 10
"""Wrong codes from one address per `GUESS_WINDOW_S`; the codes are long, so this only spares the server the work."""
GUESS_WINDOW_S = 600.0

MAKERS = frozenset(role for role in Role if Permission.MANAGE_PEOPLE in PERMISSIONS[role])
"""The roles whose invites count. When its maker loses the last of them, or is shut out, an invite has ended."""


def check_life(life_s: float) -> float:
    """The time that an invite is good for. Raises `InvalidInput`."""
    if not 0 < life_s <= LONGEST_LIFE_S:
        raise InvalidInput("An invite is good for up to 14 days.")
    return life_s


def clean_note(note: str) -> str:
    """The note as it is kept: one line of it."""
    return " ".join("".join(c if c.isprintable() else " " for c in note).split())[:NOTE_MAX]
