"""Conversations and live answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NewType

from halext.types import UserId

ConversationId = NewType("ConversationId", int)
TurnId = NewType("TurnId", int)
"""One turn of a conversation; an assistant's turn is also the name of its live answer."""


class TurnState(StrEnum):
    """How an answer stands; what a person said is always done. Every answer ends in exactly one of the last four."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    """By a person; the text so far is kept."""
    INTERRUPTED = "interrupted"
    """The node or halext stopped in the middle; the text so far is kept."""
    FAILED = "failed"
    """Nothing came; `error` says why."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation of one person. It is the same one on every door."""

    id: ConversationId
    owner_id: UserId
    title: str
    model: str
    """What the next question is for; "" leaves it to halext."""
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an answer ended, and what is told about it."""

    state: TurnState
    text: str = ""
    model: str = ""
    node: str = ""
    error: str = ""
    tokens_per_s: float | None = None
    first_token_s: float | None = None
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side said."""

    id: TurnId
    conversation: ConversationId
    role: Literal["user", "assistant"]
    created_at: float
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Event:
    """What a reader of a live answer is told.

    `block`: one more finished piece, number `seq`, counted from 1. `tail`: the unfinished rest as it is now, in place
    of the one before. `whole`: the whole text, in place of everything before. `done`: the end, with the turn.
    """

    kind: Literal["block", "tail", "whole", "done"]
    text: str = ""
    seq: int = 0
    turn: Turn | None = None
