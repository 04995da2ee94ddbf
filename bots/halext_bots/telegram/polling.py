"""Updates, fetched by long polling. What they ask for is on the record before Telegram is told to forget them."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from telegram import Bot, Update
from telegram.error import RetryAfter, TelegramError

from halext.errors import KeyRefused
from halext.types import Clock
from halext_bots.shared.lanes import settled
from halext_bots.telegram.failures import seconds, translated

POLL_S = 25
"""How long Telegram holds a request that has nothing to say yet."""
PATIENCE_S = 2.0
"""What a batch may take before the next one is fetched; a question is on the record within milliseconds."""
FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 30.0
REMEMBERED = 1_000
"""Ids of updates that were taken, since Telegram may send one twice."""
METHOD = "getupdates"
"""Written so, since the library's own method would let one update that it can't read spoil all others. Telegram does
not look at the case of names."""
KINDS = ["message", "callback_query"]

Take = Callable[[Update], asyncio.Event | None]
"""Begins to deal with an update; the event is set when that is done. Must not wait."""
_log = logging.getLogger("halext.telegram")


class Polling:
    """Fetches updates until Telegram refuses the token."""

    def __init__(self, bot: Bot, take: Take, clock: Clock) -> None:
        self._bot = bot
        self._take = take
        self._clock = clock
        self._next: int | None = None
        self._taken: OrderedDict[int, None] = OrderedDict()
        self._trouble = ""

    async def run(self) -> None:
        """Fetch and take, for ever. Raises `KeyRefused`; other trouble is said once and outwaited."""
        delay = FIRST_DELAY_S
        while True:
            try:
                await self._batch()
            except TelegramError as error:
                trouble = translated(error)
                if isinstance(trouble, KeyRefused):
                    raise trouble from None  # the cause's text may hold the token
                if trouble.message != self._trouble:
                    self._trouble = trouble.message
                    _log.warning("%s It is tried again by itself.", trouble.message)
                await self._clock.sleep(seconds(error) if isinstance(error, RetryAfter) else delay)
                delay = min(delay * 2, LONGEST_DELAY_S)
            else:
                if self._trouble:
                    _log.info("Telegram answers again.")
                self._trouble, delay = "", FIRST_DELAY_S

    async def _batch(self) -> None:
        fetched = await self._bot.do_api_request(
            METHOD,
            {"offset": self._next, "timeout": POLL_S, "allowed_updates": KINDS},
            read_timeout=POLL_S + 10,
        )
        begun = [self._taking(raw) for raw in fetched]
        await settled([event for event in begun if event is not None], PATIENCE_S)
        if fetched:
            self._next = max(raw["update_id"] for raw in fetched) + 1

    def _taking(self, raw: dict[str, Any]) -> asyncio.Event | None:
        if raw["update_id"] in self._taken:
            return None
        self._taken[raw["update_id"]] = None
        if len(self._taken) > REMEMBERED:
            self._taken.popitem(last=False)
        try:
            update = Update.de_json(raw, self._bot)
        except (KeyError, TypeError, ValueError):
            # One that the library can't read would come again and again, and hold up all others.
            _log.warning("update %s has a form that can't be read; it is left out", raw["update_id"])
            return None
        return self._take(update)
