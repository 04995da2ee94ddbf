"""The table of showings, opened for one platform."""

from __future__ import annotations

from sqlalchemy import JSON, ForeignKey, String, column, delete, select, table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from halext.chat import policy
from halext.chat.showings.types import Showing
from halext.chat.types import TurnId
from halext.storage.base import Base
from halext.storage.scope import Scope
from halext.types import UserId

_TURNS = table("turns", column("id"))


class ShowingRow(Base):
    """An answer that a door has begun to show."""

    __tablename__ = "showings"
    platform: Mapped[str] = mapped_column(String(16), primary_key=True)
    turn: Mapped[int] = mapped_column(ForeignKey("turns.id", ondelete="CASCADE"), primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    chat: Mapped[str] = mapped_column(String(policy.PLACE_MAX))
    refs: Mapped[list[str]] = mapped_column(JSON)


class ShowingStore:
    """What one platform's door shows. Another platform's showings are not there."""

    def __init__(self, scope: Scope, platform: str) -> None:
        self._scope = scope
        self._platform = platform

    async def note(self, showing: Showing) -> None:
        """Remember a showing as it is now; nothing happens when its answer has been deleted meanwhile."""
        insert = (postgresql if self._scope.dialect == "postgresql" else sqlite).insert
        values = {"owner_id": showing.owner, "chat": showing.chat, "refs": list(showing.refs)}
        statement = insert(ShowingRow).values(platform=self._platform, turn=showing.turn, **values)
        # PostgreSQL: the answer can't be deleted between the look and the note. SQLite has one writer anyway.
        there = select(_TURNS.c.id).where(_TURNS.c.id == showing.turn).with_for_update(read=True, key_share=True)
        async with self._scope.write() as session:
            if await session.scalar(there) is not None:
                await session.execute(statement.on_conflict_do_update(index_elements=["platform", "turn"], set_=values))

    async def forget(self, turn: TurnId) -> None:
        """The end stands in the chat."""
        async with self._scope.write() as session:
            await session.execute(
                delete(ShowingRow).where(ShowingRow.platform == self._platform, ShowingRow.turn == turn)
            )

    async def all(self) -> list[Showing]:
        """What was being shown when halext ended, the oldest answer first."""
        statement = select(ShowingRow).where(ShowingRow.platform == self._platform).order_by(ShowingRow.turn)
        async with self._scope.read() as session:
            return [
                Showing(TurnId(row.turn), UserId(row.owner_id), row.chat, tuple(row.refs))
                for row in await session.scalars(statement)
            ]
