"""The tables of workspaces, and the one condition that says whose rows a person reaches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    Double,
    ForeignKey,
    Integer,
    Select,
    String,
    case,
    column,
    delete,
    func,
    or_,
    select,
    table,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column

from halext.accounts.policy import name_key
from halext.accounts.types import UsageTotal
from halext.accounts.workspaces import policy
from halext.accounts.workspaces.types import ALONE, Access, Membership, Sharing, Standing, Workspace, WorkspaceRole
from halext.errors import AlreadyExists, NotFound, UnknownWorkspace
from halext.storage.base import Base
from halext.storage.scope import Scope
from halext.types import ModelName, UserId, WorkspaceId

_USERS = table("users", column("id", Integer), column("name", String), column("name_key", String))
_USAGE = table(
    "usage",
    *(column(name) for name in ("workspace_id", "caller", "model", "started_at", "total_s")),
    *(column(name, Integer) for name in ("prompt_tokens", "completion_tokens")),
)
_SHARED = tuple(
    table(name, column("owner_id", Integer), column("workspace_id", Integer)) for name in ("conversations", "tasks")
)
"""The tables of what can be shared."""


class WorkspaceRow(Base):
    """A group of people."""

    __tablename__ = "workspaces"
    __table_args__ = ({"sqlite_autoincrement": True},)
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(policy.NAME_MAX))
    name_key: Mapped[str] = mapped_column(String(256), unique=True)
    created_at: Mapped[float] = mapped_column(Double)


class MembershipRow(Base):
    """Someone's place in a workspace."""

    __tablename__ = "memberships"
    __table_args__ = (CheckConstraint("role IN ('owner', 'member', 'viewer')", name="role"),)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)
    role: Mapped[str] = mapped_column(String(16))
    since: Mapped[float] = mapped_column(Double)


# --- what is shared ---

T = TypeVar("T")


class Reach(Generic[T]):
    """The rows of one table that a person reaches: their own, and those shared with them in a workspace.

    The only place where that condition is built; a store of things that can be shared has no other way to its rows.
    """

    def __init__(
        self,
        row: type[T],
        owner: InstrumentedAttribute[int],
        workspace: InstrumentedAttribute[int | None],
        person: UserId,
    ) -> None:
        mine = select(MembershipRow.workspace_id).where(MembershipRow.user_id == person)
        self._row, self._owner, self._workspace, self._person = row, owner, workspace, person
        self.owned: ColumnElement[bool] = owner == person
        self.writable: ColumnElement[bool] = or_(
            self.owned, workspace.in_(mine.where(MembershipRow.role.in_([str(role) for role in policy.WRITERS])))
        )
        self.readable: ColumnElement[bool] = or_(self.owned, workspace.in_(mine))

    def select(self, *conditions: ColumnElement[bool]) -> Select[T, int, str | None, str | None]:
        """The rows that the person may read, each with how far they reach and with the names of who shares it where."""
        access = case((self.owned, int(Access.OWN)), (self.writable, int(Access.WRITE)), else_=int(Access.READ))
        return (
            select(self._row, access, WorkspaceRow.name, _USERS.c.name)
            .outerjoin(WorkspaceRow, WorkspaceRow.id == self._workspace)
            .outerjoin(_USERS, _USERS.c.id == self._owner)
            .where(self.readable, *conditions)
        )

    async def all(
        self, session: AsyncSession, statement: Select[T, int, str | None, str | None]
    ) -> list[tuple[T, Sharing]]:
        """What a statement made by `select` finds."""
        found = await session.execute(statement)
        return [(row, sharing(access, workspace, owner)) for row, access, workspace, owner in found]

    async def one(
        self, session: AsyncSession, condition: ColumnElement[bool], needs: Access, *, lock: bool = False
    ) -> tuple[T, Sharing] | None:
        """The one row of this condition; None for another's just as for none. Raises `Forbidden`."""
        statement = self.select(condition)
        found = await self.all(session, statement.with_for_update(of=self._row) if lock else statement)
        if not found:
            return None
        policy.check_access(found[0][1].access, needs)
        return found[0]

    async def shareable(self, session: AsyncSession, name: str) -> WorkspaceId:
        """The workspace to share something in. Raises `UnknownWorkspace` and, for viewers, `Forbidden`."""
        row, role = await _standing(session, name, self._person)
        policy.check_writer(role)
        return WorkspaceId(row.id)


def sharing(access: int, workspace: str | None, owner: str | None) -> Sharing:
    """What stands beside a row, as a noun."""
    return ALONE if workspace is None else Sharing(Access(access), workspace, owner or "")


# --- workspaces ---


