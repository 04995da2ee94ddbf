"""The tables of what one person has open, and which model they want, in chat places."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String, delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from halext.chat import policy
from halext.chat.types import ConversationId
from halext.storage.base import Base
from halext.storage.scope import Scope
from halext.types import UserId


class PlaceRow(Base):
    """The conversation that one person has open in one chat place."""

    __tablename__ = "chat_places"
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    place: Mapped[str] = mapped_column(String(policy.PLACE_MAX), primary_key=True)
    conversation: Mapped[int] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), index=True)


class PlaceModelRow(Base):
    """The model that one person wants in one chat place."""

    __tablename__ = "chat_models"
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    place: Mapped[str] = mapped_column(String(policy.PLACE_MAX), primary_key=True)
    model: Mapped[str] = mapped_column(String(policy.MODEL_MAX))


class OpeningStore:
    """What one person has open where. Whether they may still read it is for the store of conversations to say."""

    def __init__(self, scope: Scope, owner: UserId) -> None:
        self._scope = scope
        self._owner = owner

    async def at(self, place: str) -> ConversationId | None:
        """The conversation that was opened there."""
        async with self._scope.read() as session:
            row = await session.get(PlaceRow, (self._owner, place))
            return None if row is None else ConversationId(row.conversation)

    async def open(self, place: str, conversation: ConversationId) -> None:
        """Open a conversation in a chat place, instead of the one before."""
        insert = (postgresql if self._scope.dialect == "postgresql" else sqlite).insert
        statement = insert(PlaceRow).values(owner_id=self._owner, place=place, conversation=conversation)
        async with self._scope.write() as session:
            await session.execute(
                statement.on_conflict_do_update(
                    index_elements=["owner_id", "place"], set_={"conversation": conversation}
                )
            )

    async def leave(self, place: str) -> None:
        """Open no conversation there; the next question begins one."""
        async with self._scope.write() as session:
            await session.execute(delete(PlaceRow).where(PlaceRow.owner_id == self._owner, PlaceRow.place == place))

    async def model(self, place: str) -> str:
        """The model that is wanted there; "" for none."""
        async with self._scope.read() as session:
            row = await session.get(PlaceModelRow, (self._owner, place))
            return "" if row is None else row.model

    async def want_model(self, place: str, model: str) -> None:
        """Want this model there from now on; "" for none."""
        insert = (postgresql if self._scope.dialect == "postgresql" else sqlite).insert
        statement = insert(PlaceModelRow).values(owner_id=self._owner, place=place, model=model)
        async with self._scope.write() as session:
            await session.execute(
                statement.on_conflict_do_update(index_elements=["owner_id", "place"], set_={"model": model})
            )
