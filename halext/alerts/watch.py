"""Watches over the nodes: begins and ends incidents, and has them told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby
from typing import Literal

from halext.alerts import policy
from halext.alerts.store import AlertStore
from halext.alerts.types import Fire, Incident, Notice, Notifier, Resolve, Rule
from halext.errors import HalextError, Internal, NotFound, TimedOut
from halext.nodes.types import EndpointState
from halext.storage.scope import Scope
from halext.types import Clock

SEND_S = 15.0
"""How long one message may take; a platform that hangs delays no other."""
SETTLE_S = 3.0
"""How long the end of halext waits for messages that are under way: their record keeps the next start from telling them
again."""
CLAIM_S = 60.0
"""When somebody who set out to tell something is taken for dead: well over `SEND_S`."""
ROUND = 20
"""Incidents told per round. After an outage of a platform the rest follows with the next ticks."""
UNHEARD = 10
"""Incidents that are told afterwards when they came and went with nobody there; older ones are only on record."""

_log = logging.getLogger("halext.alerts")


class Watch:
    """Ticked by the schedule. What it decides is on record before anyone is told, so that a crash loses nothing.

    Each place is told at least once. A crash between a platform's answer and its record makes the message be sent again
    with the same `Alert.key`: a platform that knows keys still shows it once. What can't be told for lack of a place is
    kept, and told when there is one.
    """

    def __init__(
        self,
        scope: Scope,
        states: Callable[[], Sequence[EndpointState]],
        clock: Clock,
        notifiers: Mapping[str, Notifier],
        rule: Rule,
    ) -> None:
        self._store = AlertStore(scope)
        self._states = states
        self._clock = clock
        self._notifiers = notifiers
        self._rule = rule
        self._resting: dict[str, float] = {}
        """Until when places want to hear nothing. Not on record: after a restart they are asked once more."""
        self._is_closing = False
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def tick(self) -> None:
        """Look at how the nodes are, then tell what there is to tell. May overlap with an earlier tick."""
        await self.evaluate()
        await self.deliver()

    async def settle(self) -> None:
        """Begin to tell nothing more, and let what is under way come to its record, for a moment."""
        self._is_closing = True
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_S):
                await self._idle.wait()

    async def latest(self, limit: int, *, only_open: bool = False) -> list[Incident]:
        """Incidents, the newest first."""
        return await self._store.latest(limit, only_open=only_open)

    async def forget(self) -> None:
        """Take what has been over for long off the record."""
        await self._store.forget(self._clock.now() - policy.KEPT_S)

    async def evaluate(self) -> None:
        """Begin and end incidents."""
        now = self._clock.now()
        incidents = await self._store.open(self._rule.name)
        for action in policy.evaluate(self._rule, self._states(), incidents, now=now):
            match action:
                case Fire():
                    if await self._store.fire(action, self._notifiers, now=now):
                        _log.warning("%s has been offline for too long. %s", action.node, action.reason)
                case Resolve():
                    if await self._store.resolve(action, now=now):
                        _log.info("incident %s is over: %s", action.incident, action.ending)
        await self._enlist(incidents, now)

    async def _enlist(self, is_open: Sequence[Incident], now: float) -> None:
        """Places that opened later are to be told of what is open, and of what nobody was there to hear."""
        if not self._notifiers:
            return
        for incident in [*is_open, *await self._store.unheard(now - policy.GIVE_UP_S, UNHEARD)]:
            if late := policy.missing(incident, self._notifiers):
                await self._store.enlist(incident.id, late, now=now)

    async def deliver(self) -> None:
        """Tell each place what it does not know yet; all places at the same time."""
        now = self._clock.now()
        # A copy: a door may close while we wait for the database.
        places = {name: place for name, place in self._notifiers.items() if self._resting.get(name, now) <= now}
        due = policy.due(await self._store.untold(places, ROUND, now=now), places, now=now)
        due.sort(key=lambda pair: pair[1].notifier)
        async with asyncio.TaskGroup() as group:
            for name, pairs in groupby(due, key=lambda pair: pair[1].notifier):
                group.create_task(self._tell(places[name], list(pairs)))

    async def _tell(self, notifier: Notifier, due: Sequence[tuple[Incident, Notice]]) -> None:
        """One message after the other, until one fails: then the others wait too, since the place has a trouble."""
        for incident, notice in due:
            if self._is_closing:
                return
            if policy.is_history(incident, now=self._clock.now()):
                await self._store.give_up(notice)
                continue
            with self._counted():
                if not await self._tell_one(notifier, incident, notice):
                    return

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._under_way += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    async def _tell_one(self, notifier: Notifier, incident: Incident, notice: Notice) -> bool:
        if not await self._store.claim(notice, until=self._clock.now() + CLAIM_S):
            return True
        alert = policy.words(incident)
        ref = notice.ref
        try:
            async with asyncio.timeout(SEND_S):
                if ref is None:
                    ref = await notifier.send(alert)
                else:
                    await notifier.edit(ref, alert)
        except HalextError as error:
            return await self._failed(notice, error)
        except TimeoutError:
            return await self._failed(notice, TimedOut(f"The place did not take the message within {SEND_S:.0f} s."))
        except Exception:  # noqa: BLE001 - a notifier with a fault is logged, and keeps no other from telling
            _log.exception("the notifier %s has a fault", notice.notifier)
            return await self._failed(notice, Internal("The notifier has a fault; the log has the details."))
        await self._store.told(notice, ref, is_over=alert.is_over, now=self._clock.now())
        return True

    async def _failed(self, notice: Notice, error: HalextError) -> Literal[False]:
        now = self._clock.now()
        if isinstance(error, NotFound) and notice.ref is not None:  # somebody deleted the message: a new one, at once
            await self._store.failed(notice, error.message, ref=None, next_at=now)
            return False
        if seconds := policy.rest(error):
            self._resting[notice.notifier] = now + seconds
        attempts = notice.attempts + 1
        if attempts == 1:
            _log.warning("%s can't be told of incident %s yet: %s", notice.notifier, notice.incident, error.message)
        next_at = policy.next_try(attempts, error, now=now)
        await self._store.failed(notice, error.message, ref=notice.ref, next_at=next_at)
        return False
