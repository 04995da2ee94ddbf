"""The tables of incidents and of what was told about them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import (
    CheckConstraint,
    Double,
    ForeignKey,
    Index,
    Integer,
    Select,
    String,
    Text,
    UniqueConstraint,
    Update,
    delete,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from halext.alerts.types import Ending, Fire, Incident, IncidentId, Notice, NoticeState, Resolve
from halext.storage.base import Base
from halext.storage.scope import Scope
from halext.types import NodeName

REF_MAX = 255
_OPEN = text("resolved_at IS NULL")


class IncidentRow(Base):
    """An outage."""

    __tablename__ = "incidents"
    __table_args__ = (
        CheckConstraint("ending IN ('back', 'removed')", name="ending"),
        # One open incident per node and rule, also when two processes evaluate at the same time.
        Index("ix_incidents_open", "rule", "node", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    rule: Mapped[str] = mapped_column(String(32))
    node: Mapped[str] = mapped_column(String(63))
    """No reference: what happened stays on record when the node is removed."""
    reason: Mapped[str] = mapped_column(Text)
    started_at: Mapped[float] = mapped_column(Double)
    fired_at: Mapped[float] = mapped_column(Double)
    resolved_at: Mapped[float | None] = mapped_column(Double)
    ending: Mapped[Ending | None] = mapped_column(String(16))


class NoticeRow(Base):
    """An incident told in one place."""

    __tablename__ = "notices"
    __table_args__ = (
        UniqueConstraint("incident", "notifier"),
        CheckConstraint("state IN ('waiting', 'told', 'done', 'given-up')", name="state"),
        Index(None, "state"),
    )
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    incident: Mapped[int] = mapped_column(ForeignKey("incidents.id", ondelete="CASCADE"))
    notifier: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    ref: Mapped[str | None] = mapped_column(String(REF_MAX))
    attempts: Mapped[int] = mapped_column(Integer)
    next_at: Mapped[float] = mapped_column(Double)
    error: Mapped[str] = mapped_column(Text)


class AlertStore:
    """Incidents and notices, for the house itself and for administrators; they have no owner."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def open(self, rule: str) -> list[Incident]:
        """The rule's incidents that are not over."""
        found = select(IncidentRow).where(IncidentRow.rule == rule, IncidentRow.resolved_at.is_(None))
        return await self._incidents(found.order_by(IncidentRow.id))

    async def untold(self, notifiers: Iterable[str], limit: int, *, now: float) -> list[Incident]:
        """The oldest incidents of which one of these places is to be told something now."""
        waiting = select(NoticeRow.incident).where(
            NoticeRow.state == str(NoticeState.WAITING),
            NoticeRow.notifier.in_(list(notifiers)),
            NoticeRow.next_at <= now,
        )
        found = select(IncidentRow).where(IncidentRow.id.in_(waiting))
        return await self._incidents(found.order_by(IncidentRow.id).limit(limit))

    async def unheard(self, since: float, limit: int) -> list[Incident]:
        """The latest incidents that ended since then and came and went with nobody there to be told."""
        somebody = select(NoticeRow.id).where(NoticeRow.incident == IncidentRow.id).exists()
        found = select(IncidentRow).where(IncidentRow.resolved_at >= since, ~somebody)
        return await self._incidents(found.order_by(IncidentRow.id.desc()).limit(limit))

    async def latest(self, limit: int, *, only_open: bool = False) -> list[Incident]:
        """Incidents, the newest first."""
        found = select(IncidentRow).order_by(IncidentRow.id.desc()).limit(limit)
        return await self._incidents(found.where(IncidentRow.resolved_at.is_(None)) if only_open else found)

    async def fire(self, action: Fire, notifiers: Iterable[str], *, now: float) -> IncidentId | None:
        """Put an incident on record, and with it who is to be told; None where one is open already."""
        dialect = postgresql if self._scope.dialect == "postgresql" else sqlite
        values = {"rule": action.rule, "node": action.node, "reason": action.reason, "started_at": action.started_at}
        statement = dialect.insert(IncidentRow).values(fired_at=now, **values).on_conflict_do_nothing()
        async with self._scope.write() as session:
            made = await session.scalar(statement.returning(IncidentRow.id))
            if made is None:
                return None
            incident = IncidentId(made)
            await self._enlist(session, incident, notifiers, now)
            return incident

    async def enlist(self, incident: IncidentId, notifiers: Iterable[str], *, now: float) -> None:
        """Places that are to be told of an open incident too."""
        async with self._scope.write() as session:
            await self._enlist(session, incident, notifiers, now)

    async def _enlist(self, session: AsyncSession, incident: IncidentId, notifiers: Iterable[str], now: float) -> None:
        dialect = postgresql if self._scope.dialect == "postgresql" else sqlite
        rows = [
            {
                "incident": incident,
                "notifier": name,
                "state": str(NoticeState.WAITING),
                "attempts": 0,
                "next_at": now,
                "error": "",
            }
            for name in notifiers
        ]
        if rows:
            await session.execute(dialect.insert(NoticeRow).values(rows).on_conflict_do_nothing())

    async def resolve(self, action: Resolve, *, now: float) -> bool:
        """End an incident, and with it have those told who know that it began; False where it was over already."""
        ended = (
            update(IncidentRow)
            .where(IncidentRow.id == action.incident, IncidentRow.resolved_at.is_(None))
            .values(resolved_at=now, ending=action.ending)
            .returning(IncidentRow.id)
        )
        told = (
            update(NoticeRow)
            .where(NoticeRow.incident == action.incident, NoticeRow.state == str(NoticeState.TOLD))
            .values(state=str(NoticeState.WAITING), attempts=0, next_at=now)
        )
        async with self._scope.write() as session:
            if await session.scalar(ended) is None:
                return False
            await session.execute(told)
            return True

    async def claim(self, notice: Notice, *, until: float) -> bool:
        """Take it upon oneself to tell this; until then nobody else tries. False where somebody else was first."""
        claimed = self._change(notice).where(NoticeRow.attempts == notice.attempts)
        values = {"attempts": notice.attempts + 1, "next_at": until}
        async with self._scope.write() as session:
            return await session.scalar(claimed.values(values).returning(NoticeRow.id)) is not None

    async def told(self, notice: Notice, ref: str, *, is_over: bool, now: float) -> None:
        """It was told, with the end or without; an end that came meanwhile is to be told next."""
        async with self._scope.write() as session:
            # Locked, so that an end can't slip in between what is read here and what is written below.
            over = select(IncidentRow.resolved_at).where(IncidentRow.id == notice.incident).with_for_update(read=True)
            if is_over:
                state = NoticeState.DONE
            else:
                state = NoticeState.TOLD if await session.scalar(over) is None else NoticeState.WAITING
            values = {"state": str(state), "ref": ref[:REF_MAX], "attempts": 0, "next_at": now, "error": ""}
            await session.execute(self._change(notice).values(values))

    async def failed(self, notice: Notice, error: str, *, ref: str | None, next_at: float) -> None:
        """It could not be told; `ref` is what is left of the message."""
        async with self._scope.write() as session:
            await session.execute(self._change(notice).values(error=error, ref=ref, next_at=next_at))

    async def give_up(self, notice: Notice) -> None:
        """Nobody needs to be told any more."""
        async with self._scope.write() as session:
            await session.execute(self._change(notice).values(state=str(NoticeState.GIVEN_UP)))

    async def forget(self, before: float) -> None:
        """Take incidents off the record that were over before then, with all that was told of them."""
        old = delete(IncidentRow).where(IncidentRow.resolved_at < before)
        async with self._scope.write() as session:
            await session.execute(old)

    @staticmethod
    def _change(notice: Notice) -> Update:
        same = (NoticeRow.incident == notice.incident, NoticeRow.notifier == notice.notifier)
        return update(NoticeRow).where(*same, NoticeRow.state == str(NoticeState.WAITING))

    async def _incidents(self, found: Select[IncidentRow]) -> list[Incident]:
        async with self._scope.read() as session:
            rows = list(await session.scalars(found))
            ids = [row.id for row in rows]
            if not ids:
                return []
            told = await session.scalars(select(NoticeRow).where(NoticeRow.incident.in_(ids)).order_by(NoticeRow.id))
            notices: dict[int, list[Notice]] = {}
            for notice in told:
                notices.setdefault(notice.incident, []).append(_notice(notice))
            return [_incident(row, notices.get(row.id, ())) for row in rows]


def _notice(row: NoticeRow) -> Notice:
    return Notice(
        incident=IncidentId(row.incident),
        notifier=row.notifier,
        state=NoticeState(row.state),
        ref=row.ref,
        attempts=row.attempts,
        next_at=row.next_at,
        error=row.error,
    )


def _incident(row: IncidentRow, notices: Sequence[Notice]) -> Incident:
    return Incident(
        id=IncidentId(row.id),
        rule=row.rule,
        node=NodeName(row.node),
        reason=row.reason,
        started_at=row.started_at,
        fired_at=row.fired_at,
        resolved_at=row.resolved_at,
        ending=row.ending,
        notices=tuple(notices),
    )
