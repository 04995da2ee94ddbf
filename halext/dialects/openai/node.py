"""What halext says to an OpenAI-like node (llama.cpp, vLLM, LM Studio, a provider), and how its answers read.

Only what the request sets is sent: strict servers refuse fields that they do not know. A context length is never sent,
since these servers fix it when they start.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from halext.dialects import failures, reading, sse
from halext.dialects.openai.tool_calls import CallDelta, ToolCallBuffer
from halext.errors import BadAnswer
from halext.messages import (
    ChatChunk,
    ChatRequest,
    CompletionRequest,
    Done,
    EmbedReply,
    EmbedRequest,
    FinishReason,
    Message,
    Sampling,
    Think,
    Timings,
    ToolCall,
    Usage,
)
from halext.types import Json

DONE = b"[DONE]"
"""The data of the event that ends a stream."""

_SAMPLING = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "seed",
    "max_tokens",
    "stop",
    "presence_penalty",
    "frequency_penalty",
    "repeat_penalty",
)
_REASONS: Mapping[str, FinishReason] = {
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}
_NOT_IMPLEMENTED = 501

_encode = msgspec.json.encode


def chat_body(request: ChatRequest) -> bytes:
    """The body of POST /v1/chat/completions, streaming and with usage at the end."""
    body: dict[str, Any] = {"model": request.model, "messages": _messages(request.messages)}
    if request.tools:
        body["tools"] = request.tools
        if request.tool_choice is not None:
            body["tool_choice"] = request.tool_choice
    return _encode(body | _think(request.think) | _common(request.sampling, request.format))


def completion_body(request: CompletionRequest) -> bytes:
    """The body of POST /v1/completions, streaming and with usage at the end."""
    body: dict[str, Any] = {"model": request.model, "prompt": request.prompt}
    if request.suffix:
        body["suffix"] = request.suffix
    return _encode(body | _common(request.sampling, request.format))


def embed_body(request: EmbedRequest) -> bytes:
    """The body of POST /v1/embeddings: vectors as base64, four times smaller than as digits.

    These servers have no `truncate`: what is too long for the model is refused.
    """
    body: dict[str, Any] = {"model": request.model, "input": request.inputs, "encoding_format": "base64"}
    if request.dimensions is not None:
        body["dimensions"] = request.dimensions
    return _encode(body)


EMBED_PROBE = b"{}"
"""A body of /v1/embeddings that asks for nothing: llama.cpp says first whether it embeds at all, and never computes."""


def offers_embeddings(status: int, body: bytes) -> bool:
    """Whether llama.cpp embeds, from its answer to `EMBED_PROBE`.

    Without `--embeddings` it says 501; with the pooling type "none" it has no vector to give on this route.
    """
    return status != _NOT_IMPLEMENTED and "pooling type" not in (failures.failure_text(body) or "").lower()


def _common(sampling: Sampling, wanted: str | Mapping[str, Json] | None) -> dict[str, Any]:
    values = {name: getattr(sampling, name) for name in _SAMPLING}
    body = {name: value for name, value in values.items() if value is not None and value != ()}
    if wanted == "json":
        body["response_format"] = {"type": "json_object"}
    elif wanted is not None:
        schema = {"name": "answer", "schema": wanted, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body | {"stream": True, "stream_options": {"include_usage": True}}


def _think(think: Think | None) -> dict[str, Any]:
    if think is None:
        return {}
    if isinstance(think, bool):  # a template's own switch; llama.cpp, vLLM and SGLang hand it on
        return {"chat_template_kwargs": {"enable_thinking": think}}
    return {"reasoning_effort": "high" if think == "max" else think}


def _messages(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    """The conversation, with an id for every tool call: these servers need one, Ollama's clients send none."""
    waiting: list[ToolCall] = []
    written = []
    for at, message in enumerate(messages):
        calls = tuple(
            ToolCall(call.name, call.arguments, call.id or f"call_{at}_{index}")
            for index, call in enumerate(message.tool_calls)
        )
        waiting += calls
        answered = _answered(message, waiting) if message.role == "tool" else ""
        waiting = [call for call in waiting if call.id != answered]
        written.append(_message(message, calls, answered))
    return written


def _answered(message: Message, waiting: list[ToolCall]) -> str:
    """The id of the call that a tool message answers: its own, else the first open one of that tool, else the first."""
    if message.tool_call_id:
        return message.tool_call_id
    named = [call.id for call in waiting if call.name == message.tool_name]
    return next(iter(named or [call.id for call in waiting]), "call_0")


def _message(message: Message, calls: tuple[ToolCall, ...], answered: str) -> dict[str, Any]:
    body: dict[str, Any] = {"role": message.role, "content": _content(message)}
    if calls:
        body["tool_calls"] = [tool_call_body(call) for call in calls]
    if answered:
        body["tool_call_id"] = answered
    return body


def tool_call_body(call: ToolCall) -> dict[str, Any]:
    """A tool call as OpenAI writes it: arguments are a JSON text."""
    arguments = _encode(call.arguments).decode()
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _content(message: Message) -> str | list[dict[str, Any]]:
    if not message.images:
        return message.content
    images = [{"type": "image_url", "image_url": {"url": _data_uri(image)}} for image in message.images]
    return ([{"type": "text", "text": message.content}] if message.content else []) + images


_MAGIC = (("/9j/", "jpeg"), ("iVBORw0KGgo", "png"), ("R0lGOD", "gif"), ("UklGR", "webp"))
"""How the first bytes of a picture look in base64."""


