"""The tables of quotas: limits, counts, and what is held for requests that run.

Every count is changed by one statement with its own condition, so that no two requests, in whichever processes, can
take the same last unit. The time is the database's: all processes count in the same minute and day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Delete,
    Double,
    String,
    and_,
    case,
    delete,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from halext.accounts.quotas import policy
from halext.accounts.quotas.types import Amounts, Claim, Count, Limits, Measure, Refusal, Subject
from halext.storage.base import Base
from halext.storage.scope import Scope

KEPT_S = 2 * policy.DAY_S
"""How long counts of past minutes and days stay, for requests that began then and still run."""
Now = Callable[[AsyncSession], Awaitable[float]]


class LimitRow(Base):
    """One limit that was set; `most` is NULL for no limit."""

    __tablename__ = "quotas"
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    subject: Mapped[str] = mapped_column(String(100), primary_key=True)
    measure: Mapped[str] = mapped_column(String(32), primary_key=True)
    most: Mapped[int | None] = mapped_column(BigInteger)


class CountRow(Base):
    """What is used and held of one measure in one minute or day."""

    __tablename__ = "quota_counts"
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    subject: Mapped[str] = mapped_column(String(100), primary_key=True)
    measure: Mapped[str] = mapped_column(String(32), primary_key=True)
    began: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    used: Mapped[float] = mapped_column(Double)
    held: Mapped[float] = mapped_column(Double)
    granted: Mapped[float] = mapped_column(Double)
    """What the last reservation got: read by the very statement that wrote it."""


class HoldRow(Base):
    """What one request was promised of one measure, until it is settled or the lease runs out."""

    __tablename__ = "quota_holds"
    reservation: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    subject: Mapped[str] = mapped_column(String(100), primary_key=True)
    measure: Mapped[str] = mapped_column(String(32), primary_key=True)
    began: Mapped[int] = mapped_column(BigInteger)
    amount: Mapped[float] = mapped_column(Double)
    expires_at: Mapped[float] = mapped_column(Double, index=True)


class Refused(Exception):
    """There is not enough left; nothing was taken."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(policy.sentence(refusal))


