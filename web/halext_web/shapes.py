"""The JSON of this door's own routes, beside the shapes of the operations."""

from __future__ import annotations

from msgspec import Struct


class SignIn(Struct, forbid_unknown_fields=True):
    """Who wants to come in."""

    name: str
    password: str


class OpenSession(Struct, forbid_unknown_fields=True):
    """Who wants to come in, or with `token` and perhaps nothing else, who wants a JWT."""

    name: str | None = None
    password: str | None = None
    token: bool = False
    scopes: list[str] | None = None
    """The rights that the JWT is to carry, of those that the caller has."""


class AccessToken(Struct):
    """A JWT for `Authorization: Bearer`, and when it runs out."""

    access_token: str
    expires_at: float
    token_type: str = "Bearer"  # noqa: S105 -- a kind of token, and none


class FirstAdmin(SignIn):
    """The one-time code of the first admin or of an invite, and what its bearer wants to be called."""

    code: str


class Problem(Struct):
    """What went wrong: a stable code, a sentence, and the request's id for the log."""

    code: str
    message: str
    request_id: str
    retry_after_s: float | None = None