class WorkspaceStore:
    """The workspaces of one person. Those of others are not there, and by their name an `UnknownWorkspace`."""

    def __init__(self, scope: Scope, person: UserId) -> None:
        self._scope = scope
        self._person = person

    async def create(self, name: str, now: float) -> Standing:
        """A new workspace, whose owner the person is. Raises `AlreadyExists`."""
        async with self._scope.write() as session:
            row = WorkspaceRow(name=name, name_key=_key(name), created_at=now)
            session.add(row)
            await _flush_name(session, name)
            session.add(_membership(row, self._person, WorkspaceRole.OWNER, now))
            return Standing(_workspace(row), WorkspaceRole.OWNER)

    async def all(self) -> list[Standing]:
        """The person's workspaces, by name."""
        statement = _standings(self._person).order_by(WorkspaceRow.name_key)
        async with self._scope.read() as session:
            return [Standing(_workspace(row), WorkspaceRole(role)) for row, role in await session.execute(statement)]

    async def standing(self, name: str) -> Standing:
        """The workspace of this name, and what the person is in it. Raises `UnknownWorkspace`."""
        async with self._scope.read() as session:
            row, role = await _standing(session, name, self._person)
            return Standing(_workspace(row), role)

    async def numbered(self, workspace: WorkspaceId) -> Standing:
        """The workspace of this number, and what the person is in it. Raises `UnknownWorkspace`."""
        async with self._scope.read() as session:
            found = (await session.execute(_standings(self._person).where(WorkspaceRow.id == workspace))).first()
            if found is None:
                raise UnknownWorkspace
            return Standing(_workspace(found[0]), WorkspaceRole(found[1]))

    async def people(self, name: str) -> tuple[Standing, list[Membership]]:
        """Who is in it, by name. Raises `UnknownWorkspace`."""
        async with self._scope.read() as session:
            row, role = await _standing(session, name, self._person)
            return Standing(_workspace(row), role), await _people(session, row.id)

    async def add(self, name: str, whom: str, role: WorkspaceRole, now: float) -> None:
        """Take someone in. Raises `UnknownWorkspace`, `Forbidden`, `NotFound` and `AlreadyExists`."""
        async with self._scope.write() as session:
            row = await self._owned(session, name)
            user = await _user(session, whom)
            if await session.get(MembershipRow, (row.id, user)) is not None:
                raise AlreadyExists(f"{whom} is in this workspace already.")
            session.add(_membership(row, user, role, now))

    async def set_role(self, name: str, whom: str, role: WorkspaceRole) -> None:
        """Make someone something else in it. Raises as `add`, and `Conflict` for the last owner."""
        async with self._scope.write() as session:
            row = await self._owned(session, name)
            (await _member(session, row.id, whom)).role = str(role)
            await _check_owned(session, row.id)

    async def remove(self, name: str, whom: str) -> None:
        """Take someone out, or oneself, with all that they shared in it. Raises as `set_role`."""
        async with self._scope.write() as session:
            row, role = await _standing(session, name, self._person, lock=True)
            if await session.scalar(select(_USERS.c.id).where(_USERS.c.name_key == _key(whom))) != self._person:
                policy.check_owner(role)
            await _take_out(session, row.id, whom)

    async def rename(self, name: str, new: str) -> Workspace:
        """Call it something else. Raises `UnknownWorkspace`, `Forbidden` and `AlreadyExists`."""
        async with self._scope.write() as session:
            row = await self._owned(session, name)
            row.name, row.name_key = new, _key(new)
            await _flush_name(session, new)
            return _workspace(row)

    async def delete(self, name: str) -> None:
        """End it; what was shared in it is its owners' alone again. Raises `UnknownWorkspace` and `Forbidden`."""
        async with self._scope.write() as session:
            await session.delete(await self._owned(session, name))

    async def usage(self, name: str, since: float) -> list[UsageTotal]:
        """What was used on its account, by person and model. Raises `UnknownWorkspace` and `Forbidden`."""
        counted = (
            func.count(),
            *(func.sum(_USAGE.c[each]) for each in ("prompt_tokens", "completion_tokens", "total_s")),
        )
        async with self._scope.read() as session:
            row, role = await _standing(session, name, self._person)
            policy.check_owner(role)
            query = select(_USAGE.c.caller, _USAGE.c.model, *counted).where(
                _USAGE.c.workspace_id == row.id, _USAGE.c.started_at >= since
            )
            by = (_USAGE.c.caller, _USAGE.c.model)
            found = (await session.execute(query.group_by(*by).order_by(*by))).all()
        return [UsageTotal(caller, ModelName(model), *sums) for caller, model, *sums in found]

    async def _owned(self, session: AsyncSession, name: str) -> WorkspaceRow:
        row, role = await _standing(session, name, self._person, lock=True)
        policy.check_owner(role)
        return row


