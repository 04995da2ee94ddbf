"""One message on its way: what it should show, and what is known about what it shows."""

from __future__ import annotations

import asyncio
import secrets
from math import inf

from halext_bots.shared.pace import Rank
from halext_bots.shared.transport import KEY_MAX, Body


def new_key() -> str:
    """A key that no other message has."""
    return secrets.token_hex(KEY_MAX // 2)


class Slot:
    """One message of an outbox, which alone writes these fields."""

    def __init__(
        self,
        body: Body,
        rank: Rank,
        *,
        number: int = 0,
        key: str = "",
        ref: str | None = None,
        after: Slot | None = None,
    ) -> None:
        self.key = key or new_key()
        """The same for each attempt to send it."""
        self.ref = ref
        """The platform's name for it, once it is there."""
        self.error: Exception | None = None
        """Why its final could not be delivered."""
        self.number = number
        self.rank = rank
        self.wanted: Body | None = body
        """What it should show; None if it should not be there."""
        self.shown: Body | None = None
        """What it shows; None if nobody knows."""
        self.skipped: Body | None = None
        """A passing body that can't be shown and isn't tried again."""
        self.maybe_sent: list[Body] = []
        """Up to two different bodies of attempts of which nobody knows whether they arrived."""
        self.after = after
        self.steps = 0
        """How far down the ladder passing bodies begin: what was refused once will be refused again."""
        self.failures = 0
        self.not_before = -inf
        self.touched = -inf
        self.is_gone = False
        self.was_sent_anew = False
        self._over = asyncio.Event()

    async def done(self) -> str | None:
        """Wait for the end: the reference of the message with its final body; None if it isn't there (see `error`)."""
        await self._over.wait()
        return self.ref if self.error is None and self.wanted is not None and self.is_final else None

    @property
    def is_final(self) -> bool:
        """Whether its last body is known."""
        return self.rank is Rank.FINAL

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self._over.is_set()

    @property
    def is_pending(self) -> bool:
        """Whether there is something to be done."""
        if self.is_over or self.is_final:
            return not self.is_over
        return not self.is_gone and all(self.wanted != known for known in (self.shown, self.skipped))

    @property
    def next_rank(self) -> Rank:
        """The rank of what is to be done."""
        return Rank.EDIT if self.ref is not None and not self.is_final else self.rank

    @property
    def front(self) -> Slot:
        """The message that has to be sent before this one can be; mostly itself."""
        slot = self
        while slot.ref is None and slot.after is not None and slot.after.ref is None and slot.after.is_pending:
            slot = slot.after
        return slot

    def want(self, body: Body) -> None:
        """Show this in passing."""
        for _ in range(self.steps):
            body = body.fallback or body
        self.wanted = body

    def finish(self, body: Body | None) -> None:
        """Show this for good, from the top of its ladder."""
        self.wanted, self.rank = body, Rank.FINAL
        self.steps, self.failures, self.not_before = 0, 0, -inf

    def sent(self, ref: str, body: Body) -> None:
        """It is there. If an earlier attempt did arrive, its key has brought back that message, as it was then."""
        self.ref, self.after = ref, None
        self.shown = body if all(earlier == body for earlier in self.maybe_sent) else None

    def lost(self, body: Body) -> None:
        """Nobody knows whether the platform did what it was asked."""
        self.shown = None
        if self.ref is None and body not in self.maybe_sent:
            self.maybe_sent = [*self.maybe_sent[:1], body]

    def send_anew(self) -> None:
        """Forget the message that is gone. With its key the platform might say that it has this message already."""
        self.ref, self.shown, self.key, self.was_sent_anew = None, None, new_key(), True
        self.maybe_sent = []

    def end(self, error: Exception | None = None) -> None:
        """Nothing more will happen to it."""
        self.error = error
        self._over.set()
