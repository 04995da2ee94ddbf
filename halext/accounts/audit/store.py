"""The table of the audit log. Rows are added, read, and cleared when they are old; there is no other statement."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    Double,
    Integer,
    String,
    Text,
    delete,
    func,
    insert,
    select,
)
from sqlalchemy.orm import Mapped, mapped_column

from halext.accounts import policy as accounts
from halext.accounts.audit import policy
from halext.accounts.audit.types import Entry, Outcome, Query
from halext.accounts.types import Caller, Permission
from halext.storage.base import Base
from halext.storage.scope import Scope
from halext.types import UserId

_OUTCOMES: dict[str, Outcome] = {"ok": "ok", "denied": "denied", "failed": "failed"}


class AuditRow(Base):
    """One entry. It refers to nothing, so that it outlives whom it names."""

    __tablename__ = "audit"
    __table_args__ = (
        CheckConstraint("outcome IN ('ok', 'denied', 'failed')", name="outcome"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True)
    at: Mapped[float] = mapped_column(Double, index=True)
    user_id: Mapped[int | None] = mapped_column(Integer)
    name: Mapped[str] = mapped_column(String(64))
    credential: Mapped[str] = mapped_column(String(16))
    action: Mapped[str] = mapped_column(String(80))
    subject: Mapped[str] = mapped_column(String(policy.SUBJECT_MAX))
    outcome: Mapped[str] = mapped_column(String(8))
    address: Mapped[str] = mapped_column(String(64))
    request_id: Mapped[str] = mapped_column(String(64))
    details: Mapped[str] = mapped_column(Text)
    count: Mapped[int] = mapped_column(Integer)


class AuditStore:
    """The log as a table."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def add(self, entries: Sequence[Entry]) -> None:
        """Write all entries in one transaction."""
        async with self._scope.write() as session:
            await session.execute(insert(AuditRow), [_values(entry) for entry in entries])

    async def page(self, caller: Caller, query: Query) -> list[Entry]:
        """Entries, the newest first, for those who may see the house. Raises `Forbidden`."""
        accounts.require(caller, Permission.SEE_HOUSE)
        statement = select(AuditRow).where(*_conditions(query)).order_by(AuditRow.id.desc()).limit(query.limit)
        async with self._scope.read() as session:
            return [_entry(row) for row in await session.scalars(statement)]

    async def clear(self, before: float) -> int:
        """Forget what is older, for good; how many entries that were."""
        async with self._scope.write() as session:
            gone = await session.scalars(delete(AuditRow).where(AuditRow.at < before).returning(AuditRow.id))
            return len(gone.all())


def _conditions(query: Query) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [AuditRow.at >= query.since]
    if query.until is not None:
        found.append(AuditRow.at < query.until)
    if query.who is not None:
        found.append(func.lower(AuditRow.name) == func.lower(query.who))
    if query.action is not None:
        room = AuditRow.action.startswith(query.action + ".", autoescape=True)
        found.append((AuditRow.action == query.action) | room)
    if query.after is not None:
        found.append(AuditRow.id < query.after)
    return found


def _values(entry: Entry) -> dict[str, object]:
    return {
        "at": entry.at,
        "user_id": entry.user_id,
        "name": entry.name,
        "credential": entry.credential,
        "action": entry.action,
        "subject": entry.subject,
        "outcome": entry.outcome,
        "address": entry.address,
        "request_id": entry.request_id,
        "details": json.dumps(dict(entry.details), separators=(",", ":"), default=list),
        "count": entry.count,
    }


def _entry(row: AuditRow) -> Entry:
    return Entry(
        id=row.id,
        at=row.at,
        user_id=None if row.user_id is None else UserId(row.user_id),
        name=row.name,
        credential=row.credential,
        action=row.action,
        subject=row.subject,
        outcome=_OUTCOMES[row.outcome],
        address=row.address,
        request_id=row.request_id,
        details=json.loads(row.details),
        count=row.count,
    )