class AllWorkspaces:
    """Every workspace, for those who manage people: who is in it, and who owns it, but nothing of what is shared."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def all(self) -> list[tuple[Workspace, list[Membership]]]:
        """All of them by name, with their people."""
        async with self._scope.read() as session:
            rows = (await session.scalars(select(WorkspaceRow).order_by(WorkspaceRow.name_key))).all()
            return [(_workspace(row), await _people(session, row.id)) for row in rows]

    async def appoint(self, name: str, whom: str, by: UserId | None, now: float) -> None:
        """Make someone an owner. Raises `UnknownWorkspace`, `NotFound`, and `Forbidden` for letting oneself in."""
        async with self._scope.write() as session:
            row = await _named(session, name)
            user = await _user(session, whom)
            known = await session.get(MembershipRow, (row.id, user))
            policy.check_appointment(by, user, is_inside=known is not None)
            if known is None:
                session.add(_membership(row, user, WorkspaceRole.OWNER, now))
            else:
                known.role = str(WorkspaceRole.OWNER)

    async def dismiss(self, name: str, whom: str) -> None:
        """Take an owner out. Raises `UnknownWorkspace`, `NotFound`, and `Conflict` for the last one."""
        async with self._scope.write() as session:
            row = await _named(session, name)
            if (await _member(session, row.id, whom)).role != WorkspaceRole.OWNER:
                raise NotFound(f"No owner of this workspace is called {whom}.")
            await _take_out(session, row.id, whom)


def _key(name: str) -> str:
    return name_key(name.replace("\0", "\N{REPLACEMENT CHARACTER}"))  # which no name has, and PostgreSQL can't compare


def _standings(person: UserId) -> Select[WorkspaceRow, str]:
    joined = select(WorkspaceRow, MembershipRow.role).join(MembershipRow, MembershipRow.workspace_id == WorkspaceRow.id)
    return joined.where(MembershipRow.user_id == person)


async def _standing(
    session: AsyncSession, name: str, person: UserId, *, lock: bool = False
) -> tuple[WorkspaceRow, WorkspaceRole]:
    statement = _standings(person).where(WorkspaceRow.name_key == _key(name))
    # Two owners who leave at once must see each other go; SQLite has one writer anyway.
    found = (await session.execute(statement.with_for_update(of=WorkspaceRow) if lock else statement)).first()
    if found is None:
        raise UnknownWorkspace
    return found[0], WorkspaceRole(found[1])


async def _named(session: AsyncSession, name: str) -> WorkspaceRow:
    row = await session.scalar(select(WorkspaceRow).where(WorkspaceRow.name_key == _key(name)).with_for_update())
    if row is None:
        raise UnknownWorkspace
    return row


async def _people(session: AsyncSession, workspace: int) -> list[Membership]:
    statement = (
        select(MembershipRow, _USERS.c.name)
        .join(_USERS, _USERS.c.id == MembershipRow.user_id)
        .where(MembershipRow.workspace_id == workspace)
        .order_by(_USERS.c.name_key)
    )
    return [
        Membership(UserId(row.user_id), name, WorkspaceRole(row.role), row.since)
        for row, name in await session.execute(statement)
    ]


async def _user(session: AsyncSession, name: str) -> UserId:
    found: int | None = await session.scalar(select(_USERS.c.id).where(_USERS.c.name_key == _key(name)))
    if found is None:
        raise NotFound("There is nobody of this name.")
    return UserId(found)


async def _member(session: AsyncSession, workspace: int, name: str) -> MembershipRow:
    inside = select(MembershipRow).join(_USERS, _USERS.c.id == MembershipRow.user_id)
    row = await session.scalar(inside.where(MembershipRow.workspace_id == workspace, _USERS.c.name_key == _key(name)))
    if row is None:
        raise NotFound("Nobody of this name is in the workspace.")
    return row


async def _take_out(session: AsyncSession, workspace: int, name: str) -> None:
    row = await _member(session, workspace, name)
    # What they shared goes with them: they would read on there what the others write, and the others what they write.
    for shared in _SHARED:
        theirs = (shared.c.owner_id == row.user_id, shared.c.workspace_id == workspace)
        await session.execute(update(shared).where(*theirs).values(workspace_id=None))
    gone = (MembershipRow.workspace_id == workspace, MembershipRow.user_id == row.user_id)
    await session.execute(delete(MembershipRow).where(*gone))
    await _check_owned(session, workspace)


async def _check_owned(session: AsyncSession, workspace: int) -> None:
    roles: Sequence[str] = (
        await session.scalars(select(MembershipRow.role).where(MembershipRow.workspace_id == workspace))
    ).all()
    policy.check_owned(map(WorkspaceRole, roles))


async def _flush_name(session: AsyncSession, name: str) -> None:
    try:
        await session.flush()
    except IntegrityError as error:
        raise AlreadyExists(f"There is a workspace called {name} already.") from error


def _membership(workspace: WorkspaceRow, user: UserId, role: WorkspaceRole, now: float) -> MembershipRow:
    return MembershipRow(workspace_id=workspace.id, user_id=user, role=str(role), since=now)


def _workspace(row: WorkspaceRow) -> Workspace:
    return Workspace(WorkspaceId(row.id), row.name, row.created_at)
