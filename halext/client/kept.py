"""Conversations that a halext server keeps: the same ones as on the page and in chats."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from halext.client.markdown import safe_markdown
from halext.client.reply import Reply
from halext.client.tables import Table
from halext.errors import HalextError, Internal, Interrupted
from halext.messages import ChatChunk, Done, Usage
from halext.runtime.control import Control
from halext.runtime.shapes import Nothing, RequestInfo
from halext.runtime.shapes_chat import (
    AnswerAfter,
    AnswerRef,
    AskMore,
    AskNew,
    ConversationInfo,
    ConversationRef,
    TurnInfo,
)
from halext.runtime.verbs import chat


class Conversations(Table[ConversationInfo]):
    """The conversations that are kept, the latest first."""

    def rows(self) -> list[dict[str, Any]]:
        """One line per conversation."""
        return [{"id": kept.id, "title": kept.title, "model": kept.model} for kept in self]


class Kept:
    """What is known of a kept conversation: which one it is, and its turns as they were when last looked at."""

    def __init__(self, number: int | None, *, model: str = "", system: str = "") -> None:
        self.id = number
        """Its number; None until the first question has begun it."""
        self.title = ""
        self.turns: Sequence[TurnInfo] = ()
        """What was said so far, the oldest first."""
        self._model = model
        self._system = system

    def __len__(self) -> int:
        """The number of turns."""
        return len(self.turns)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id or 'not begun'}: {self.title or 'no title yet'}, {len(self)} turns>"

    def _repr_mimebundle_(self, **_options: object) -> Mapping[str, str]:
        lines = [
            f"**{'You' if turn.role == 'user' else turn.model or 'Answer'}**\n\n{turn.text}" for turn in self.turns
        ]
        return {"text/plain": repr(self), "text/markdown": safe_markdown("\n\n".join(lines))}

    async def look(self, control: Control) -> None:
        """Read the turns anew. Raises `NotFound`."""
        if self.id is not None:
            kept = await control.call(chat.read_conversation, ConversationRef(self.id))
            self.title, self.turns = kept.info.title, kept.turns

    async def tell(self, control: Control, text: str, reply: Reply) -> AsyncGenerator[str, None]:
        """Ask the next question; the answer in pieces. Leaving the iteration stops it, and what has come is kept."""
        if self.id is None:
            begin = AskNew(text=text, model=self._model, system=self._system)
            asked = await control.call(chat.begin_conversation, begin)
        else:
            asked = await control.call(chat.ask_more, AskMore(id=self.id, text=text, model=self._model))
        self.id, self.title = asked.conversation.id, asked.conversation.title
        turn: TurnInfo | None = None
        try:
            seen = 0
            while turn is None or turn.state == "running":
                now = await control.call(chat.read_answer, AnswerAfter(id=asked.answer, seen=seen))
                turn, seen = now.turn, seen + len(now.more)
                if now.more:
                    reply.take(ChatChunk(text=now.more))
                    yield now.more
        except BaseException as error:
            reply.end(None, error)
            if not isinstance(error, HalextError):  # somebody has had enough
                await control.call(chat.stop_answer, AnswerRef(asked.answer))
            raise
        _end(reply, turn)
        await self.look(control)


def _end(reply: Reply, turn: TurnInfo) -> None:
    """Write down how the answer ended. Raises what it ended with, where that was not well."""
    usage = Usage(prompt_tokens=turn.prompt_tokens, completion_tokens=turn.completion_tokens)
    error: HalextError | None = None
    if turn.state == "done":
        reply.take(ChatChunk(done=Done("stop", usage)))
    elif turn.state == "failed":
        error = Internal(turn.error)
    else:
        error = Interrupted(turn.error or "The answer was stopped; what had come is kept.")
    reply.end(_info(turn), error)
    if error is not None:
        raise error


def _info(turn: TurnInfo) -> RequestInfo:
    return RequestInfo(
        id="",
        kind="chat",
        model=turn.model,
        node=turn.node or None,
        outcome=turn.state,
        started_at=turn.created_at,
        first_token_s=turn.first_token_s,
        total_s=None,
        prompt_tokens=turn.prompt_tokens,
        completion_tokens=turn.completion_tokens,
        tokens_per_s=turn.tokens_per_s,
        choices=[],
        failures=[],
        why=turn.why,
    )


async def conversations(control: Control) -> Conversations:
    """All kept conversations of the caller."""
    found = await control.call(chat.list_conversations, Nothing())
    return Conversations(found)
