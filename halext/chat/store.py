"""The tables of conversations, opened for their owner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import JSON, CheckConstraint, Double, ForeignKey, Index, Integer, String, Text, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from halext.chat import policy
from halext.chat.types import Conversation, ConversationId, Outcome, Turn, TurnId, TurnState
from halext.errors import Conflict, NotFound
from halext.storage.base import Base
from halext.storage.scope import Scope
from halext.types import UserId

SHOWN_MAX = 200
"""Conversations in a list, the latest ones."""
TURNS_MAX = 500
"""Turns of one conversation that are read at once, the latest ones."""


class ConversationRow(Base):
    """A conversation."""

    __tablename__ = "conversations"
    __table_args__ = (Index(None, "owner_id", "updated_at"), {"sqlite_autoincrement": True})
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(String(policy.TITLE_MAX))
    model: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[float] = mapped_column(Double)
    updated_at: Mapped[float] = mapped_column(Double)


class TurnRow(Base):
    """What one side said."""

    __tablename__ = "turns"
    __table_args__ = (
        CheckConstraint("role IN ('user', 'assistant')", name="role"),
        CheckConstraint("state IN ('running', 'done', 'stopped', 'interrupted', 'failed')", name="state"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    conversation: Mapped[int] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), index=True)
    role: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16), index=True)
    text: Mapped[str] = mapped_column(Text)
    model: Mapped[str] = mapped_column(String(255))
    node: Mapped[str] = mapped_column(String(63))
    error: Mapped[str] = mapped_column(Text)
    tokens_per_s: Mapped[float | None] = mapped_column(Double)
    first_token_s: Mapped[float | None] = mapped_column(Double)
    why: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[float] = mapped_column(Double)


class BlockRow(Base):
    """A finished piece of an answer that still runs; gone when the answer has ended."""

    __tablename__ = "blocks"
    turn: Mapped[int] = mapped_column(ForeignKey("turns.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True)
    text: Mapped[str] = mapped_column(Text)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that is on the record, and the answer that has begun."""

    conversation: Conversation
    before: tuple[Turn, ...]
    question: str
    answer: Turn


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An answer that ran when halext ended."""

    owner: UserId
    asked: Asked
    shown: str
    """What its readers had been given already."""


class ChatStore:
    """One person's conversations. Those of others are not there, and by their id a `NotFound` like any other."""

    def __init__(self, scope: Scope, owner: UserId) -> None:
        self._scope = scope
        self._owner = owner

    async def ask(self, conversation: ConversationId | None, text: str, model: str, now: float) -> Asked:
        """Put a question on the record and begin its answer, in one transaction; without a conversation, a new one.

        Raises `NotFound`, and `Conflict` while the conversation's last answer still runs.
        """
        async with self._scope.write() as session:
            row = (
                await self._begun(session, text, now)
                if conversation is None
                else await self._row(session, conversation)
            )
            before = await _turns(session, row.id)
            if before and before[-1].outcome.state is TurnState.RUNNING:
                raise Conflict("The last answer is still being written; wait for it or stop it.")
            row.model, row.updated_at = model or row.model, now
            asked = _new_turn(row.id, "user", TurnState.DONE, text, now)
            answer = _new_turn(row.id, "assistant", TurnState.RUNNING, "", now)
            for turn in (asked, answer):
                session.add(turn)
                await session.flush()  # one after the other: their ids are their order
            return Asked(_conversation(row), tuple(before), text, _turn(answer))

    async def conversations(self) -> list[Conversation]:
        """All of them, the latest first."""
        statement = (
            select(ConversationRow)
            .where(ConversationRow.owner_id == self._owner)
            .order_by(ConversationRow.updated_at.desc(), ConversationRow.id.desc())
            .limit(SHOWN_MAX)
        )
        async with self._scope.read() as session:
            return [_conversation(row) for row in await session.scalars(statement)]

    async def read(self, conversation: ConversationId) -> tuple[Conversation, list[Turn]]:
        """One of them with its turns, in order. Raises `NotFound`."""
        async with self._scope.read() as session:
            row = await self._row(session, conversation)
            return _conversation(row), await _turns(session, row.id)

    async def turn(self, turn: TurnId) -> Turn:
        """One turn. Raises `NotFound`."""
        statement = (
            select(TurnRow)
            .join(ConversationRow, ConversationRow.id == TurnRow.conversation)
            .where(TurnRow.id == turn, ConversationRow.owner_id == self._owner)
        )
        async with self._scope.read() as session:
            row = await session.scalar(statement)
            if row is None:
                raise NotFound("There is no such answer.")
            return _turn(row)

    async def forget(self, conversation: ConversationId) -> None:
        """Delete a conversation with all its turns. Raises `NotFound`."""
        async with self._scope.write() as session:
            await session.delete(await self._row(session, conversation))

    async def _begun(self, session: AsyncSession, text: str, now: float) -> ConversationRow:
        row = ConversationRow(owner_id=self._owner, title=policy.title(text), model="", created_at=now, updated_at=now)
        session.add(row)
        await session.flush()
        return row

    async def _row(self, session: AsyncSession, conversation: ConversationId) -> ConversationRow:
        row = await session.scalar(
            select(ConversationRow).where(ConversationRow.id == conversation, ConversationRow.owner_id == self._owner)
        )
        if row is None:
            raise NotFound("There is no such conversation.")
        return row


