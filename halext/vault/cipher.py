"""Sealing: the only file that knows how secrets are encrypted.

Every secret has a random data key of its own. The value is sealed with the data key, the data key with a master key,
and both are bound to the secret's label inside what is sealed: a ciphertext that was moved to another row does not
open. Changing the master key seals the data keys anew and leaves the values alone.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from halext.errors import InvalidSetting, WrongKey
from halext.types import SecretRef
from halext.vault.types import Label, Sealed

KEY_BYTES = 32
_DISTINCT_MIN = 12
"""32 random bytes have about 30 different values; fewer than 12 happen once in 10^15 keys, or by typing."""
_KEY_ID_LENGTH = 8
_KNOWN = frozenset({"cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="})
"""Keys that stand in documentation: the example of Fernet's specification."""


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


def weakness(key: str) -> str | None:
    """Why a key that `parse_keys` takes can still be guessed; None for one that looks drawn at random."""
    raw = base64.urlsafe_b64decode(key)
    if key in _KNOWN:
        return "stands in public documentation"
    if raw.isascii() and raw.decode().isprintable():  # once in 10^14 keys by chance
        return "is a text that somebody typed"
    if len({(after - before) % 256 for before, after in pairwise(raw)}) == 1:
        return "is a row of numbers"
    if raw[: KEY_BYTES // 2] == raw[KEY_BYTES // 2 :]:
        return "repeats its first half"
    return None


def key_id(key: str) -> str:
    """Which key this is, for people to compare: the first characters of its SHA-256."""
    return hashlib.sha256(base64.urlsafe_b64decode(key)).hexdigest()[:_KEY_ID_LENGTH]


class Cipher:
    """Seals with the newest master key and opens with any of them."""

    def __init__(self, keys: Sequence[str]) -> None:
        """`keys` are as `parse_keys` returns them."""
        self._masters = MultiFernet([Fernet(key) for key in keys])
        self.key_id = key_id(keys[0])
        """Which key seals."""
        self.key_ids = frozenset(map(key_id, keys))
        """Which keys open."""

    def __repr__(self) -> str:
        return f"<Cipher {self.key_id}>"

    def seal(self, label: Label, value: str) -> Sealed:
        """The value under a new data key, and the data key under the newest master key."""
        key = Fernet.generate_key()
        return Sealed(_pack(Fernet(key), label, "value", value), self._wrap(label, key.decode()), self.key_id)

    def open(self, label: Label, sealed: Sealed) -> str:
        """The value. Raises `WrongKey` if no key opens it, if it was altered, or if it belongs to another secret."""
        if sealed.data_key is None:
            return self._open_old(label, sealed.text)
        return _unpack(Fernet(self._unwrap(label, sealed.data_key)), label, "value", sealed.text)

    def rewrap(self, label: Label, sealed: Sealed) -> Sealed:
        """The same value, its data key under the newest master key; rows of older versions get a data key.

        Raises `WrongKey`.
        """
        if sealed.data_key is None:
            return self.seal(label, self._open_old(label, sealed.text))
        key = self._unwrap(label, sealed.data_key)
        return replace(sealed, data_key=self._wrap(label, key), key_id=self.key_id)

    def _wrap(self, label: Label, key: str) -> str:
        return _pack(self._masters, label, "key", key)

    def _unwrap(self, label: Label, data_key: str) -> str:
        return _unpack(self._masters, label, "key", data_key)

    def _open_old(self, label: Label, text: str) -> str:
        """A value of a version without data keys: sealed by a master key, with its name and nothing else."""
        envelope = _decrypted(self._masters, label, text)
        value = envelope.get("value")
        if label.owner is not None or envelope.get("ref") != label.ref or not isinstance(value, str):
            raise _foreign(label.ref)
        return value


def _pack(fernet: Fernet | MultiFernet, label: Label, field: str, value: str) -> str:
    return fernet.encrypt(json.dumps({"for": _bond(label), field: value}).encode()).decode()


def _unpack(fernet: Fernet | MultiFernet, label: Label, field: str, text: str) -> str:
    envelope = _decrypted(fernet, label, text)
    value = envelope.get(field)
    if envelope.get("for") != _bond(label) or not isinstance(value, str):
        raise _foreign(label.ref)
    return value


def _bond(label: Label) -> list[str | int | None]:
    return [label.ref, label.owner, str(label.kind)]


def _decrypted(fernet: Fernet | MultiFernet, label: Label, text: str) -> dict[str, object]:
    try:
        envelope = json.loads(fernet.decrypt(text))
    except (InvalidToken, ValueError):
        # The cause is left out: a ValueError may quote what was decrypted.
        message = f"The master key does not open the secret “{label.ref}”; restore the key or enter it again"
        raise WrongKey(message) from None
    return envelope if isinstance(envelope, dict) else {}


def _foreign(ref: SecretRef) -> WrongKey:
    return WrongKey(f"The secret “{ref}” was stored as another one; enter it again")
