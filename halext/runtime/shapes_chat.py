"""The JSON of conversations."""

from __future__ import annotations

from msgspec import Struct, field

from halext.runtime.shapes import Params


class AskNew(Params, frozen=True, kw_only=True):
    """A question that begins a conversation. Without a model, halext takes the one that is best now.

    `system` is what every model is told first; `images` are base64 without a `data:` prefix.
    """

    text: str
    model: str = ""
    system: str = ""
    images: list[str] = field(default_factory=list)


class AskMore(Params, frozen=True, kw_only=True):
    """A further question in a conversation; a model named here is used from now on."""

    id: int
    text: str
    model: str = ""
    images: list[str] = field(default_factory=list)


class AskAgain(Params, frozen=True, kw_only=True):
    """Another answer to the same question; a model named here is used from now on."""

    id: int
    model: str = ""


class ConversationRef(Params, frozen=True):
    """One conversation."""

    id: int


class ShareConversation(Params, frozen=True, kw_only=True):
    """Share a conversation in the workspace of this name, and in no other; null shares it in none."""

    id: int
    workspace: str | None


class AnswerRef(Params, frozen=True):
    """One answer."""

    id: int


class AnswerAfter(Params, frozen=True, kw_only=True):
    """How an answer is, as soon as it has more than `seen` characters, has ended, or `wait_s` (20 at most) are over."""

    id: int
    seen: int = 0
    wait_s: float = 10.0


class ConversationInfo(Struct, frozen=True):
    """A conversation. `workspace` is where it is shared, if it is, and `owner` whose it then is.

    `may` is `own`, `write` or `read`: what the caller may do in it.
    """

    id: int
    title: str
    model: str
    system: str
    created_at: float
    updated_at: float
    workspace: str | None = None
    owner: str = ""
    may: str = "own"


class TurnInfo(Struct, frozen=True):
    """What one side said. `state` is running, done, stopped, interrupted or failed; `parent` the turn before it.

    `by` is who asked, where a whole conversation is read.
    """

    id: int
    conversation: int
    parent: int | None
    role: str
    state: str
    text: str
    model: str
    node: str
    error: str
    prompt_tokens: int
    completion_tokens: int
    tokens_per_s: float | None
    first_token_s: float | None
    why: list[str]
    created_at: float
    by: str = ""


class Asked(Struct, frozen=True):
    """A question is on the record; its answer is at `/hx/answers/{answer}`, from now on and afterwards."""

    conversation: ConversationInfo
    answer: int


class Conversation(Struct, frozen=True):
    """A conversation with the turns that lead to its latest one; answers that were asked for again are left out."""

    info: ConversationInfo
    turns: list[TurnInfo]


class AnswerNow(Struct, frozen=True):
    """What an answer has beyond the characters that were seen, and its turn, whose text is left out."""

    more: str
    turn: TurnInfo
