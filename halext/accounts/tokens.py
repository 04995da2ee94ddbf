"""Credentials made by chance: API tokens, sessions and one-time codes."""

from __future__ import annotations

import hashlib
import secrets
from typing import Literal

RANDOM_BYTES = 32
Purpose = Literal["token", "session", "code", "invite"]
PREFIXES: dict[Purpose, str] = {"token": "hx_", "session": "hxs_", "code": "hxc_", "invite": "hxi_"}
"""They make a credential recognisable, to people and to scanners that look for leaked ones."""
_TEXT_LENGTH = 43
"""Characters that base64 needs for 32 bytes."""
_HINT_LENGTH = 8


def make(purpose: Purpose) -> str:
    """A new credential with 256 random bits. Show it once; keep only its `digest`."""
    return PREFIXES[purpose] + secrets.token_urlsafe(RANDOM_BYTES)


def purpose_of(credential: str) -> Purpose | None:
    """What the credential looks like; None if it can't be one of ours, which saves asking the database."""
    for purpose, prefix in PREFIXES.items():
        if credential.startswith(prefix) and len(credential) == len(prefix) + _TEXT_LENGTH and credential.isascii():
            return purpose
    return None


def digest(credential: str) -> str:
    """The SHA-256 to keep and to look up. With 256 random bits, salt and slowness would add nothing."""
    return hashlib.sha256(credential.encode()).hexdigest()


def hint(credential: str) -> str:
    """The first characters: enough for the owner to recognise it, far too few to use it."""
    return credential[:_HINT_LENGTH]
