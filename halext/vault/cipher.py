"""Sealing: the only file that knows how secrets are encrypted."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from halext.errors import InvalidSetting, WrongKey
from halext.types import SecretRef

KEY_BYTES = 32
_DISTINCT_MIN = 12
"""32 random bytes have about 30 different values; fewer than 12 happen once in 10^15 keys, or by typing."""
_KEY_ID_LENGTH = 8


def new_key() -> str:
    """A new master key, as text."""
    return Fernet.generate_key().decode()


def parse_keys(text: str) -> tuple[str, ...]:
    """The master keys in a comma list, newest first. Raises `InvalidSetting`, which never shows a key."""
    keys = tuple(part.strip() for part in text.split(",") if part.strip())
    if not keys:
        raise InvalidSetting("HALEXT_MASTER_KEY is empty; restore the key, or leave the setting out to get a new one")
    for number, key in enumerate(keys, start=1):
        _check(key, number)
    return keys


def _check(key: str, number: int) -> None:
    try:
        raw = base64.urlsafe_b64decode(key)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != KEY_BYTES:
        raise InvalidSetting(f"Key {number} in HALEXT_MASTER_KEY is not {KEY_BYTES} bytes in URL-safe base64")
    if len(set(raw)) < _DISTINCT_MIN:
        raise InvalidSetting(f"Key {number} in HALEXT_MASTER_KEY is no random key; let halext make one")


class Cipher:
    """Seals with the newest key and opens with any of them."""

    def __init__(self, keys: Sequence[str]) -> None:
        """`keys` are as `parse_keys` returns them."""
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        self.key_id = hashlib.sha256(base64.urlsafe_b64decode(keys[0])).hexdigest()[:_KEY_ID_LENGTH]
        """Which key seals, for people to compare: the first characters of its SHA-256."""

    def __repr__(self) -> str:
        return f"<Cipher {self.key_id}>"

    def seal(self, ref: SecretRef, value: str) -> str:
        """The value, encrypted together with its name."""
        envelope = json.dumps({"ref": ref, "value": value})
        return self._fernet.encrypt(envelope.encode()).decode()

    def open(self, ref: SecretRef, sealed: str) -> str:
        """The value. Raises `WrongKey` if no key opens it, if it was altered, or if it belongs to another name."""
        try:
            envelope = json.loads(self._fernet.decrypt(sealed))
        except (InvalidToken, ValueError) as error:
            raise WrongKey(
                f"The master key does not open the secret “{ref}”; restore the key or enter it again"
            ) from error
        if envelope["ref"] != ref:
            raise WrongKey(f"The secret “{ref}” was stored under another name; enter it again")
        return str(envelope["value"])
