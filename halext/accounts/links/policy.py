"""What a link code looks like, how long it lives and how often one may guess."""

from __future__ import annotations

import re

from halext.accounts.links.types import ChatAccount
from halext.errors import InvalidInput

ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Characters that nobody mistakes for one another, read aloud or typed on a phone."""
LENGTH = 8
"""39 bits. With `GUESSES` and a life of ten minutes, guessing one takes longer than anyone lives."""
LIFE_S = 600.0
GUESSES = 5
"""Wrong codes from one chat account per `GUESS_WINDOW_S`."""
GUESSES_IN_ALL = 100
"""Wrong codes from all accounts of a platform per `GUESS_WINDOW_S`: making new accounts does not help."""
GUESS_WINDOW_S = 600.0
PLATFORM = re.compile(r"[a-z][a-z0-9-]{0,15}")
ID_MAX = 64
ID = re.compile(rf"[!-.0-~]{{1,{ID_MAX}}}")
"""No space and no slash: it stands in addresses and on command lines."""
NAME_MAX = 100


def shown(characters: str) -> str:
    """A code as people see it."""
    return f"{characters[:4]}-{characters[4:]}"


def typed(text: str) -> str | None:
    """The characters of a code as someone typed it; None for what can't be one."""
    characters = re.sub(r"[\s-]", "", text).upper()
    return characters if len(characters) == LENGTH and all(c in ALPHABET for c in characters) else None


def check(account: ChatAccount) -> ChatAccount:
    """The account as it is kept. Raises `InvalidInput`."""
    if not PLATFORM.fullmatch(account.platform) or not ID.fullmatch(account.id):
        raise InvalidInput("That is no chat account.")
    name = "".join(c for c in account.name if c.isprintable())
    return ChatAccount(account.platform, account.id, name[:NAME_MAX])
