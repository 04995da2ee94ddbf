"""Answers in the shape that OpenAI's clients expect: whole, streamed, and as errors."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from halext.dialects import sse
from halext.dialects.openai import node
from halext.errors import BadAnswer, HalextError
from halext.messages import ChatChunk, Done, EmbedReply, ToolCall, Usage
from halext.types import Json

_encode = msgspec.json.encode

Extension = Mapping[str, Json] | None
"""Goes into the chunk that finishes an answer, as `halext`: node, reasons, timings. Other clients ignore it."""


class ChatStream:
    """Writes one answer as the events of /v1/chat/completions.

    `answer_id` is `chatcmpl-…`, `created` is in seconds since the epoch. The chunk with `done` brings the
    finish reason, the usage where it was asked for, and `[DONE]`.
    """

    def __init__(self, answer_id: str, created: int, model: str, *, include_usage: bool = False) -> None:
        self._base = _base(answer_id, "chat.completion.chunk", created, model)
        self._include_usage = include_usage
        self._began = False
        self._calls = 0

    def write(self, chunk: ChatChunk, extension: Extension = None) -> bytes:
        """The events for one chunk, ready to send."""
        deltas: list[dict[str, Any]] = []
        if not self._began:  # the role comes first and alone, as in OpenAI's own streams
            self._began = True
            deltas.append({"role": "assistant", "content": ""})
        if chunk.thinking:
            deltas.append({"reasoning_content": chunk.thinking})
        if chunk.text:
            deltas.append({"content": chunk.text})
        if chunk.tool_calls:
            deltas.append({"tool_calls": self._tool_calls(chunk.tool_calls)})
        events = [self._event(delta) for delta in deltas]
        if chunk.done is not None:
            events.append(self._event({}, _finish(chunk.done, has_calls=self._calls > 0), extension))
            events.append(_ending(self._base, chunk.done, include_usage=self._include_usage))
        return b"".join(events)

    def _event(self, delta: dict[str, Any], finish: str | None = None, extension: Extension = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _event(self._base, choice, extension, include_usage=self._include_usage)

    def _tool_calls(self, calls: tuple[ToolCall, ...]) -> list[dict[str, Any]]:
        first, self._calls = self._calls, self._calls + len(calls)
        return [{"index": at} | _tool_call(self._base["id"], at, call) for at, call in enumerate(calls, first)]


class CompletionStream:
    """Writes one answer as the events of /v1/completions; `answer_id` is `cmpl-…`, the rest as in `ChatStream`."""

    def __init__(self, answer_id: str, created: int, model: str, *, include_usage: bool = False) -> None:
        self._base = _base(answer_id, "text_completion", created, model)
        self._include_usage = include_usage

    def write(self, chunk: ChatChunk, extension: Extension = None) -> bytes:
        """The events for one chunk, ready to send."""
        events = []
        if chunk.text or chunk.done is not None:
            choice = _text_choice(chunk)
            events.append(_event(self._base, choice, extension, include_usage=self._include_usage))
        if chunk.done is not None:
            events.append(_ending(self._base, chunk.done, include_usage=self._include_usage))
        return b"".join(events)


def chat_reply(answer: ChatChunk, answer_id: str, created: int, model: str, extension: Extension = None) -> bytes:
    """The body that answers /v1/chat/completions without a stream, from a `joined` answer."""
    done = answer.done or Done()
    message: dict[str, Any] = {"role": "assistant", "content": answer.text}
    if answer.thinking:
        message["reasoning_content"] = answer.thinking
    if answer.tool_calls:
        message["content"] = answer.text or None
        message["tool_calls"] = [_tool_call(answer_id, at, call) for at, call in enumerate(answer.tool_calls)]
    finish = _finish(done, has_calls=bool(answer.tool_calls))
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    return _reply(_base(answer_id, "chat.completion", created, model), choice, done, extension)


def completion_reply(answer: ChatChunk, answer_id: str, created: int, model: str, extension: Extension = None) -> bytes:
    """The body that answers /v1/completions without a stream, from a `joined` answer."""
    return _reply(
        _base(answer_id, "text_completion", created, model), _text_choice(answer), answer.done or Done(), extension
    )


def embed_reply(reply: EmbedReply, model: str, encoding: Literal["float", "base64"]) -> bytes:
    """The body that answers /v1/embeddings; base64 is of little-endian 32-bit numbers.

    Raises `BadAnswer` when a number does not fit into them.
    """
    data = [
        {"object": "embedding", "index": at, "embedding": vector if encoding == "float" else _packed(vector)}
        for at, vector in enumerate(reply.vectors)
    ]
    tokens = reply.usage.prompt_tokens
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return _encode({"object": "list", "data": data, "model": model, "usage": usage})


def error_body(error: HalextError, request_id: str, param: str | None = None) -> dict[str, Json]:
    """The JSON of an error in OpenAI's shape, with halext's `code` inside and `request_id` beside it."""
    shape: dict[str, Json] = {
        "message": error.message,
        "type": _error_type(error.status),
        "param": param,
        "code": error.code,
    }
    body: dict[str, Json] = {"error": shape, "request_id": request_id}
    if error.retry_after_s is not None:
        body["retry_after_s"] = error.retry_after_s
    return body


def error_event(error: HalextError, request_id: str) -> bytes:
    """The last event of a stream that broke after it had begun; without `[DONE]`, so that nobody takes it as whole."""
    return sse.event(_encode(error_body(error, request_id)))


def _error_type(status: int) -> str:
    match status:
        case 401:
            return "authentication_error"
        case 403:
            return "permission_error"
        case 404:
            return "not_found_error"
        case 429:
            return "rate_limit_error"
        case _:
            return "invalid_request_error" if status in range(400, 500) else "server_error"


def _base(answer_id: str, kind: str, created: int, model: str) -> dict[str, Any]:
    return {"id": answer_id, "object": kind, "created": created, "model": model}


def _event(base: dict[str, Any], choice: dict[str, Any], extension: Extension, *, include_usage: bool) -> bytes:
    body = base | {"choices": [choice]}
    if include_usage:  # OpenAI sends a null in every chunk but the one with the usage
        body["usage"] = None
    if extension is not None:
        body["halext"] = extension
    return b"data: " + _encode(body) + b"\n\n"


def _ending(base: dict[str, Any], done: Done, *, include_usage: bool) -> bytes:
    end = b"data: " + node.DONE + b"\n\n"
    if not include_usage:
        return end
    return b"data: " + _encode(base | {"choices": [], "usage": _usage(done.usage)}) + b"\n\n" + end


def _reply(base: dict[str, Any], choice: dict[str, Any], done: Done, extension: Extension) -> bytes:
    body = base | {"choices": [choice], "usage": _usage(done.usage)}
    return _encode(body if extension is None else body | {"halext": extension})


def _text_choice(chunk: ChatChunk) -> dict[str, Any]:
    finish = None if chunk.done is None else _finish(chunk.done, has_calls=False)
    return {"index": 0, "text": chunk.text, "logprobs": None, "finish_reason": finish}


def _finish(done: Done, *, has_calls: bool) -> str:
    if done.reason == "tool_calls" or (has_calls and done.reason == "stop"):
        return "tool_calls"
    return "length" if done.reason == "length" else "stop"


def _tool_call(answer_id: str, at: int, call: ToolCall) -> dict[str, Any]:
    """A tool call with an id: clients need one to send the result back, and Ollama gives none."""
    return node.tool_call_body(ToolCall(call.name, call.arguments, call.id or f"call_{answer_id}_{at}"))


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def _packed(vector: tuple[float, ...]) -> str:
    try:
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    except OverflowError as error:
        raise BadAnswer("The node sent a vector with numbers that are too large for 32 bits.") from error
