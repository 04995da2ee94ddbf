"""Updates, fetched by long polling. What they ask for is on the record before Telegram is told to forget them."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import Any, Protocol

from telegram import Bot, Update
from telegram.error import RetryAfter, TelegramError

from halext.errors import HalextError, Internal, KeyRefused
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
"""Begins to deal with an update; the event is set when that is done, and on record as done. Must not wait."""
_log = logging.getLogger("halext.telegram")


class Arrivals(Protocol):
    """What was dealt with before a crash, and not yet confirmed to Telegram. Whoever deals with an update notes it."""

    async def known(self, numbers: Collection[int], now: float) -> set[int]:
        """Which of these were dealt with."""

    async def forget(self, below: int, now: float) -> None:
        """Telegram knows that everything below this number has arrived."""


class Polling:
    """Fetches updates until Telegram refuses the token."""

    def __init__(self, bot: Bot, take: Take, clock: Clock, arrivals: Arrivals) -> None:
        self._bot = bot
        self._take = take
        self._clock = clock
        self._arrivals = arrivals
        self._next: int | None = None
        self._confirmed: int | None = None
        self._taken: OrderedDict[int, None] = OrderedDict()
        self._trouble = ""

    async def run(self) -> None:
        """Fetch and take, for ever. Raises `KeyRefused`; other trouble is said once and outwaited."""
        delay = FIRST_DELAY_S
        while True:
            try:
                await self._batch()
            except TelegramError as error:
                wait_s = seconds(error) if isinstance(error, RetryAfter) else delay
                trouble = translated(error)
                if isinstance(trouble, KeyRefused):
                    raise trouble from None  # the cause's text may hold the token
                self._say(trouble)
            except HalextError as error:  # the database, say
                wait_s = delay
                self._say(error)
            except Exception as error:  # noqa: BLE001  (whatever a damaged answer leads to must not end the bot)
                wait_s = delay
                self._say(Internal(), error)
            else:
                if self._trouble:
                    _log.info("Telegram answers again.")
                self._trouble, delay = "", FIRST_DELAY_S
                continue
            await self._clock.sleep(wait_s)
            delay = min(delay * 2, LONGEST_DELAY_S)

    def _say(self, trouble: HalextError, fault: Exception | None = None) -> None:
        if trouble.message != self._trouble:
            self._trouble = trouble.message
            _log.warning("%s It is tried again by itself.", trouble.message, exc_info=fault)

    async def _batch(self) -> None:
        offset = self._next
        fetched = await self._bot.do_api_request(
            METHOD,
            {"offset": offset, "timeout": POLL_S, "allowed_updates": KINDS},
            read_timeout=POLL_S + 10,
        )
        if offset is not None and offset != self._confirmed:
            await self._arrivals.forget(offset, self._clock.now())
            self._confirmed = offset
        if not fetched:
            return
        numbers = [raw["update_id"] for raw in fetched]
        known = await self._arrivals.known(numbers, self._clock.now())
        begun = [self._taking(raw) for raw in fetched if raw["update_id"] not in known]
        await settled([event for event in begun if event is not None], PATIENCE_S)
        self._next = max(numbers) + 1

    def _taking(self, raw: dict[str, Any]) -> asyncio.Event | None:
        number = raw["update_id"]
        if number in self._taken:
            return None
        self._taken[number] = None
        if len(self._taken) > REMEMBERED:
            self._taken.popitem(last=False)
        try:
            return self._take(Update.de_json(raw, self._bot))
        except Exception as error:  # noqa: BLE001
            # One that can't be read, by the library or by us, would come again and again, and hold up all others.
            _log.warning("update %s has a form that can't be read (%s); it is left out", number, type(error).__name__)
            return None
