"""Which request is being answered: set by the door that took it, seen by everything that is done for it."""

from __future__ import annotations

from contextvars import ContextVar

from halext.types import RequestId

_CURRENT: ContextVar[RequestId | None] = ContextVar("request", default=None)


def begin(request_id: RequestId) -> None:
    """From here on, in this task and in those that it starts, this request is the one."""
    _CURRENT.set(request_id)


def current() -> str:
    """The id of the request; "" where nobody has asked for what is being done."""
    return _CURRENT.get() or ""
