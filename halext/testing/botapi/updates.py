"""The updates that wait for a bot until it asks for them, or until its webhook has taken them."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from halext.testing.fake import Refusal

FIRST_ID = 100_001
ON_REQUEST = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
"""Sent to bots only that name them in `allowed_updates`."""
OTHER_POLLER = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
WEBHOOK_IS_SET = (
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)


@dataclass(slots=True)
class _Waiting:
    body: dict[str, Any]
    deliveries: int


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where updates go instead of waiting to be asked for."""

    url: str
    secret: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """An update on its way to a webhook; `taken` says that it arrived."""

    body: dict[str, Any]
    taken: Callable[[], None]


class Updates:
    """The queue. `delivered` holds every update as it went out, repeated ones too."""

    def __init__(self) -> None:
        self.delivered: list[dict[str, Any]] = []
        self.webhook: Webhook | None = None
        self.last_error = ""
        self.changed: Callable[[], None] = lambda: None
        self._queue: list[_Waiting] = []
        self._next_id = FIRST_ID
        self._allowed: frozenset[str] | None = None
        self._other_polls = 0
        self._repeats = 0
        self._damages = 0
        self._news = asyncio.Event()
        """Set while something waits."""
        self._webhook_set = asyncio.Event()
        self._poller: asyncio.Future[None] | None = None

    @property
    def pending(self) -> int:
        """How many wait."""
        return len(self._queue)

    def push(self, kind: str, body: dict[str, Any]) -> None:
        """Queue an update of this kind, unless the bot did not ask for its kind."""
        if kind not in self._allowed if self._allowed else kind in ON_REQUEST:
            return
        body = copy.deepcopy(body)
        if self._damages:
            self._damages -= 1
            _damage(body)
        self.push_raw({kind: body})

    def push_raw(self, fields: dict[str, Any]) -> None:
        """Queue an update with exactly these fields beside its `update_id`."""
        repeats, self._repeats = self._repeats, 0
        self._queue.append(_Waiting({"update_id": self._next_id, **fields}, 1 + repeats))
        self._next_id += 1
        self._news.set()
        if self._poller is not None and not self._poller.done():
            self._poller.set_result(None)

    def repeat_next(self, times: int = 1) -> None:
        """Deliver the next update so many times more, with the same id, though the bot confirmed it."""
        self._repeats = times

    def damage_next(self, count: int = 1) -> None:
        """Leave out of the next updates a key that they can't do without, such as a message's id."""
        self._damages = count

    def add_poller(self, polls: int = 1) -> None:
        """Let another program with the same token poll: the bot's next `polls` polls end in a conflict."""
        self._other_polls += polls
        if self._end_poll(OTHER_POLLER):
            self._other_polls -= 1

    def drop(self) -> None:
        """Forget all that wait."""
        self._queue.clear()
        self._news.clear()

    def allow(self, kinds: list[str] | None) -> None:
        """Which kinds the bot wants: None leaves it as it was, an empty list is all but the rare ones."""
        if kinds is not None:
            self._allowed = frozenset(kinds) or None

    def set_webhook(self, webhook: Webhook | None) -> None:
        """Deliver there from now on, or wait to be asked."""
        self.webhook = webhook
        self.last_error = ""
        if webhook is None:
            self._webhook_set.clear()
        else:
            self._webhook_set.set()
            self._end_poll("Conflict: terminated by setWebhook request")

    async def poll(self, offset: int, limit: int, timeout_s: float) -> list[dict[str, Any]]:
        """The updates from `offset` on, as soon as there are any; after `timeout_s` real seconds none.

        Those below the offset are forgotten. A poll that waits already is ended with a conflict, as Telegram does.
        """
        if self.webhook:
            raise Refusal(409, WEBHOOK_IS_SET)
        self._end_poll(OTHER_POLLER)
        self._confirm(offset)
        if self._other_polls:
            self._other_polls -= 1
            raise Refusal(409, OTHER_POLLER)
        if not self._queue:
            await self._wait(timeout_s)
        bodies = [waiting.body for waiting in self._queue[: limit if 1 <= limit <= 100 else 100]]
        self.delivered += bodies
        return bodies

    async def _wait(self, timeout_s: float) -> None:
        self._poller = asyncio.get_running_loop().create_future()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._poller

    def _end_poll(self, reason: str) -> bool:
        if self._poller is None or self._poller.done():
            return False
        self._poller.set_exception(Refusal(409, reason))
        return True

    def _confirm(self, offset: int) -> None:
        if offset < 0:
            self._queue = self._queue[offset:]
        for waiting in [waiting for waiting in self._queue if waiting.body["update_id"] < offset]:
            self._take(waiting)

    def _take(self, waiting: _Waiting) -> None:
        waiting.deliveries -= 1
        if waiting.deliveries == 0 and waiting in self._queue:
            self._queue.remove(waiting)
        if not self._queue:
            self._news.clear()

    async def next_for_webhook(self) -> tuple[Webhook, Delivery]:
        """The update that is due at the webhook, and where that is; waits for both."""
        while True:
            await self._news.wait()
            if self.webhook and self._queue:
                waiting = self._queue[0]
                self.delivered.append(waiting.body)
                self.changed()
                return self.webhook, Delivery(waiting.body, partial(self._take, waiting))
            await self._webhook_set.wait()


def _damage(body: dict[str, Any]) -> None:
    for key in ("chat_instance", "message_id", "id", "chat"):
        if key in body:
            del body[key]
            return
