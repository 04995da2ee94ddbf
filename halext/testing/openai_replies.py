"""The JSON shapes that OpenAI-like servers answer with."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Sequence
from typing import Any, Literal

from halext.testing.models import FakeModel
from halext.testing.runner import Runner
from halext.testing.speech import Piece, Stats
from halext.testing.stream import GARBAGE, Shape

SSE = "text/event-stream"
DONE = b"data: [DONE]\n\n"
Flavour = Literal["llama.cpp", "plain"]
LLAMA_CPP_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    501: "not_supported_error",
    503: "unavailable_error",
}
TEXTS = {500: "the server had an error while processing the request", 503: "Loading model"}
PLAIN_TYPES = {400: "invalid_request_error", 401: "invalid_request_error", 404: "invalid_request_error"}


def encode(value: Any) -> bytes:
    """JSON without spaces, letters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def event(value: Any) -> bytes:
    """One server-sent event."""
    return b"data: " + encode(value) + b"\n\n"


def error(flavour: Flavour, status: int, text: str, code: str | None = None) -> dict[str, Any]:
    """An error body: llama.cpp's has the status as `code`, OpenAI's a word."""
    if flavour == "llama.cpp":
        return {"error": {"code": status, "message": text, "type": LLAMA_CPP_TYPES.get(status, "server_error")}}
    kind = PLAIN_TYPES.get(status, "server_error")
    return {"error": {"message": text, "type": kind, "param": None, "code": code}}


class Voice:
    """Words an answer of `/v1/chat/completions`, or of `/v1/completions`."""

    def __init__(self, number: int, model: str, created: int, *, is_chat: bool) -> None:
        self.is_chat = is_chat
        self._head = {"id": f"{'chatcmpl' if is_chat else 'cmpl'}-{number}", "created": created, "model": model}

    def opening(self) -> dict[str, Any]:
        """The first chunk of a chat: only the role."""
        return self._chunk({"role": "assistant", "content": ""})

    def chunk(self, piece: Piece, finish: str | None = None) -> dict[str, Any]:
        """A piece, or with `finish` the end."""
        if not self.is_chat:
            return self._body("text_completion", {"text": piece.text, "logprobs": None}, finish)
        delta: dict[str, Any] = {}
        if piece.thinking:
            delta["reasoning_content"] = piece.thinking
        if piece.text:
            delta["content"] = piece.text
        if piece.tool_calls:
            delta["tool_calls"] = list(piece.tool_calls)
        return self._chunk(delta, finish)

    def usage_chunk(self, stats: Stats) -> dict[str, Any]:
        """The extra chunk that `stream_options.include_usage` asks for."""
        kind = "chat.completion.chunk" if self.is_chat else "text_completion"
        return {**self._head, "object": kind, "choices": [], "usage": usage(stats)}

    def whole(self, piece: Piece, finish: str | None, stats: Stats) -> dict[str, Any]:
        """The one body of an answer that is not streamed."""
        if not self.is_chat:
            return {**self.chunk(piece, finish), "usage": usage(stats)}
        message: dict[str, Any] = {"role": "assistant", "content": piece.text or (None if piece.tool_calls else "")}
        if piece.thinking:
            message["reasoning_content"] = piece.thinking
        if piece.tool_calls:
            message["tool_calls"] = list(piece.tool_calls)
        return {**self._body("chat.completion", {"message": message}, finish), "usage": usage(stats)}

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return self._body("chat.completion.chunk", {"delta": delta}, finish)

    def _body(self, kind: str, part: dict[str, Any], finish: str | None) -> dict[str, Any]:
        return {**self._head, "object": kind, "choices": [{"index": 0, **part, "finish_reason": finish}]}


def stream_shape(flavour: Flavour, voice: Voice) -> Shape:
    """How faults look in this answer."""
    return Shape(
        content_type=SSE,
        error_body=lambda status, text: encode(error(flavour, status, text)),
        error_line=lambda status, text: event(error(flavour, status, text)),
        filler=lambda text: event(voice.chunk(Piece(text))),
        garbage=b"data: " + GARBAGE + b"\n\n",
        texts=TEXTS,
    )


def usage(stats: Stats) -> dict[str, Any]:
    """Tokens used; `prompt_tokens` includes the cached ones."""
    return {
        "prompt_tokens": stats.prompt_tokens,
        "completion_tokens": stats.eval_tokens,
        "total_tokens": stats.prompt_tokens + stats.eval_tokens,
        "prompt_tokens_details": {"cached_tokens": stats.cached_tokens},
    }


def timings(stats: Stats) -> dict[str, Any]:
    """llama.cpp's own numbers, in the last chunk: milliseconds, and tokens without the cached ones."""
    fresh = stats.prompt_tokens - stats.cached_tokens
    return {
        "cache_n": stats.cached_tokens,
        "prompt_n": fresh,
        "prompt_ms": stats.prompt_s * 1000,
        "prompt_per_second": fresh / stats.prompt_s if stats.prompt_s else 0.0,
        "predicted_n": stats.eval_tokens,
        "predicted_ms": stats.eval_s * 1000,
        "predicted_per_second": stats.eval_tokens / stats.eval_s if stats.eval_s else 0.0,
    }


def tool_deltas(calls: Sequence[tuple[str, Any]]) -> list[dict[str, Any]]:
    """Tool calls as they stream: the name first, then the arguments as JSON text in two parts."""
    deltas: list[dict[str, Any]] = []
    for index, call in enumerate(whole_tool_calls(calls)):
        text = call["function"]["arguments"]
        opening = {"name": call["function"]["name"], "arguments": ""}
        deltas.append({"index": index, "id": call["id"], "type": "function", "function": opening})
        half = len(text) // 2
        deltas += [{"index": index, "function": {"arguments": part}} for part in (text[:half], text[half:])]
    return deltas


def whole_tool_calls(calls: Sequence[tuple[str, Any]]) -> list[dict[str, Any]]:
    """Tool calls in one piece; arguments are JSON text here."""
    return [
        {"id": f"call_{n}", "type": "function", "function": {"name": name, "arguments": json.dumps(dict(arguments))}}
        for n, (name, arguments) in enumerate(calls)
    ]


def model_row(model: FakeModel, flavour: Flavour, created: int) -> dict[str, Any]:
    """A row of `/v1/models`."""
    row: dict[str, Any] = {"id": model.name, "object": "model", "created": created}
    if flavour == "plain":
        return {**row, "owned_by": "fake"}
    meta = {
        "n_ctx_train": model.context_length,
        "n_embd": model.embedding_length,
        "n_params": model.size_bytes,
        "size": model.size_bytes,
    }
    return {**row, "owned_by": "llamacpp", "meta": meta}


def slot_rows(runner: Runner) -> list[dict[str, Any]]:
    """llama.cpp's `/slots`."""
    return [
        {"id": n, "n_ctx": runner.num_ctx, "speculative": False, "is_processing": n < runner.active}
        for n in range(runner.slots)
    ]


def props_body(runner: Runner) -> dict[str, Any]:
    """llama.cpp's `/props`."""
    return {
        "default_generation_settings": {"n_ctx": runner.num_ctx},
        "total_slots": runner.slots,
        "model_path": f"/models/{runner.model.name}.gguf",
        "chat_template": runner.model.template,
        "build_info": "b9999-fake",
    }


def embedding(vector: Sequence[float], index: int, *, as_base64: bool) -> dict[str, Any]:
    """One vector of `/v1/embeddings`: numbers, or base64 of little-endian 32-bit floats."""
    packed = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode() if as_base64 else list(vector)
    return {"object": "embedding", "index": index, "embedding": packed}
