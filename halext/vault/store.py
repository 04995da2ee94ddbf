"""The table of sealed secrets."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Double, String, Text, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from halext.storage.base import Base
from halext.storage.scope import Scope
from halext.types import SecretRef
from halext.vault.types import SecretInfo


class SecretRow(Base):
    """A sealed secret."""

    __tablename__ = "secrets"
    ref: Mapped[str] = mapped_column(String(255), primary_key=True)
    sealed: Mapped[str] = mapped_column(Text)
    key_id: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[float] = mapped_column(Double)
    updated_at: Mapped[float] = mapped_column(Double)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A secret as the database holds it."""

    text: str
    key_id: str


class SecretStore:
    """Keeps what the cipher has sealed; it can't open any of it."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def get(self, ref: SecretRef) -> Sealed | None:
        """The sealed secret, if there is one of this name."""
        async with self._scope.read() as session:
            row = await session.get(SecretRow, ref)
            return None if row is None else Sealed(row.sealed, row.key_id)

    async def put(self, ref: SecretRef, sealed: Sealed, now: float) -> None:
        """Keep a secret, in place of the one of this name if there is one."""
        dialect = postgresql if self._scope.dialect == "postgresql" else sqlite
        fresh = {"sealed": sealed.text, "key_id": sealed.key_id, "updated_at": now}
        statement = dialect.insert(SecretRow).values(ref=ref, created_at=now, **fresh)
        async with self._scope.write() as session:
            await session.execute(statement.on_conflict_do_update(index_elements=["ref"], set_=fresh))

    async def replace(self, ref: SecretRef, before: Sealed, after: Sealed) -> bool:
        """Keep the same secret sealed anew; False if someone changed or removed it since `before` was read."""
        same = (SecretRow.ref == ref, SecretRow.sealed == before.text)
        statement = update(SecretRow).where(*same).values(sealed=after.text, key_id=after.key_id)
        async with self._scope.write() as session:
            return (await session.execute(statement.returning(SecretRow.ref))).first() is not None

    async def remove(self, ref: SecretRef) -> bool:
        """Forget a secret; False if there was none."""
        statement = delete(SecretRow).where(SecretRow.ref == ref).returning(SecretRow.ref)
        async with self._scope.write() as session:
            return (await session.execute(statement)).first() is not None

    async def infos(self) -> tuple[SecretInfo, ...]:
        """What there is, by name."""
        async with self._scope.read() as session:
            rows = await session.scalars(select(SecretRow).order_by(SecretRow.ref))
            return tuple(SecretInfo(SecretRef(row.ref), row.created_at, row.updated_at, row.key_id) for row in rows)
