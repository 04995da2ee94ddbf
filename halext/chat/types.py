"""Conversations and live answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NewType

from halext.accounts.workspaces.types import ALONE, Sharing
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
    """A conversation of one person, who may share it. It is the same one on every door."""

    id: ConversationId
    owner_id: UserId
    title: str
    model: str
    """What the next question is for; "" leaves it to halext."""
    system: str
    """What every model is told first; "" for nothing."""
    created_at: float
    updated_at: float
    sharing: Sharing = ALONE
    """How it stands to the person who looks at it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an answer ended, and what is told about it."""

    state: TurnState
    text: str = ""
    model: str = ""
    node: str = ""
    error: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    tokens_per_s: float | None = None
    first_token_s: float | None = None
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side said."""

    id: TurnId
    conversation: ConversationId
    parent: TurnId | None
    """The turn that this one answers or follows; None for the first. Two answers to one question have the same."""
    role: Literal["user", "assistant"]
    created_at: float
    outcome: Outcome
    author: UserId | None = None
    """Who asked, or had this answer written; None for those who are gone, and for turns from before that was kept."""
    by: str = field(default="", compare=False)
    """What the author is called now; "" where nobody asked for it."""


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


@dataclass(frozen=True, slots=True)
class Question:
    """What someone asks, already looked over."""

    text: str
    model: str = ""
    system: str = ""
    """For a conversation that begins with it."""
    pictures: tuple[str, ...] = ()
    """Bare base64."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that is on the record, and the answer that has begun."""

    conversation: Conversation
    path: tuple[Turn, ...]
    """The turns that lead to the answer; the last one is the question."""
    answer: Turn
    pictures: Mapping[TurnId, tuple[str, ...]]
    """What was shown with questions of the path, as bare base64."""
