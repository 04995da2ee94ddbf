"""What an outbox sends, and through what: one chat of a platform, as a bot offers it.

What a chat may answer instead of doing it:

    Flooded     the platform wants a pause: nothing goes to this chat until it is over
    Gone        the message or the place is no longer there
    Refused     the platform will not have this body, now or later
    any other   nobody knows whether it was done: it is tried again, later and later, and not for ever
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

KEY_MAX = 25
"""Characters of a key: Discord's nonce."""


@dataclass(frozen=True, slots=True)
class Body:
    """What a message shows. The outbox compares bodies and never looks into them."""

    text: object
    buttons: object = None
    files: tuple[object, ...] = ()
    fallback: Body | None = None
    """What to send if the platform refuses this one: the next step down the ladder."""


class Chat(Protocol):
    """One chat of a platform. It neither retries nor waits of its own accord, except as its library does."""

    async def send(self, body: Body, *, key: str) -> str:
        """A new message; its reference. Each attempt at one message has the same key: a nonce, where there is one."""

    async def edit(self, ref: str, body: Body) -> None:
        """Another body for a message. That it is the same already is no error."""

    async def delete(self, ref: str) -> None:
        """Take a message away."""

    async def typing(self) -> None:
        """Show for a moment that something is being written."""


class Flooded(Exception):
    """The platform wants a pause."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(f"a pause of {retry_after_s:g} s is wanted")
        self.retry_after_s = retry_after_s


class Gone(Exception):
    """The message, or the place where it belongs, is no longer there."""


class Refused(Exception):
    """The platform will not have this body."""