class LimitStore:
    """Which limits are set. Its callers have checked that they may see or change them."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def all(self) -> dict[Subject, dict[Measure, int | None]]:
        """Every limit that was set."""
        found: dict[Subject, dict[Measure, int | None]] = {}
        async with self._scope.read() as session:
            for row in await session.scalars(select(LimitRow).order_by(LimitRow.kind, LimitRow.subject)):
                found.setdefault(_subject(row), {})[Measure(row.measure)] = row.most
        return found

    async def set(self, subject: Subject, limits: Limits) -> None:
        """Set these limits; the others of this subject stay as they are."""
        for_dialect = (postgresql if self._scope.dialect == "postgresql" else sqlite).insert
        async with self._scope.write() as session:
            for measure, most in sorted(limits.items()):
                row = for_dialect(LimitRow).values(**_key(subject, measure), most=most)
                keys = ["kind", "subject", "measure"]
                await session.execute(row.on_conflict_do_update(index_elements=keys, set_={"most": most}))

    async def clear(self, subject: Subject) -> None:
        """Forget what was set for this subject."""
        mine = and_(LimitRow.kind == subject.kind, LimitRow.subject == subject.id)
        async with self._scope.write() as session:
            await session.execute(delete(LimitRow).where(mine))


class CountStore:
    """Takes from counts and gives back. Whose they are was decided by whoever made the claims."""

    def __init__(self, scope: Scope, now: Now | None = None) -> None:
        """`now` replaces the database's clock."""
        self._scope = scope
        self._now = now or self._database_now

    async def reserve(self, reservation: str, claims: Sequence[Claim], lease_s: float) -> None:
        """Take all of the claims or none. Raises `Refused` for the first that does not fit."""
        async with self._scope.write() as session:
            now = await self._now(session)
            holds = []
            for claim in claims:
                granted = await self._take(session, claim, now)
                if granted is None:
                    raise Refused(await self._refusal(session, claim, now))
                if not claim.at_once:
                    holds.append(_hold(reservation, claim, now, granted, now + lease_s))
            if holds:
                await session.execute(insert(HoldRow), holds)

    async def settle(self, spent: Mapping[str, Amounts]) -> None:
        """Count what each reservation really used in place of what was held.

        Those that are settled already, or whose lease ran out, are left alone.
        """
        async with self._scope.write() as session:
            await self._end(session, delete(HoldRow).where(HoldRow.reservation.in_(spent)), spent)

    async def expire(self) -> int:
        """Give back what is held by processes that died, and forget old counts; how many holds that were."""
        async with self._scope.write() as session:
            now = await self._now(session)
            await session.execute(delete(CountRow).where(CountRow.began < now - KEPT_S))
            return await self._end(session, delete(HoldRow).where(HoldRow.expires_at <= now), {})

    async def renew(self, reservations: Iterable[str], lease_s: float) -> None:
        """These requests still run."""
        async with self._scope.write() as session:
            until = await self._now(session) + lease_s
            mine = HoldRow.reservation.in_(list(reservations))
            await session.execute(update(HoldRow).where(mine).values(expires_at=until))

    async def counts(
        self, wanted: Iterable[tuple[Subject, Measure]]
    ) -> tuple[float, dict[tuple[Subject, Measure], Count]]:
        """The database's time, and how these stand in the minute and day that run."""
        async with self._scope.read() as session:
            now = await self._now(session)
            found = {
                (subject, measure): await self._count(session, subject, measure, now) for subject, measure in wanted
            }
            return now, found

    async def _take(self, session: AsyncSession, claim: Claim, now: float) -> float | None:
        """What was granted; None when there is not enough left, and then nothing has changed."""
        if claim.most < claim.least:
            return None
        for_dialect = (postgresql if self._scope.dialect == "postgresql" else sqlite).insert
        first = min(claim.wanted, float(claim.most))
        used, held = (first, 0.0) if claim.at_once else (0.0, first)
        left = claim.most - CountRow.used - CountRow.held
        granted = case((left < claim.wanted, left), else_=claim.wanted)
        changed = {"used": CountRow.used + granted} if claim.at_once else {"held": CountRow.held + granted}
        key = {**_key(claim.subject, claim.measure), "began": policy.began(claim.measure, now)}
        statement = (
            for_dialect(CountRow)
            .values(**key, used=used, held=held, granted=first)
            .on_conflict_do_update(
                index_elements=[*key], set_={**changed, "granted": granted}, where=left >= claim.least
            )
            .returning(CountRow.granted)
        )
        found: float | None = await session.scalar(statement)
        return found

    async def _refusal(self, session: AsyncSession, claim: Claim, now: float) -> Refusal:
        count = await self._count(session, claim.subject, claim.measure, now)
        return Refusal(claim, count, policy.resets_in_s(claim.measure, now))

    async def _count(self, session: AsyncSession, subject: Subject, measure: Measure, now: float) -> Count:
        mine = _is(subject, measure, policy.began(measure, now))
        found = (await session.execute(select(CountRow.used, CountRow.held).where(mine))).first()
        return Count() if found is None else Count(*found)

    async def _end(self, session: AsyncSession, holds: Delete, spent: Mapping[str, Amounts]) -> int:
        """Delete these holds, which happens once for each, and change their counts by what they held and used."""
        freed: dict[tuple[Subject, Measure, int], list[float]] = defaultdict(lambda: [0.0, 0.0])
        ended = (await session.scalars(holds.returning(HoldRow))).all()
        for row in ended:
            sums = freed[_subject(row), Measure(row.measure), row.began]
            sums[0] += row.amount
            sums[1] += spent.get(row.reservation, {}).get(Measure(row.measure), 0.0)
        for (subject, measure, began), (held, used) in sorted(freed.items()):
            change = {"held": CountRow.held - held, "used": CountRow.used + used}
            await session.execute(update(CountRow).where(_is(subject, measure, began)).values(change))
        return len(ended)

    async def _database_now(self, session: AsyncSession) -> float:
        if self._scope.dialect == "postgresql":
            statement = text("SELECT extract(epoch FROM clock_timestamp())")
        else:
            statement = text(f"SELECT (julianday('now') - 2440587.5) * {policy.DAY_S}")
        return float((await session.execute(statement)).scalar_one())


def _key(subject: Subject, measure: Measure) -> dict[str, Any]:
    return {"kind": subject.kind, "subject": subject.id, "measure": measure.value}


def _is(subject: Subject, measure: Measure, began: int) -> ColumnElement[bool]:
    return and_(
        CountRow.kind == subject.kind,
        CountRow.subject == subject.id,
        CountRow.measure == measure.value,
        CountRow.began == began,
    )


def _hold(reservation: str, claim: Claim, now: float, amount: float, expires_at: float) -> dict[str, Any]:
    return {
        **_key(claim.subject, claim.measure),
        "reservation": reservation,
        "began": policy.began(claim.measure, now),
        "amount": amount,
        "expires_at": expires_at,
    }


def _subject(row: LimitRow | HoldRow) -> Subject:
    return Subject(row.kind, row.subject)  # type: ignore[arg-type]  # written by `_key` only
