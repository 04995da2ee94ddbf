"""The table of tasks, opened for their owner."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import CheckConstraint, Double, ForeignKey, Index, Integer, String, Text, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

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


class TaskStore:
    """One person's tasks. Those of others are not there: not in lists, and by their id a `NotFound` like any other."""

    def __init__(self, scope: Scope, owner: UserId) -> None:
        self._scope = scope
        self._owner = owner

    async def add(self, drafts: Sequence[Draft], state: TaskState, now: float) -> list[Task]:
        """Write these down."""
        async with self._scope.write() as session:
            rows = [
                TaskRow(
                    owner_id=self._owner,
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
            return [_task(row) for row in rows]

    async def all(self, states: Collection[TaskState]) -> list[Task]:
        """Those in these states, newest first."""
        wanted = [str(state) for state in states]
        statement = (
            select(TaskRow)
            .where(TaskRow.owner_id == self._owner, TaskRow.state.in_(wanted))
            .order_by(TaskRow.id.desc())
            .limit(SHOWN_MAX)
        )
        async with self._scope.read() as session:
            return [_task(row) for row in await session.scalars(statement)]

    async def move(self, task: TaskId, to: TaskState, now: float) -> Task:
        """Put a task into another state. Raises `NotFound`, and `Conflict` where it can't go there."""
        async with self._scope.write() as session:
            row = await self._row(session, task)
            policy.check_move(_task(row), to)
            if row.state != to:
                row.state, row.done_at = str(to), now if to is TaskState.DONE else None
            return _task(row)

    async def edit(self, task: TaskId, draft: Draft) -> Task:
        """Give a task other words, another priority or another date. Raises `NotFound`."""
        async with self._scope.write() as session:
            row = await self._row(session, task)
            row.title, row.notes, row.priority, row.due_at = draft.title, draft.notes, str(draft.priority), draft.due_at
            return _task(row)

    async def _row(self, session: AsyncSession, task: TaskId) -> TaskRow:
        row = await session.scalar(select(TaskRow).where(TaskRow.id == task, TaskRow.owner_id == self._owner))
        if row is None:
            raise NotFound("There is no such task; `halext task list` shows yours.")
        return row


def _task(row: TaskRow) -> Task:
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
    )
