"""The tables of conversations, opened for one person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Double,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    column,
    delete,
    select,
    table,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from halext.accounts.workspaces.store import Reach
from halext.accounts.workspaces.types import ALONE, Access, Sharing
from halext.chat import policy
from halext.chat.types import Asked, Conversation, ConversationId, Outcome, Question, Turn, TurnId, TurnState
from halext.errors import Conflict, NotFound
from halext.storage.base import Base
from halext.storage.scope import Scope
from halext.types import UserId

_USERS = table("users", column("id", Integer), column("name", String))

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
    system: Mapped[str] = mapped_column(Text)
    created_at: Mapped[float] = mapped_column(Double)
    updated_at: Mapped[float] = mapped_column(Double)
    workspace_id: Mapped[int | None] = mapped_column(ForeignKey("workspaces.id", ondelete="SET NULL"), index=True)


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
    parent: Mapped[int | None] = mapped_column(ForeignKey("turns.id", ondelete="SET NULL"), index=True)
    role: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16), index=True)
    text: Mapped[str] = mapped_column(Text)
    model: Mapped[str] = mapped_column(String(255))
    node: Mapped[str] = mapped_column(String(63))
    error: Mapped[str] = mapped_column(Text)
    prompt_tokens: Mapped[int] = mapped_column(Integer)
    completion_tokens: Mapped[int] = mapped_column(Integer)
    tokens_per_s: Mapped[float | None] = mapped_column(Double)
    first_token_s: Mapped[float | None] = mapped_column(Double)
    why: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[float] = mapped_column(Double)
    author_id: Mapped[int | None] = mapped_column(Integer)


class BlockRow(Base):
    """A finished piece of an answer that still runs; gone when the answer has ended."""

    __tablename__ = "blocks"
    turn: Mapped[int] = mapped_column(ForeignKey("turns.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True)
    text: Mapped[str] = mapped_column(Text)


class PictureRow(Base):
    """A picture that was shown with a question."""

    __tablename__ = "pictures"
    turn: Mapped[int] = mapped_column(ForeignKey("turns.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True)
    base64: Mapped[str] = mapped_column(Text)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An answer that ran when halext ended."""

    person: UserId
    """Who had it written."""
    asked: Asked
    shown: str
    """What its readers had been given already."""


class ChatStore:
    """The conversations that one person reaches: their own, and those shared with them.

    All others are not there, and by their id a `NotFound` like any other. `Forbidden` for more than the person may.
    """

    def __init__(self, scope: Scope, person: UserId) -> None:
        self._scope = scope
        self._person = person
        self._reach = Reach(ConversationRow, ConversationRow.owner_id, ConversationRow.workspace_id, person)

    async def ask(self, conversation: ConversationId | None, question: Question, now: float) -> Asked:
        """Put a question on the record and begin its answer, in one transaction; without a conversation, a new one.

        Raises `NotFound`, and `Conflict` while the conversation's last answer still runs.
        """
        async with self._scope.write() as session:
            row, sharing = (
                (await self._begun(session, question, now), ALONE)
                if conversation is None
                else await self._row(session, conversation, Access.WRITE, lock=True)
            )
            before = policy.path(await _turns(session, row.id, busy=False))
            asked = _new_turn(row, before[-1].id if before else None, "user", now, self._person)
            asked.state, asked.text = str(TurnState.DONE), question.text
            session.add(asked)
            await session.flush()  # so that the question's id comes before the answer's
            session.add_all(PictureRow(turn=asked.id, seq=i, base64=data) for i, data in enumerate(question.pictures))
            path = (*before, _turn(asked))
            return await self._begin(session, row, sharing, path, question.model, now)

    async def again(self, answer: TurnId, model: str, now: float) -> Asked:
        """Begin another answer to the same question; the first stays on the record, off the path.

        Raises `NotFound`, and `Conflict` while an answer of the conversation runs.
        """
        async with self._scope.write() as session:
            old = await self._turn_row(session, answer)
            row, sharing = await self._row(session, ConversationId(old.conversation), Access.WRITE, lock=True)
            path = policy.path(await _turns(session, row.id, busy=False), TurnId(old.parent or 0))
            if not path or old.role != "assistant":
                raise NotFound("There is no such answer.")
            return await self._begin(session, row, sharing, path, model, now)

    async def conversations(self) -> list[Conversation]:
        """All of them, the latest first."""
        latest = (ConversationRow.updated_at.desc(), ConversationRow.id.desc())
        async with self._scope.read() as session:
            found = await self._reach.all(session, self._reach.select().order_by(*latest).limit(SHOWN_MAX))
            return [_conversation(row, sharing) for row, sharing in found]

    async def conversation(self, conversation: ConversationId, needs: Access = Access.READ) -> Conversation:
        """One of them. Raises `NotFound`."""
        async with self._scope.read() as session:
            return _conversation(*await self._row(session, conversation, needs))

    async def read(self, conversation: ConversationId) -> tuple[Conversation, list[Turn]]:
        """One of them with the turns that lead to its latest one. Raises `NotFound`."""
        async with self._scope.read() as session:
            row, sharing = await self._row(session, conversation)
            return _conversation(row, sharing), list(policy.path(await _turns(session, row.id)))

    async def turn(self, turn: TurnId, needs: Access = Access.READ) -> Turn:
        """One turn. Raises `NotFound`."""
        async with self._scope.read() as session:
            return _turn(await self._turn_row(session, turn, needs))

    async def share(self, conversation: ConversationId, workspace: str | None) -> Conversation:
        """Share a conversation of one's own in a workspace of this name, and in no other; None for in none.

        Raises `NotFound`, `UnknownWorkspace`, and `Forbidden` for viewers of the workspace.
        """
        async with self._scope.write() as session:
            row, _ = await self._row(session, conversation, Access.OWN, lock=True)
            row.workspace_id = None if workspace is None else await self._reach.shareable(session, workspace)
            await session.flush()
            return _conversation(*await self._row(session, conversation))

    async def forget(self, conversation: ConversationId) -> None:
        """Delete a conversation with all its turns. Raises `NotFound`."""
        async with self._scope.write() as session:
            row, _ = await self._row(session, conversation, Access.OWN)
            await session.delete(row)

    async def _begun(self, session: AsyncSession, question: Question, now: float) -> ConversationRow:
        row = ConversationRow(
            owner_id=self._person,
            title=policy.title(question.text),
            model="",
            system=question.system,
            created_at=now,
            updated_at=now,
        )
        session.add(row)
        await session.flush()
        return row

    async def _begin(
        self,
        session: AsyncSession,
        row: ConversationRow,
        sharing: Sharing,
        path: tuple[Turn, ...],
        model: str,
        now: float,
    ) -> Asked:
        row.model, row.updated_at = model or row.model, now
        answer = _new_turn(row, path[-1].id, "assistant", now, self._person)
        session.add(answer)
        await session.flush()
        return Asked(_conversation(row, sharing), path, _turn(answer), await _pictures(session, path))

    async def _row(
        self, session: AsyncSession, conversation: ConversationId, needs: Access = Access.READ, *, lock: bool = False
    ) -> tuple[ConversationRow, Sharing]:
        # Two questions at once: PostgreSQL lets the second one see the first; SQLite has one writer anyway.
        found = await self._reach.one(session, ConversationRow.id == conversation, needs, lock=lock)
        if found is None:
            raise NotFound("There is no such conversation.")
        return found

    async def _turn_row(self, session: AsyncSession, turn: TurnId, needs: Access = Access.READ) -> TurnRow:
        its = select(TurnRow.conversation).where(TurnRow.id == turn).scalar_subquery()
        if await self._reach.one(session, ConversationRow.id == its, needs) is None:
            raise NotFound("There is no such answer.")
        return await session.get_one(TurnRow, turn)


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
            row.prompt_tokens, row.completion_tokens = outcome.prompt_tokens, outcome.completion_tokens
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
        path = policy.path(await _turns(session, conversation.id), TurnId(row.parent or 0))
        asked = Asked(_conversation(conversation, ALONE), path, _turn(row), await _pictures(session, path))
        return Unfinished(UserId(row.author_id or conversation.owner_id), asked, "".join(blocks))


