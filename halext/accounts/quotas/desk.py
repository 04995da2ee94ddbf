"""Quotas at work: reserved before a request begins, settled when it has ended, given back when its process died."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from itertools import islice

from halext.accounts.quotas import policy
from halext.accounts.quotas.book import LimitBook
from halext.accounts.quotas.store import CountStore, Now, Refused
from halext.accounts.quotas.types import (
    Amounts,
    Claim,
    Count,
    Limits,
    Measure,
    Refusal,
    Reservation,
    Standing,
    Subject,
)
from halext.accounts.types import Caller
from halext.errors import DatabaseUnavailable, QuotaSpent
from halext.storage.scope import Scope
from halext.types import Clock

LEASE_S = 120.0
"""After so long without a sign of life what a request held is given back: its process has died."""
RENEW_S = 30.0
RETRY_S = 1.0
BATCH_MAX = 500
UNSURE_MAX = 10_000
"""Reservations of which nobody knows whether they were made, kept to be given back; more end with their lease."""
SPENT_MAX = 1_024
"""Quotas that are known to be spent, so that asking again and again costs no query."""


class Quotas:
    """What people and workspaces may use. One count for all their doors, credentials and processes.

    `run` must be running, and `flush` be called after it.
    """

    def __init__(self, scope: Scope, clock: Clock, now: Now | None = None) -> None:
        """`now` replaces the database's clock, for tests."""
        self._book = LimitBook(scope, clock)
        self._store = CountStore(scope, now)
        self._clock = clock
        self._running: set[str] = set()
        self._ended: dict[str, Amounts] = {}
        self._is_something = asyncio.Event()
        self._one_writer = asyncio.Lock()
        self._spent: dict[tuple[Subject, Measure], tuple[float, float]] = {}
        """How much was used when it was refused for good, and until when that holds, on the monotonic clock."""

    # --- for the gateway and the studio ---

    async def reserve(self, caller: Caller, wanted: Amounts) -> Reservation | None:
        """Take it from the caller's quotas, all or nothing; None where there is nothing to settle.

        Raises `QuotaSpent` and `DatabaseUnavailable`.
        """
        claims = policy.claims(await self._limits(caller), wanted)
        if not claims:
            return None
        self._refuse_known(claims)
        name = secrets.token_hex(16)
        try:
            await self._reserve(name, claims)
        except (asyncio.CancelledError, DatabaseUnavailable):
            if len(self._ended) < UNSURE_MAX:  # whether it was made by then, nobody knows
                self._end(name, {})
            raise
        if all(claim.at_once for claim in claims):
            return None
        self._running.add(name)
        return _Reserved(self, name)

    async def _reserve(self, name: str, claims: Sequence[Claim]) -> None:
        try:
            await self._store.reserve(name, claims, LEASE_S)
        except Refused as refused:
            if policy.is_final(refused.refusal):
                self._remember(refused.refusal)
                raise _spent(refused.refusal) from None
        else:
            return
        # What has ended in the meantime, here or in a process that died, may be enough.
        await self.flush()
        await self._store.expire()
        try:
            await self._store.reserve(name, claims, LEASE_S)
        except Refused as refused:
            self._remember(refused.refusal)
            raise _spent(refused.refusal) from None

    def _end(self, name: str, spent: Amounts) -> None:
        self._ended[name] = spent
        self._is_something.set()

    # --- quotas that are spent ---

    def _refuse_known(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            used, until = self._spent.get((claim.subject, claim.measure), (0.0, 0.0))
            left_s = until - self._clock.monotonic()
            if left_s > 0:
                refusal = Refusal(claim, Count(used), left_s)
                if policy.is_final(refusal):
                    raise _spent(refusal)

    def _remember(self, refusal: Refusal) -> None:
        if policy.is_final(refusal):
            key = (refusal.claim.subject, refusal.claim.measure)
            self._spent.pop(key, None)
            while len(self._spent) >= SPENT_MAX:
                del self._spent[next(iter(self._spent))]
            self._spent[key] = (refusal.count.used, self._clock.monotonic() + refusal.resets_in_s)

    # --- for people ---

    async def standing(self, caller: Caller) -> list[Standing]:
        """How the caller's quotas stand, every measure of everyone on whose account they ask."""
        await self.flush()
        limits = await self._limits(caller)
        limited = [(who, measure) for who, most in limits for measure in Measure if most.get(measure) is not None]
        now, counts = await self._store.counts(limited)
        found = [
            Standing(who, measure, most.get(measure), counts.get((who, measure), Count()), _reset(measure, now))
            for who, most in limits
            for measure in Measure
        ]
        return found or [Standing(None, measure, None, Count(), _reset(measure, now)) for measure in Measure]

    async def set_limits(self) -> dict[Subject, Limits]:
        """Every limit that was set, for those who manage people."""
        return dict(await self._book.read())

    async def set(self, subject: Subject, limits: Limits) -> None:
        """Set these limits, and leave the others of this subject as they are. Raises `InvalidInput`."""
        policy.check(limits)
        await self._book.set(subject, limits)

    async def clear(self, subject: Subject) -> None:
        """Forget what was set, so that the role's limits and the defaults apply."""
        await self._book.clear(subject)

    async def _limits(self, caller: Caller) -> list[tuple[Subject, Limits]]:
        whose = policy.subjects(caller)
        if not whose:
            return []
        known = await self._book.read()
        return [(who, policy.limits_for(who, caller.role, known)) for who in whose]

    # --- writing down ---

    async def run(self) -> None:
        """Write down what has ended, and keep what runs; for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_settling())
            group.create_task(self._keep_alive())

    async def flush(self) -> None:
        """Write down everything that has ended, now. Raises `DatabaseUnavailable`; then it is still to be written."""
        async with self._one_writer:
            while self._ended:
                batch = dict(islice(self._ended.items(), BATCH_MAX))
                await self._store.settle(batch)
                for name in batch:
                    del self._ended[name]
                    self._running.discard(name)
            self._is_something.clear()

    async def _keep_settling(self) -> None:
        while True:
            await self._is_something.wait()
            try:
                await self.flush()
            except DatabaseUnavailable:
                await self._clock.sleep(RETRY_S)

    async def _keep_alive(self) -> None:
        while True:
            await self._clock.sleep(RENEW_S)
            try:
                await self.tick()
            except DatabaseUnavailable:
                continue  # a lease outlives some of these

    async def tick(self) -> None:
        """Show that our requests still run, and give back what the dead held. A house without limits does nothing."""
        if self._running:
            await self._store.renew(self._running, LEASE_S)
        if self._running or await self._is_limited():
            await self._store.expire()

    async def _is_limited(self) -> bool:
        known = await self._book.read()
        return any(most is not None for limits in known.values() for most in limits.values())


class _Reserved:
    """One reservation; settled once."""

    __slots__ = ("_name", "_quotas")

    def __init__(self, quotas: Quotas, name: str) -> None:
        self._quotas: Quotas | None = quotas
        self._name = name

    def settle(self, spent: Amounts) -> None:
        """Count what was really used; further calls do nothing."""
        quotas, self._quotas = self._quotas, None
        if quotas is not None:
            quotas._end(self._name, spent)  # noqa: SLF001 - the two are one


def _spent(refusal: Refusal) -> QuotaSpent:
    return QuotaSpent(policy.sentence(refusal), retry_after_s=policy.retry_after_s(refusal))


def _reset(measure: Measure, now: float) -> float:
    return policy.resets_in_s(measure, now)
