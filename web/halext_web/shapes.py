"""The JSON of this door's own routes, beside the shapes of the operations."""

from __future__ import annotations

from msgspec import Struct


class SignIn(Struct, forbid_unknown_fields=True):
    """Who wants to come in."""

    name: str
    password: str


class FirstAdmin(SignIn):
    """The one-time code, and what the first admin wants to be called."""

    code: str


class Problem(Struct):
    """What went wrong: a stable code, a sentence, and the request's id for the log."""

    code: str
    message: str
    request_id: str
    retry_after_s: float | None = None
