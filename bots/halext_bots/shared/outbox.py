"""Everything that goes to one chat of a platform goes through its outbox.

A message has a slot, and a slot has one body that it should show: the newest. Who writes never waits for the platform;
a task of the outbox carries out one call after the other, finals first. A call that is under way is never cancelled:
the platform may have done it already, and only once it is over can nothing overtake the final.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from math import inf

from halext.types import Clock
from halext_bots.shared.pace import Calls, Pace, Rank
from halext_bots.shared.slot import Slot
from halext_bots.shared.transport import KEY_MAX, Body, Chat, Flooded, Gone, Refused

_log = logging.getLogger(__name__)

Spawn = Callable[[Coroutine[object, object, None], str], None]

SLOTS_MAX = 256
"""Messages of one chat that are open or not yet delivered. Whoever wants more gets `Full`."""
SLEEP_MIN_S = 0.001


class Full(Exception):
    """Too many messages wait for this chat, or it is closed."""


class Outbox:
    """The messages of one chat: newest text wins, finals first, every call counted.

    What is promised: `post`, `update`, `finish`, `drop` and `typing` return at once. After `finish` no other body
    follows the final one. A final is delivered once, unless the place is gone, the platform refuses each of its bodies,
    or it failed too often. A pause that the platform wants holds this chat and no other.
    """

    def __init__(self, chat: Chat, clock: Clock, spawn: Spawn, *, pace: Pace | None = None, name: str = "") -> None:
        """`spawn` runs work that outlives its caller; there is a task only while there is something to do."""
        self._chat = chat
        self._clock = clock
        self._spawn = spawn
        self._pace = pace or Pace()
        self._name = f"outbox {name}".strip()
        self._calls = Calls(self._pace)
        self._slots: dict[int, Slot] = {}
        self._posted = 0
        self._wants_typing = False
        self._is_running = False
        self._is_closing = False
        self._changed = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Messages with something that is not delivered yet."""
        return sum(slot.is_pending for slot in self._slots.values())

    @property
    def is_idle(self) -> bool:
        """Whether nobody writes here, and nothing is on its way."""
        return not self._slots and not self._is_running

    def post(
        self,
        body: Body,
        *,
        rank: Rank = Rank.FIRST,
        key: str = "",
        ref: str | None = None,
        after: Slot | None = None,
    ) -> Slot:
        """A new message, or with `ref` one that is there already.

        With the rank of a final it is complete as it is. `after` is a message that has to stand above it:
        it is waited for as long as it can be sent. Raises `Full`.
        """
        if self._is_closing or len(self._slots) >= SLOTS_MAX:
            raise Full
        if len(key) > KEY_MAX:
            raise ValueError(f"a key has at most {KEY_MAX} characters")
        self._posted += 1
        slot = Slot(body, rank, number=self._posted, key=key, ref=ref, after=after)
        self._slots[slot.number] = slot
        self._wake()
        return slot

    def update(self, slot: Slot, body: Body) -> None:
        """Show this from now on, as soon as it is the turn of something cosmetic. Ignored once there is a final."""
        if slot.is_final or slot.is_over:
            return
        was_pending = slot.is_pending
        slot.want(body)
        if not was_pending:
            self._wake()

    def finish(self, slot: Slot, body: Body) -> None:
        """Show this for good. The first final counts; `slot.done()` waits until it is there."""
        if not slot.is_final and not slot.is_over:
            slot.finish(body)
            self._wake()

    def drop(self, slot: Slot) -> None:
        """Take the message away, or never send it."""
        if not slot.is_over:
            slot.finish(None)
            self._wake()

    def typing(self) -> None:
        """Show that something is being written, if nothing better is to be done and there is room for it."""
        if not self._is_closing:
            self._wants_typing = True
            self._wake()

    async def close(self, within_s: float) -> bool:
        """Deliver the finals that wait, and nothing else, in so much time; whether all of them arrived.

        What is not over by then counts as not delivered; a call that is under way is left alone.
        """
        self._is_closing = True
        self._wants_typing = False
        for slot in list(self._slots.values()):
            if not slot.is_final:
                self._forget(slot)
        finals = list(self._slots.values())
        self._wake()
        async with asyncio.TaskGroup() as group:
            alarm = group.create_task(self._expire(finals, within_s))
            for slot in finals:
                await slot.done()
            alarm.cancel()
        return all(slot.error is None for slot in finals)

    async def _expire(self, finals: list[Slot], within_s: float) -> None:
        await self._clock.sleep(within_s)
        for slot in finals:
            if not slot.is_over:
                self._forget(slot, TimeoutError("there was no time left to deliver it"))
        self._changed.set()

    def _wake(self) -> None:
        self._changed.set()
        if not self._is_running:
            self._is_running = True
            self._spawn(self._run(), self._name)

    async def _run(self) -> None:
        try:
            while True:
                self._changed.clear()
                slot, due = self._next()
                now = self._clock.monotonic()
                if slot is None:
                    if not await self._type(now):
                        return
                elif due > now:
                    self._wants_typing = False
                    await self._wait(due - now)
                else:
                    await self._carry_out(slot)
        finally:
            self._is_running = False

    async def _wait(self, seconds: float) -> None:
        async def ring() -> None:
            await self._clock.sleep(max(seconds, SLEEP_MIN_S))
            self._changed.set()

        async with asyncio.TaskGroup() as group:
            alarm = group.create_task(ring())
            await self._changed.wait()
            alarm.cancel()

    def _next(self) -> tuple[Slot | None, float]:
        """What is due first, or next: finals before the rest, then what was looked after the longest time ago."""
        now = self._clock.monotonic()
        best: tuple[float, int, float, int] | None = None
        chosen: Slot | None = None
        for slot in self._slots.values():
            if not slot.is_pending:
                continue
            front = slot.front
            rank = min(front.next_rank, slot.next_rank)
            due = max(self._calls.free_at(rank), front.not_before, now)
            order = (due, rank, front.touched, front.number)
            if best is None or order < best:
                best, chosen = order, front
        return chosen, best[0] if best else now

    async def _type(self, now: float) -> bool:
        """Show typing if it is wanted and may be shown; whether something was done."""
        wanted, self._wants_typing = self._wants_typing, False
        if not wanted or self._calls.free_at(Rank.TYPING) > now:
            return False
        try:
            await self._chat.typing()
        except Flooded as flood:
            self._calls.stop(self._clock.monotonic() + flood.retry_after_s)
        except Exception:  # noqa: BLE001  # nobody misses it
            _log.debug("%s: typing failed", self._name, exc_info=True)
        finally:
            self._calls.ended(Rank.TYPING, self._clock.monotonic())
        return True

    async def _carry_out(self, slot: Slot) -> None:
        body = slot.wanted
        if slot.ref is None if body is None else slot.shown == body:
            self._succeeded(slot, body)
            return
        try:
            await self._call(slot, body)
        except Flooded as flood:
            self._calls.stop(self._clock.monotonic() + flood.retry_after_s)
        except Gone as gone:
            self._gone(slot, gone)
        except Refused as refused:
            self._refused(slot, body, refused)
        except Exception as error:  # noqa: BLE001  # whatever the library says that the bot did not translate
            self._failed(slot, body, error)
        else:
            self._succeeded(slot, body)
        finally:
            self._calls.ended(Rank.EDIT, self._clock.monotonic())

    async def _call(self, slot: Slot, body: Body | None) -> None:
        if body is None:
            await self._chat.delete(slot.ref or "")
        elif slot.ref is None:
            slot.sent(await self._chat.send(body, key=slot.key), body)
        else:
            await self._chat.edit(slot.ref, body)
            slot.shown = body

    def _succeeded(self, slot: Slot, body: Body | None) -> None:
        slot.failures, slot.not_before, slot.touched = 0, -inf, self._clock.monotonic()
        if slot.is_final and slot.wanted == body and (body is None or slot.shown == body):  # and nothing newer since
            self._forget(slot)

    def _gone(self, slot: Slot, gone: Gone) -> None:
        if slot.is_final and slot.wanted is None:
            self._forget(slot)
        elif not slot.is_final:
            slot.is_gone = True
        elif slot.ref is None or slot.was_sent_anew:
            self._forget(slot, gone)
        else:
            slot.send_anew()

    def _refused(self, slot: Slot, body: Body | None, refused: Refused) -> None:
        if slot.wanted != body:
            return  # something else is tried next
        if body is not None and body.fallback is not None:
            slot.wanted = body.fallback
            slot.steps += 1
        elif slot.is_final:
            self._forget(slot, refused)
        else:
            slot.skipped = body

    def _failed(self, slot: Slot, body: Body | None, error: Exception) -> None:
        if body is not None:
            slot.lost(body)
        slot.failures += 1
        if slot.failures < self._pace.tries:
            slot.not_before = self._clock.monotonic() + self._pace.pause_s(slot.failures)
            return
        _log.warning("%s: given up after %d failures: %s", self._name, slot.failures, type(error).__name__)
        slot.failures = 0
        if slot.is_final:
            self._forget(slot, error)
        else:
            slot.skipped = body

    def _forget(self, slot: Slot, error: Exception | None = None) -> None:
        if not slot.is_over:
            slot.end(error)
        self._slots.pop(slot.number, None)
