"""What people and models say to each other, free of any dialect.

The dialects translate these to and from Ollama's, OpenAI's and Anthropic's bytes; no other file knows those shapes.
Texts are `str`, durations seconds, images bare base64 without a `data:` prefix.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from halext.types import Json, ModelName

Role = Literal["system", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "tool_calls", "load", "unload"]
Think = bool | Literal["low", "medium", "high", "max"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model asks for a function to be called; never executed by halext."""

    name: str
    arguments: Mapping[str, Json]
    id: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str = ""
    images: tuple[str, ...] = ()
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    tool_name: str = ""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to draw tokens. None means: what the node would do by itself."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    seed: int | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repeat_penalty: float | None = None
    num_ctx: int | None = None


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A conversation that wants its next assistant turn.

    `format` is None, the word "json", or a JSON schema that the answer must follow.
    """

    model: ModelName
    messages: tuple[Message, ...]
    sampling: Sampling = field(default_factory=Sampling)
    tools: tuple[Mapping[str, Json], ...] = ()
    tool_choice: str | Mapping[str, Json] | None = None
    format: Literal["json"] | Mapping[str, Json] | None = None
    think: Think | None = None


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """A text to be continued as it stands, without a chat template, or with the gap before `suffix` filled."""

    model: ModelName
    prompt: str
    suffix: str = ""
    sampling: Sampling = field(default_factory=Sampling)
    format: Literal["json"] | Mapping[str, Json] | None = None


TextRequest = ChatRequest | CompletionRequest


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request. `prompt_tokens` includes `cached_tokens`."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Timings:
    """Where a node's time went, in seconds, as the node says it; None where it does not say."""

    total_s: float | None = None
    load_s: float | None = None
    prompt_s: float | None = None
    eval_s: float | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """The honest end of an answer. An answer without one is not whole, whatever the transport says."""

    reason: FinishReason = "stop"
    usage: Usage = field(default_factory=Usage)
    timings: Timings = field(default_factory=Timings)


@dataclass(frozen=True, slots=True)
class ChatChunk:
    """A piece of an answer; the last one carries `done`."""

    text: str = ""
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    done: Done | None = None


@dataclass(frozen=True, slots=True)
class EmbedRequest:
    """Texts that want vectors. An empty tuple is allowed and gives none."""

    model: ModelName
    inputs: tuple[str, ...]
    dimensions: int | None = None
    truncate: bool = True


@dataclass(frozen=True, slots=True)
class EmbedReply:
    """One vector per input, in the same order."""

    vectors: tuple[tuple[float, ...], ...]
    usage: Usage = field(default_factory=Usage)
    timings: Timings = field(default_factory=Timings)