class AnswerLog:
    """What running answers have said so far. halext's own: only `answers` writes it, whoever asked."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    async def append(self, turn: TurnId, first: int, blocks: Sequence[str]) -> None:
        """Put finished blocks on the record, numbered from `first`."""
        async with self._scope.write() as session:
            session.add_all(BlockRow(turn=turn, seq=first + i, text=text) for i, text in enumerate(blocks))

    async def finish(self, turn: TurnId, outcome: Outcome) -> Turn:
        """Write down how an answer ended; its blocks are no longer needed."""
        async with self._scope.write() as session:
            row = await session.get_one(TurnRow, turn)
            row.state, row.text, row.error = str(outcome.state), outcome.text, outcome.error
            row.model, row.node, row.why = outcome.model, outcome.node, list(outcome.why)
            row.tokens_per_s, row.first_token_s = outcome.tokens_per_s, outcome.first_token_s
            await session.execute(delete(BlockRow).where(BlockRow.turn == turn))
            return _turn(row)

    async def unfinished(self) -> list[Unfinished]:
        """The answers that ran when halext ended."""
        async with self._scope.read() as session:
            rows = await session.execute(
                select(TurnRow, ConversationRow)
                .join(ConversationRow, ConversationRow.id == TurnRow.conversation)
                .where(TurnRow.state == TurnState.RUNNING)
            )
            return [await self._unfinished(session, turn, conversation) for turn, conversation in rows]

    async def _unfinished(self, session: AsyncSession, row: TurnRow, conversation: ConversationRow) -> Unfinished:
        blocks = await session.scalars(select(BlockRow.text).where(BlockRow.turn == row.id).order_by(BlockRow.seq))
        *before, asked, answer = [turn for turn in await _turns(session, conversation.id) if turn.id <= row.id]
        found = Asked(_conversation(conversation), tuple(before), asked.outcome.text, answer)
        return Unfinished(UserId(conversation.owner_id), found, "".join(blocks))


async def _turns(session: AsyncSession, conversation: int) -> list[Turn]:
    count = await session.scalar(select(func.count()).where(TurnRow.conversation == conversation)) or 0
    statement = (
        select(TurnRow)
        .where(TurnRow.conversation == conversation)
        .order_by(TurnRow.id)
        .offset(max(0, count - TURNS_MAX))
    )
    return [_turn(row) for row in await session.scalars(statement)]


def _new_turn(conversation: int, role: str, state: TurnState, text: str, now: float) -> TurnRow:
    return TurnRow(
        conversation=conversation,
        role=role,
        state=str(state),
        text=text,
        model="",
        node="",
        error="",
        why=[],
        created_at=now,
    )


def _conversation(row: ConversationRow) -> Conversation:
    return Conversation(
        ConversationId(row.id), UserId(row.owner_id), row.title, row.model, row.created_at, row.updated_at
    )


def _turn(row: TurnRow) -> Turn:
    outcome = Outcome(
        state=TurnState(row.state),
        text=row.text,
        model=row.model,
        node=row.node,
        error=row.error,
        tokens_per_s=row.tokens_per_s,
        first_token_s=row.first_token_s,
        why=tuple(row.why),
    )
    return Turn(
        id=TurnId(row.id),
        conversation=ConversationId(row.conversation),
        role="user" if row.role == "user" else "assistant",
        created_at=row.created_at,
        outcome=outcome,
    )
