"""The table of sealed secrets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Double,
    ForeignKey,
    Index,
    Select,
    String,
    Text,
    column,
    delete,
    func,
    select,
    table,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from halext.errors import InvalidInput
from halext.storage.base import Base
from halext.storage.scope import Scope
from halext.types import SecretRef, UserId
from halext.vault import policy
from halext.vault.types import Label, Sealed, SecretInfo, SecretKind

_USERS = table("users", column("id"), column("name"))


class SecretRow(Base):
    """A sealed secret. Names are unique per owner, and among the house's."""

    __tablename__ = "secrets"
    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(policy.REF_MAX))
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(16))
    sealed: Mapped[str] = mapped_column(Text)
    data_key: Mapped[str | None] = mapped_column(Text)
    key_id: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[float] = mapped_column(Double)
    updated_at: Mapped[float] = mapped_column(Double)
    used_at: Mapped[float | None] = mapped_column(Double)


# Two, because a unique index takes no two empty owners for the same.
_HOUSE, _OWNED = SecretRow.owner_id.is_(None), SecretRow.owner_id.is_not(None)
Index("uq_secrets_ref", SecretRow.ref, unique=True, sqlite_where=_HOUSE, postgresql_where=_HOUSE)
Index(
    "uq_secrets_owner_id_ref",
    SecretRow.owner_id,
    SecretRow.ref,
    unique=True,
    sqlite_where=_OWNED,
    postgresql_where=_OWNED,
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A row: what it is, and its sealed value."""

    info: SecretInfo
    sealed: Sealed


class SecretStore:
    """Keeps what the cipher has sealed; it can't open any of it. `owner` is a person, or None for the house."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def get(self, ref: SecretRef, owner: UserId | None) -> Kept | None:
        """The sealed secret, if the owner has one of this name."""
        async with self._scope.read() as session:
            row = (await session.execute(_rows().where(*_of(ref, owner)))).first()
            return None if row is None else _kept(row)

    async def all(self) -> tuple[Kept, ...]:
        """Every secret of everybody, sealed: for rotation, and for finding those that don't open."""
        async with self._scope.read() as session:
            return tuple(map(_kept, await session.execute(_rows())))

    async def infos(self, owner: UserId | None) -> tuple[SecretInfo, ...]:
        """What the owner has, by name."""
        async with self._scope.read() as session:
            rows = await session.execute(_rows().where(_owned_by(owner)))
            return tuple(_kept(row).info for row in rows)

    async def put(self, label: Label, sealed: Sealed, now: float) -> None:
        """Keep a secret, in place of the owner's one of this name if there is one.

        Raises `InvalidInput` when a person has as many as one may have.
        """
        insert = (postgresql if self._scope.dialect == "postgresql" else sqlite).insert
        fresh = {"kind": str(label.kind), "sealed": sealed.text, "data_key": sealed.data_key, "key_id": sealed.key_id}
        added = insert(SecretRow).values(ref=label.ref, owner_id=label.owner, created_at=now, updated_at=now, **fresh)
        elements, where = (["ref"], _HOUSE) if label.owner is None else (["owner_id", "ref"], _OWNED)
        changes: dict[str, Any] = {**fresh, "updated_at": now}
        statement = added.on_conflict_do_update(index_elements=elements, index_where=where, set_=changes)
        async with self._scope.write() as session:
            if label.owner is not None:
                others = select(func.count()).where(_owned_by(label.owner), SecretRow.ref != label.ref)
                if (await session.scalar(others) or 0) >= policy.PER_PERSON:
                    raise InvalidInput(f"Nobody keeps more than {policy.PER_PERSON} secrets; remove one first")
            await session.execute(statement)

    async def replace(self, label: Label, before: Sealed, after: Sealed) -> bool:
        """Keep the same secret sealed anew; False if someone changed or removed it since `before` was read."""
        same = SecretRow.sealed == before.text, SecretRow.data_key.is_not_distinct_from(before.data_key)
        fresh = {"sealed": after.text, "data_key": after.data_key, "key_id": after.key_id}
        statement = update(SecretRow).where(*_of(label.ref, label.owner), *same).values(**fresh)
        async with self._scope.write() as session:
            return (await session.execute(statement.returning(SecretRow.id))).first() is not None

    async def touch(self, label: Label, now: float) -> None:
        """Remember that it was used."""
        async with self._scope.write() as session:
            await session.execute(update(SecretRow).where(*_of(label.ref, label.owner)).values(used_at=now))

    async def remove(self, ref: SecretRef, owner: UserId | None) -> bool:
        """Forget a secret; False if the owner had none of this name."""
        statement = delete(SecretRow).where(*_of(ref, owner)).returning(SecretRow.id)
        async with self._scope.write() as session:
            return (await session.execute(statement)).first() is not None


def _rows() -> Select[Any]:
    named = SecretRow.__table__.outerjoin(_USERS, _USERS.c.id == SecretRow.owner_id)
    return select(SecretRow, _USERS.c.name).select_from(named).order_by(SecretRow.ref, SecretRow.owner_id)


def _of(ref: SecretRef, owner: UserId | None) -> tuple[ColumnElement[bool], ...]:
    return SecretRow.ref == ref, _owned_by(owner)


def _owned_by(owner: UserId | None) -> ColumnElement[bool]:
    return _HOUSE if owner is None else SecretRow.owner_id == owner


def _kept(found: Any) -> Kept:
    row, owner_name = found
    owner = None if row.owner_id is None else UserId(row.owner_id)
    label = Label(SecretRef(row.ref), owner, SecretKind(row.kind))
    info = SecretInfo(label, owner_name or "", row.created_at, row.updated_at, row.used_at, row.key_id)
    return Kept(info, Sealed(row.sealed, row.data_key, row.key_id))
