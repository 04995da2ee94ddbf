"""The JSON of conversations."""

from __future__ import annotations

from msgspec import Struct

from halext.runtime.shapes import Params


class AskNew(Params, frozen=True, kw_only=True):
    """A question that begins a conversation. Without a model, halext takes the one that is best now."""

    text: str
    model: str = ""


class AskMore(Params, frozen=True, kw_only=True):
    """A further question in a conversation; a model named here is used from now on."""

    id: int
    text: str
    model: str = ""


class ConversationRef(Params, frozen=True):
    """One conversation."""

    id: int


class AnswerRef(Params, frozen=True):
    """One answer."""

    id: int


class ConversationInfo(Struct, frozen=True):
    """A conversation."""

    id: int
    title: str
    model: str
    created_at: float
    updated_at: float


class TurnInfo(Struct, frozen=True):
    """What one side said. `state` is running, done, stopped, interrupted or failed."""

    id: int
    conversation: int
    role: str
    state: str
    text: str
    model: str
    node: str
    error: str
    tokens_per_s: float | None
    first_token_s: float | None
    why: list[str]
    created_at: float


class Asked(Struct, frozen=True):
    """A question is on the record; its answer is at `/hx/answers/{answer}`, from now on and afterwards."""

    conversation: ConversationInfo
    answer: int


class Conversation(Struct, frozen=True):
    """A conversation with its turns, in order."""

    info: ConversationInfo
    turns: list[TurnInfo]
