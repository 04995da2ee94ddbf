"""How Discord says no."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Refusal(Exception):
    """An answer that is an error: HTTP `status`, Discord's own `code` (0 for none) and its text.

    `retry_s` is what a 429 asks to wait, in seconds of the fake's clock.
    """

    def __init__(
        self, status: int, code: int, text: str, errors: Mapping[str, Any] | None = None, *, retry_s: float = 0.0
    ) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.errors = errors
        self.retry_s = retry_s

    def json(self) -> dict[str, Any]:
        """The body."""
        body: dict[str, Any] = {"message": str(self), "code": self.code}
        return {**body, "errors": dict(self.errors)} if self.errors else body


class Unsupported(AssertionError):
    """The bot asked for something that this fake doesn't have."""


def invalid(field: str, text: str, code: str = "BASE_TYPE_BAD_LENGTH") -> Refusal:
    """A refused form; `field` is where, with dots, such as `embeds.0.title`."""
    errors: dict[str, Any] = {"_errors": [{"code": code, "message": text}]}
    for name in reversed(field.split(".")):
        errors = {name: errors}
    return Refusal(400, 50035, "Invalid Form Body", errors)


def too_long(field: str, limit: int) -> Refusal:
    """A refused form: this field may have at most so much."""
    return invalid(field, f"Must be {limit} or fewer in length.")


def unknown(what: str) -> Refusal:
    """404 for a thing that is not there: "Channel", "Message", "interaction" and so on."""
    return Refusal(404, UNKNOWN[what], f"Unknown {what}")


UNKNOWN = {
    "Channel": 10003,
    "Guild": 10004,
    "Message": 10008,
    "User": 10013,
    "Webhook": 10015,
    "interaction": 10062,
    "application command": 10063,
}
"""Discord's codes for what is not there."""