def _data_uri(image: str) -> str:
    kind = next((kind for start, kind in _MAGIC if image.startswith(start)), "png")
    return f"data:image/{kind};base64,{image}"


class _Delta(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[CallDelta] | None = None


class _Choice(msgspec.Struct):
    index: int | None = None
    delta: _Delta | None = None
    text: str | None = None
    finish_reason: str | None = None


class _CachedTokens(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _CachedTokens | None = None


class _LlamaTimings(msgspec.Struct):
    cache_n: int | None = None
    prompt_n: int | None = None
    prompt_ms: float | None = None
    predicted_n: int | None = None
    predicted_ms: float | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    timings: _LlamaTimings | None = None
    error: Any = None


_CHUNK = msgspec.json.Decoder(_Chunk)


class AnswerReader:
    """Reads the bytes of one streamed answer, of /v1/chat/completions or /v1/completions.

    Tool calls are passed on whole, with the end. The end comes with `[DONE]` and not with the finish reason, since the
    usage stands between them.
    """

    def __init__(self) -> None:
        self._events = sse.Decoder()
        self._calls = ToolCallBuffer()
        self._reason: str | None = None
        self._usage: _Usage | None = None
        self._timings: _LlamaTimings | None = None

    def feed(self, data: bytes) -> Iterator[ChatChunk]:
        """The pieces that `data` completes, the last one with `done`.

        Raises `ModelMissing`, `RateLimited` or `BadAnswer` for an error event, `BadAnswer` for what can't be read; what
        came before it is handed out first.
        """
        for event in self._events.feed(data):
            if event.data == DONE:
                yield self._end()
                return
            yield from self._read(event.data)

    def close(self) -> Iterator[ChatChunk]:
        """The end, for servers that leave `[DONE]` out. Raises `BadAnswer` when no finish reason came either."""
        if self._reason is None:
            raise BadAnswer("The node closed the stream before its answer was finished.")
        yield self._end()

    def _end(self) -> ChatChunk:
        calls = self._calls.calls()
        reason: FinishReason = "tool_calls" if calls else _REASONS.get(self._reason or "", "stop")
        return ChatChunk(tool_calls=calls, done=Done(reason, self._counted(), self._timed()))

    def _read(self, data: bytes) -> Iterator[ChatChunk]:
        found = reading.from_node(_CHUNK, data)
        if found.error is not None:
            raise failures.parse_failure_line(failures.said(found.error) or "it gives no reason")
        self._usage = found.usage or self._usage
        self._timings = found.timings or self._timings
        for choice in found.choices or ():
            piece = None if choice.index else self._piece(choice)  # one choice was asked for; two would mix
            if piece is not None:
                yield piece

    def _piece(self, choice: _Choice) -> ChatChunk | None:
        delta = choice.delta or _Delta()
        for call in delta.tool_calls or ():
            self._calls.add(call)
        self._reason = choice.finish_reason or self._reason
        text = delta.content or choice.text or ""
        thinking = delta.reasoning_content or delta.reasoning or ""
        return ChatChunk(text=text, thinking=thinking) if text or thinking else None

    def _counted(self) -> Usage:
        usage, timings = self._usage, self._timings
        if usage is not None:
            details = usage.prompt_tokens_details or _CachedTokens()
            return Usage(usage.prompt_tokens or 0, usage.completion_tokens or 0, details.cached_tokens or 0)
        if timings is not None:  # llama.cpp counts the cached tokens apart
            cached = timings.cache_n or 0
            return Usage((timings.prompt_n or 0) + cached, timings.predicted_n or 0, cached)
        return Usage()

    def _timed(self) -> Timings:
        timings = self._timings or _LlamaTimings()
        return Timings(prompt_s=_seconds(timings.prompt_ms), eval_s=_seconds(timings.predicted_ms))


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


class _Vector(msgspec.Struct):
    embedding: list[float] | str
    index: int | None = None


class _Vectors(msgspec.Struct):
    data: list[_Vector]
    usage: _Usage | None = None


_VECTORS = msgspec.json.Decoder(_Vectors)


def parse_embed(body: bytes, expected: int) -> EmbedReply:
    """The answer of /v1/embeddings to `expected` inputs, as numbers or base64, put in the order of its indexes.

    Raises `BadAnswer` when it can't be read or the indexes are not exactly those of the inputs.
    """
    found = reading.from_node(_VECTORS, body)
    placed = {at if item.index is None else item.index: item for at, item in enumerate(found.data)}
    if len(found.data) != expected or set(placed) != set(range(expected)):
        raise BadAnswer(f"The node sent {len(found.data)} vectors that don't match {expected} texts.")
    usage = found.usage or _Usage()
    return EmbedReply(
        vectors=tuple(_vector(placed[index].embedding) for index in range(expected)),
        usage=Usage(prompt_tokens=usage.prompt_tokens or 0),
    )


def _vector(value: list[float] | str) -> tuple[float, ...]:
    if not isinstance(value, str):
        return tuple(value)
    try:
        return tuple(_floats(base64.b64decode(value, validate=True)))
    except (binascii.Error, struct.error, ValueError) as error:
        raise BadAnswer("The node sent a vector that is not base64 of 32-bit numbers.") from error


def _floats(raw: bytes) -> Iterator[float]:
    return (number for (number,) in struct.iter_unpack("<f", raw))
