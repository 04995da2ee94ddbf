"""JWTs: short-lived credentials for programs, made out of a sign-in or an API token and bound to it."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Literal

from halext.accounts.types import Permission
from halext.errors import InvalidSetting, Unauthenticated
from halext.types import UserId

LIFE_S = 15 * 60.0
LEEWAY_S = 30.0
"""How far the clocks of our processes may be apart."""
KEY_BYTES_MIN = 32
"""As long as the hash that HS256 uses: PyJWT only warns of shorter ones."""
LONGEST = 2048
"""Characters; ours have about 400."""

_ALGORITHM = "HS256"
_HEADER = {"alg": _ALGORITHM, "typ": "JWT"}
"""Exactly this. Anything else in a header (`kid`, `jwk`, `jku`, `crit`) would be the sender's word on how to check."""
_NAME = "halext"
_REQUIRED = ["exp", "sub", "aud", "jti", "iat", "iss"]
_LABEL = b"halext jwt signing key, version 1"

Source = Literal["session", "token"]
_SOURCES: dict[str, Source] = {"sid": "session", "tid": "token"}


@dataclass(frozen=True, slots=True)
class Claims:
    """What a JWT says, once it is certain that we have said it."""

    user_id: UserId
    source: Source
    digest: str = field(repr=False)
    """The hash of the session or token that it was made from: when that ends, so does this."""
    issued_at: float
    expires_at: float
    scopes: frozenset[Permission] | None


def signing_key(master_key: str) -> bytes:
    """The key for signing that belongs to a master key (HKDF, RFC 5869, one block): no key is used for two things.

    Raises `InvalidSetting` for a master key of fewer than 32 bytes.
    """
    try:
        raw = base64.urlsafe_b64decode(master_key)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) < KEY_BYTES_MIN:
        raise InvalidSetting(f"A key in HALEXT_MASTER_KEY has fewer than {KEY_BYTES_MIN} bytes")
    extracted = hmac.digest(bytes(hashlib.sha256().digest_size), raw, "sha256")
    return hmac.digest(extracted, _LABEL + b"\x01", "sha256")


def is_one(credential: str) -> bool:
    """Whether this looks like a JWT: two dots, and a JSON object in base64 before the first."""
    return credential.startswith("eyJ") and credential.count(".") == 2 and credential.isascii()  # noqa: PLR2004


class Jwts:
    """Signs and reads JWTs. Whether what they were made from is still good, others ask the database."""

    def __init__(self, keys: Sequence[bytes] = ()) -> None:
        """Sign with the first of the keys, and take what any of them signed; without one, this process has its own.

        Raises `InvalidSetting` for a key that is too short.
        """
        self._keys = tuple(keys) or (secrets.token_bytes(KEY_BYTES_MIN),)
        if any(len(key) < KEY_BYTES_MIN for key in self._keys):
            raise InvalidSetting(f"A key for signing has at least {KEY_BYTES_MIN} bytes")
        self._is_ready = False

    async def ready(self) -> None:
        """Load PyJWT, in a thread, the first time that somebody needs it: it takes a moment and some megabytes."""
        if not self._is_ready:
            await asyncio.to_thread(_library)
            self._is_ready = True

    def make(
        self, user: UserId, source: Source, digest: str, scopes: frozenset[Permission] | None, now: float
    ) -> tuple[str, float]:
        """A new one, and when it runs out."""
        claims: dict[str, Any] = {
            "iss": _NAME,
            "aud": _NAME,
            "sub": str(user),
            "jti": secrets.token_urlsafe(16),
            "iat": now,
            "exp": now + LIFE_S,
            next(name for name, kind in _SOURCES.items() if kind == source): digest,
        }
        if scopes is not None:
            claims["scope"] = " ".join(sorted(scopes))
        made: str = _library().encode(claims, self._keys[0], algorithm=_ALGORITHM)
        return made, claims["exp"]

    def read(self, text: str, now: float) -> Claims:
        """What it says. Raises `Unauthenticated` for one that is not ours, not of now, or not whole."""
        jwt = _library()
        try:
            if len(text) > LONGEST or jwt.get_unverified_header(text) != _HEADER:
                raise Unauthenticated
            return _claims(self._checked(text), now)
        except (jwt.PyJWTError, ValueError, TypeError, KeyError, RecursionError):
            raise Unauthenticated from None  # its cause may hold the JWT

    def _checked(self, text: str) -> dict[str, Any]:
        # Times are compared below, by the clock that everything here goes by.
        options: Any = {"require": _REQUIRED, "verify_exp": False, "verify_iat": False, "verify_nbf": False}
        jwt = _library()
        wrong: Exception = jwt.InvalidSignatureError()
        for key in self._keys:
            try:
                found = jwt.decode(text, key, algorithms=[_ALGORITHM], audience=_NAME, issuer=_NAME, options=options)
            except jwt.InvalidSignatureError as error:
                wrong = error
            else:
                return dict(found)
        raise wrong


def _library() -> ModuleType:
    import jwt

    return jwt


def _claims(said: dict[str, Any], now: float) -> Claims:
    issued_at, expires_at = _moment(said["iat"]), _moment(said["exp"])
    begins_at = max(issued_at, _moment(said.get("nbf", issued_at)))
    names = [name for name in _SOURCES if name in said]
    if len(names) != 1 or said["aud"] != _NAME or expires_at - issued_at > LIFE_S + LEEWAY_S:
        raise Unauthenticated
    if not begins_at - LEEWAY_S <= now < expires_at + LEEWAY_S:
        raise Unauthenticated
    return Claims(
        user_id=UserId(int(_text(said["sub"]))),
        source=_SOURCES[names[0]],
        digest=_text(said[names[0]]),
        issued_at=issued_at,
        expires_at=expires_at,
        scopes=frozenset(map(Permission, _text(said["scope"]).split())) if "scope" in said else None,
    )


def _moment(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    return float(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