async def _turns(session: AsyncSession, conversation: int, *, busy: bool = True) -> list[Turn]:
    """The latest turns in order. Raises `Conflict` while an answer runs, unless the conversation may be `busy`."""
    statement = (
        select(TurnRow, _USERS.c.name)
        .outerjoin(_USERS, _USERS.c.id == TurnRow.author_id)
        .where(TurnRow.conversation == conversation)
        .order_by(TurnRow.id.desc())
        .limit(TURNS_MAX)
    )
    turns = [_turn(row, name or "") for row, name in await session.execute(statement)]
    if not busy and turns and turns[0].outcome.state is TurnState.RUNNING:
        raise Conflict("The last answer is still being written; wait for it or stop it.")
    return turns[::-1]


async def _pictures(session: AsyncSession, path: Sequence[Turn]) -> dict[TurnId, tuple[str, ...]]:
    turns = [turn.id for turn in path[-policy.CONTEXT_TURNS :]]
    rows = await session.scalars(
        select(PictureRow).where(PictureRow.turn.in_(turns)).order_by(PictureRow.turn, PictureRow.seq)
    )
    found: dict[TurnId, tuple[str, ...]] = {}
    for row in rows:
        turn = TurnId(row.turn)
        found[turn] = (*found.get(turn, ()), row.base64)
    return found


def _new_turn(
    conversation: ConversationRow, parent: int | None, role: str, now: float, author: UserId | None
) -> TurnRow:
    return TurnRow(
        conversation=conversation.id,
        parent=parent,
        role=role,
        state=str(TurnState.RUNNING),
        text="",
        model="",
        node="",
        error="",
        prompt_tokens=0,
        completion_tokens=0,
        why=[],
        created_at=now,
        author_id=author,
    )


def _conversation(row: ConversationRow, sharing: Sharing) -> Conversation:
    return Conversation(
        id=ConversationId(row.id),
        owner_id=UserId(row.owner_id),
        title=row.title,
        model=row.model,
        system=row.system,
        created_at=row.created_at,
        updated_at=row.updated_at,
        sharing=sharing,
    )


def _turn(row: TurnRow, by: str = "") -> Turn:
    outcome = Outcome(
        state=TurnState(row.state),
        text=row.text,
        model=row.model,
        node=row.node,
        error=row.error,
        prompt_tokens=row.prompt_tokens,
        completion_tokens=row.completion_tokens,
        tokens_per_s=row.tokens_per_s,
        first_token_s=row.first_token_s,
        why=tuple(row.why),
    )
    return Turn(
        id=TurnId(row.id),
        conversation=ConversationId(row.conversation),
        parent=None if row.parent is None else TurnId(row.parent),
        role="user" if row.role == "user" else "assistant",
        created_at=row.created_at,
        outcome=outcome,
        author=None if row.author_id is None else UserId(row.author_id),
        by=by,
    )
