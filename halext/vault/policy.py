"""What a secret may be called, what it is for, and which uses are noted."""

from __future__ import annotations

from halext.errors import InvalidInput
from halext.types import SecretRef, UserId
from halext.vault.types import SecretKind

REF_MAX = 255
VALUE_MAX = 32_768
"""Characters: a private key or a service account's file; more is no secret but a document."""
PER_PERSON = 50
"""Secrets that one person may keep."""
NOTED_EVERY_S = 3600.0
"""How often halext's own use of one secret for one purpose is noted: a node's key is used many times a second."""

_BOTS = frozenset({"discord", "telegram"})


def check(ref: SecretRef, value: str) -> None:
    """Raise `InvalidInput` for a name that can't be shown, or a value that is none. The value is never repeated."""
    if not 1 <= len(ref) <= REF_MAX or not ref.isprintable():
        raise InvalidInput(f"A secret's name has 1 to {REF_MAX} printable characters")
    if not 1 <= len(value) <= VALUE_MAX:
        raise InvalidInput(f"A secret has 1 to {VALUE_MAX} characters")


def kind_of(ref: SecretRef, owner: UserId | None) -> SecretKind:
    """What a secret of this name is for."""
    if owner is not None:
        return SecretKind.PERSONAL
    if ref in _BOTS:
        return SecretKind.BOT
    head, slash, _ = ref.partition("/")
    if slash and head in {SecretKind.NODE, SecretKind.WEBHOOK}:
        return SecretKind(head)
    return SecretKind.PROVIDER


def is_noted(last: float | None, now: float) -> bool:
    """Whether halext's own use is noted: the first since it started, and then one in an hour."""
    return last is None or now - last >= NOTED_EVERY_S
