"""The table of sign-ins."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Boolean, Double, ForeignKey, Integer, String, column, delete, select, table, update
from sqlalchemy.orm import Mapped, mapped_column

from halext.accounts.sessions import policy
from halext.accounts.sessions.types import Origin, Session
from halext.accounts.types import Role, User
from halext.errors import NotFound
from halext.storage.base import Base
from halext.storage.scope import Scope
from halext.types import UserId

_USERS = table(
    "users",
    *(column("id"), column("name"), column("role"), column("disabled", Boolean), column("created_at")),
    column("password_hash"),
)


class SessionRow(Base):
    """A sign-in."""

    __tablename__ = "sessions"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[float] = mapped_column(Double)
    expires_at: Mapped[float] = mapped_column(Double)
    proved_at: Mapped[float] = mapped_column(Double, server_default="0")
    used_at: Mapped[float | None] = mapped_column(Double)
    address: Mapped[str] = mapped_column(String(policy.ADDRESS_MAX), server_default="")
    agent: Mapped[str] = mapped_column(String(policy.AGENT_MAX), server_default="")


class SessionStore:
    """Begins sign-ins and finds the person behind one."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def begin(
        self,
        user: User,
        session_hash: str,
        *,
        checked: str,
        better: str | None,
        now: float,
        expires_at: float,
        origin: Origin | None = None,
    ) -> bool:
        """Add a session, unless the person was disabled or the password changed since `checked` was read.

        `better` replaces the kept password hash. Sessions of this person that have run out are cleared away.
        """
        origin = origin or Origin()
        query = select(_USERS.c.disabled, _USERS.c.password_hash).where(_USERS.c.id == user.id)
        async with self._scope.write() as session:
            row = (await session.execute(query.with_for_update())).one()
            if row.disabled or row.password_hash != checked:
                return False
            if better:
                changed = update(_USERS).where(_USERS.c.id == user.id).values(password_hash=better)
                await session.execute(changed)
            await session.execute(delete(SessionRow).where(SessionRow.user_id == user.id, SessionRow.expires_at <= now))
            session.add(
                SessionRow(
                    user_id=user.id,
                    hash=session_hash,
                    created_at=now,
                    expires_at=expires_at,
                    proved_at=now,
                    address=origin.address,
                    agent=origin.agent,
                )
            )
            return True

    async def end(self, session_hash: str) -> None:
        """End one session, if it exists."""
        async with self._scope.write() as session:
            await session.execute(delete(SessionRow).where(SessionRow.hash == session_hash))

    async def find(self, session_hash: str) -> tuple[User, Session] | None:
        """Who signed in with this session; None if it has ended or the person is disabled."""
        query = select(_USERS, SessionRow).join(SessionRow, SessionRow.user_id == _USERS.c.id)
        async with self._scope.read() as session:
            found = (
                await session.execute(query.where(SessionRow.hash == session_hash, _USERS.c.disabled.is_(False)))
            ).first()
            if found is None:
                return None
            user = User(UserId(found.id), found.name, Role(found.role), found.disabled, found.created_at)
            return user, _session(found.SessionRow)

    async def touch(self, used_at: Mapping[int, float]) -> None:
        """Remember when sessions were last used, by id."""
        async with self._scope.write() as session:
            for number, at in used_at.items():
                await session.execute(update(SessionRow).where(SessionRow.id == number).values(used_at=at))


class OwnSessions:
    """One person's sign-ins. Those of others are not there."""

    def __init__(self, scope: Scope, owner: UserId) -> None:
        self._scope = scope
        self._owner = owner

    async def all(self, now: float) -> list[Session]:
        """Those that have not run out, the newest first."""
        query = select(SessionRow).where(SessionRow.user_id == self._owner, SessionRow.expires_at > now)
        async with self._scope.read() as session:
            return [_session(row) for row in await session.scalars(query.order_by(SessionRow.id.desc()))]

    async def end(self, number: int) -> None:
        """End one. Raises `NotFound`, for another's just as for none."""
        statement = delete(SessionRow).where(SessionRow.id == number, SessionRow.user_id == self._owner)
        async with self._scope.write() as session:
            if await session.scalar(statement.returning(SessionRow.id)) is None:
                raise NotFound("There is no such sign-in.")

    async def end_all(self) -> None:
        """End every one."""
        async with self._scope.write() as session:
            await session.execute(delete(SessionRow).where(SessionRow.user_id == self._owner))

    async def renew_password(self, kept: int | None, *, checked: str, password_hash: str, now: float) -> bool:
        """Replace the password and end every sign-in but the one with the number `kept`, which counts as new.

        False, and nothing changes, if the password is no longer the one that was `checked`.
        """
        mine = _USERS.c.id == self._owner
        changed = update(_USERS).where(mine, _USERS.c.password_hash == checked, _USERS.c.disabled.is_(False))
        async with self._scope.write() as session:
            done = await session.scalar(changed.values(password_hash=password_hash).returning(_USERS.c.id))
            if done is None:
                return False
            others = delete(SessionRow).where(SessionRow.user_id == self._owner)
            await session.execute(others if kept is None else others.where(SessionRow.id != kept))
            await session.execute(update(SessionRow).where(SessionRow.user_id == self._owner).values(proved_at=now))
            return True


def _session(row: SessionRow) -> Session:
    origin = Origin(row.address, row.agent)
    return Session(row.id, row.created_at, row.proved_at, row.expires_at, row.used_at, origin)
