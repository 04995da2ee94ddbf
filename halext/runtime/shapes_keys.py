"""The JSON of people's own secrets, and of a change of the master key."""

from __future__ import annotations

from msgspec import Struct

from halext.runtime.shapes import Params


class KeysOf(Params, frozen=True):
    """Whose secrets: only for the owner of the machine, who has no account; everyone else has their own."""

    user: str | None = None


class OwnKey(KeysOf, frozen=True, kw_only=True):
    """One of them, by its name."""

    name: str


class SetOwnKey(OwnKey, frozen=True, kw_only=True):
    """Store a secret of one's own under a name."""

    value: str


class Rotation(Struct, frozen=True, kw_only=True):
    """What a rotation did: secrets sealed anew, and the older keys that are kept behind the new one."""

    sealed: int
    older_keys: int
    is_resumed: bool
    """It went on with one that was killed midway, and made no new key."""
