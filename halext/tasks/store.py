"""The table of tasks, opened for one person."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import CheckConstraint, Double, ForeignKey, Index, Integer, String, Text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from halext.accounts.workspaces.store import Reach
from halext.accounts.workspaces.types import ALONE, Access, Sharing
from halext.errors import NotFound
from halext.storage.base import Base
from halext.storage.scope import Scope
from halext.tasks import policy
from halext.tasks.types import Draft, Priority, Task, TaskId, TaskState
from halext.types import UserId

SHOWN_MAX = 500
"""Tasks in one list; the oldest ones that are done fall off its end."""


class TaskRow(Base):
    """A to-do."""

    __tablename__ = "tasks"
    __table_args__ = (
        CheckConstraint("state IN ('suggested', 'open', 'done', 'dropped')", name="state"),
        CheckConstraint("priority IN ('low', 'normal', 'high', 'urgent')", name="priority"),
        Index(None, "owner_id", "state"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(String(policy.TITLE_MAX))
    notes: Mapped[str] = mapped_column(Text)
    priority: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    due_at: Mapped[float | None] = mapped_column(Double)
    created_at: Mapped[float] = mapped_column(Double)
    done_at: Mapped[float | None] = mapped_column(Double)
    workspace_id: Mapped[int | None] = mapped_column(ForeignKey("workspaces.id", ondelete="SET NULL"), index=True)


class TaskStore:
    """The tasks that one person reaches: their own, and those shared with them.

    All others are not there: not in lists, and by their id a `NotFound` like any other. `Forbidden` for more than the
    person may.
    """

    def __init__(self, scope: Scope, person: UserId) -> None:
        self._scope = scope
        self._person = person
        self._reach = Reach(TaskRow, TaskRow.owner_id, TaskRow.workspace_id, person)

    async def add(self, drafts: Sequence[Draft], state: TaskState, now: float) -> list[Task]:
        """Write these down."""
        async with self._scope.write() as session:
            rows = [
                TaskRow(
                    owner_id=self._person,
                    title=draft.title,
                    notes=draft.notes,
                    priority=str(draft.priority),
                    state=str(state),
                    due_at=draft.due_at,
                    created_at=now,
                )
                for draft in drafts
            ]
            session.add_all(rows)
            await session.flush()
            return [_task(row, ALONE) for row in rows]

    async def all(self, states: Collection[TaskState]) -> list[Task]:
        """Those in these states, newest first."""
        wanted = TaskRow.state.in_([str(state) for state in states])
        statement = self._reach.select(wanted).order_by(TaskRow.id.desc()).limit(SHOWN_MAX)
        async with self._scope.read() as session:
            return [_task(row, sharing) for row, sharing in await self._reach.all(session, statement)]

    async def move(self, task: TaskId, to: TaskState, now: float) -> Task:
        """Put a task into another state. Raises `NotFound`, and `Conflict` where it can't go there."""
        async with self._scope.write() as session:
            row, sharing = await self._row(session, task, Access.WRITE)
            policy.check_move(_task(row, sharing), to)
            if row.state != to:
                row.state, row.done_at = str(to), now if to is TaskState.DONE else None
            return _task(row, sharing)

    async def edit(self, task: TaskId, draft: Draft) -> Task:
        """Give a task other words, another priority or another date. Raises `NotFound`."""
        async with self._scope.write() as session:
            row, sharing = await self._row(session, task, Access.WRITE)
            row.title, row.notes, row.priority, row.due_at = draft.title, draft.notes, str(draft.priority), draft.due_at
            return _task(row, sharing)

    async def share(self, task: TaskId, workspace: str | None) -> Task:
        """Share a task of one's own in a workspace of this name, and in no other; None for in none.

        Raises `NotFound`, `UnknownWorkspace`, and `Forbidden` for viewers of the workspace.
        """
        async with self._scope.write() as session:
            row, _ = await self._row(session, task, Access.OWN)
            row.workspace_id = None if workspace is None else await self._reach.shareable(session, workspace)
            await session.flush()
            return _task(*await self._row(session, task, Access.OWN))

    async def _row(self, session: AsyncSession, task: TaskId, needs: Access) -> tuple[TaskRow, Sharing]:
        found = await self._reach.one(session, TaskRow.id == task, needs)
        if found is None:
            raise NotFound("There is no such task; `halext task list` shows yours.")
        return found


def _task(row: TaskRow, sharing: Sharing) -> Task:
    return Task(
        id=TaskId(row.id),
        owner_id=UserId(row.owner_id),
        title=row.title,
        notes=row.notes,
        priority=Priority(row.priority),
        state=TaskState(row.state),
        due_at=row.due_at,
        created_at=row.created_at,
        done_at=row.done_at,
        sharing=sharing,
    )
