"""The table of invites."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    ColumnElement,
    Double,
    ForeignKey,
    Integer,
    String,
    column,
    delete,
    insert,
    or_,
    select,
    table,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from halext.accounts.invites import policy
from halext.accounts.invites.types import Invite
from halext.accounts.policy import name_key
from halext.accounts.types import Role, User
from halext.errors import AlreadyExists, NotFound
from halext.storage.base import Base
from halext.storage.scope import Scope
from halext.types import UserId

_USERS = table(
    "users",
    *(column("id"), column("name"), column("name_key"), column("role"), column("disabled", Boolean)),
    *(column("password_hash"), column("created_at")),
)


class InviteRow(Base):
    """An invite; its row goes when it is used."""

    __tablename__ = "invites"
    __table_args__ = (
        CheckConstraint("role IN ('admin', 'member', 'guest')", name="role"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    role: Mapped[str] = mapped_column(String(16))
    note: Mapped[str] = mapped_column(String(policy.NOTE_MAX))
    maker_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[float] = mapped_column(Double)
    expires_at: Mapped[float] = mapped_column(Double)


class InviteStore:
    """All invites. Its callers have checked that they may see or change them."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def add(
        self, code: str, role: Role, note: str, *, maker: UserId | None, now: float, expires_at: float
    ) -> Invite:
        """Keep a new invite by its code's hash. Those that have run out are cleared away."""
        row = InviteRow(hash=code, role=role, note=note, maker_id=maker, created_at=now, expires_at=expires_at)
        async with self._scope.write() as session:
            await session.execute(delete(InviteRow).where(InviteRow.expires_at <= now))
            session.add(row)
            await session.flush()
            name = await session.scalar(select(_USERS.c.name).where(_USERS.c.id == maker))
            return _invite(row, name)

    async def all(self, now: float) -> list[Invite]:
        """Those that could be used now, the newest first."""
        query = select(InviteRow, _USERS.c.name).outerjoin(_USERS, _USERS.c.id == InviteRow.maker_id)
        async with self._scope.read() as session:
            found = await session.execute(query.where(_counts(now)).order_by(InviteRow.id.desc()))
            return [_invite(row, name) for row, name in found]

    async def remove(self, number: int) -> None:
        """End an invite. Raises `NotFound`."""
        async with self._scope.write() as session:
            gone = await session.scalar(delete(InviteRow).where(InviteRow.id == number).returning(InviteRow.id))
            if gone is None:
                raise NotFound("There is no invite of this number; `halext user invites` lists them")

    async def is_open(self, code: str, now: float) -> bool:
        """Whether the code of this hash could be used now."""
        async with self._scope.read() as session:
            return await session.scalar(select(InviteRow.id).where(InviteRow.hash == code, _counts(now))) is not None

    async def claim(self, code: str, name: str, password_hash: str, now: float) -> User | None:
        """Use the code of this hash up and add the person, both or neither; None if it can't be used now.

        Raises `AlreadyExists` if someone has that name; then the invite can be used again.
        """
        used = delete(InviteRow).where(InviteRow.hash == code, _counts(now)).returning(InviteRow.role)
        values = {"name": name, "name_key": name_key(name), "password_hash": password_hash}
        async with self._scope.write() as session:
            role = await session.scalar(used)
            if role is None:
                return None
            added = insert(_USERS).values(**values, role=role, disabled=False, created_at=now)
            try:
                number = await session.scalar(added.returning(_USERS.c.id))
            except IntegrityError as error:
                raise AlreadyExists(f"There is a user called {name} already; choose another name") from error
            return User(UserId(number), name, Role(role), disabled=False, created_at=now)


def _counts(now: float) -> ColumnElement[bool]:
    """Not run out, and made by the owner of the machine or by somebody who may still invite."""
    makers = select(_USERS.c.id).where(_USERS.c.role.in_(sorted(policy.MAKERS)), _USERS.c.disabled.is_(False))
    is_backed = or_(InviteRow.maker_id.is_(None), InviteRow.maker_id.in_(makers))
    return (InviteRow.expires_at > now) & is_backed


def _invite(row: InviteRow, maker: str | None) -> Invite:
    return Invite(row.id, Role(row.role), row.note, maker, row.created_at, row.expires_at)
