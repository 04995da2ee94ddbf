"""The table of arrivals, opened for one source: one bot on one platform."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import BigInteger, Double, String, delete, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from halext.storage.base import Base
from halext.storage.scope import Scope

SOURCE_MAX = 64
KEPT_S = 172_800.0
"""Two days: Telegram delivers nothing again after one, and its numbers may begin anew after a week."""


class ArrivalRow(Base):
    """Something that was dealt with and may be delivered once more."""

    __tablename__ = "arrivals"
    source: Mapped[str] = mapped_column(String(SOURCE_MAX), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    at: Mapped[float] = mapped_column(Double)


class ArrivalStore:
    """What came from one source. Another source's arrivals are not there."""

    def __init__(self, scope: Scope, source: str) -> None:
        self._scope = scope
        self._source = source

    async def note(self, number: int, now: float) -> None:
        """It was dealt with."""
        insert = (postgresql if self._scope.dialect == "postgresql" else sqlite).insert
        statement = insert(ArrivalRow).values(source=self._source, number=number, at=now)
        async with self._scope.write() as session:
            await session.execute(statement.on_conflict_do_nothing())

    async def known(self, numbers: Collection[int], now: float) -> set[int]:
        """Which of these were dealt with."""
        statement = select(ArrivalRow.number).where(
            ArrivalRow.source == self._source, ArrivalRow.number.in_(numbers), ArrivalRow.at > now - KEPT_S
        )
        async with self._scope.read() as session:
            return set(await session.scalars(statement))

    async def forget(self, below: int, now: float) -> None:
        """The platform knows that everything below this number has arrived; what is old is forgotten, too."""
        is_done = or_(ArrivalRow.number < below, ArrivalRow.at <= now - KEPT_S)
        async with self._scope.write() as session:
            await session.execute(delete(ArrivalRow).where(ArrivalRow.source == self._source, is_done))
