"""The JSON shapes that Ollama answers with."""

from __future__ import annotations

import json
from typing import Any

from halext.testing.models import FakeModel
from halext.testing.ollama_fields import TEXTS, local_stamp, nanoseconds, utc_stamp
from halext.testing.runner import Runner
from halext.testing.speech import Piece, Stats
from halext.testing.stream import GARBAGE, Shape

NDJSON = "application/x-ndjson"


def durations(stats: Stats) -> dict[str, Any]:
    """The numbers of the last line, zeros left out. The wait for a slot shows only in the total."""
    total_s = stats.load_s + stats.wait_s + stats.prompt_s + stats.eval_s
    every = {
        "context": stats.context,
        "total_duration": nanoseconds(total_s),
        "load_duration": nanoseconds(stats.load_s),
        "prompt_eval_count": stats.prompt_tokens,
        "prompt_eval_duration": nanoseconds(stats.prompt_s),
        "eval_count": stats.eval_tokens,
        "eval_duration": nanoseconds(stats.eval_s),
    }
    return {name: value for name, value in every.items() if value}


class Voice:
    """Words an answer in the shape of `/api/chat`, or of `/api/generate`."""

    def __init__(self, model: str, *, is_chat: bool) -> None:
        self.model = model
        self.is_chat = is_chat

    def part(self, piece: Piece, now: float, *, done: bool = False) -> dict[str, Any]:
        """One object of the stream."""
        body: dict[str, Any] = {"model": self.model, "created_at": utc_stamp(now)}
        extras: dict[str, Any] = {}
        if piece.thinking:
            extras["thinking"] = piece.thinking
        if piece.tool_calls:
            extras["tool_calls"] = list(piece.tool_calls)
        if self.is_chat:
            body["message"] = {"role": "assistant", "content": piece.text, **extras}
        else:
            body |= {"response": piece.text, **extras}
        return {**body, "done": done}

    def last(self, piece: Piece, now: float, reason: str, stats: Stats | None = None) -> dict[str, Any]:
        """The object with `done`; a load or an unload has no durations."""
        return {**self.part(piece, now, done=True), "done_reason": reason, **(durations(stats) if stats else {})}


def encode(value: Any) -> bytes:
    """JSON as Go writes it: no spaces, letters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def line(value: Any) -> bytes:
    """One NDJSON line."""
    return encode(value) + b"\n"


def stream_shape(voice: Voice, now: float, *, failure_status: int = 500) -> Shape:
    """How faults look in this answer."""
    return Shape(
        content_type=NDJSON,
        error_body=lambda _status, text: encode({"error": text}),
        error_line=lambda _status, text: line({"error": text}),
        filler=lambda text: line(voice.part(Piece(text), now)),
        garbage=GARBAGE + b"\n",
        texts=TEXTS,
        failure_status=failure_status,
    )


def details(model: FakeModel, *, verbose: bool) -> dict[str, Any]:
    """The `details` object; newer versions say the lengths too."""
    basic = {
        "parent_model": "",
        "format": "gguf",
        "family": model.family,
        "families": [model.family],
        "parameter_size": model.parameter_size,
        "quantization_level": model.quantization,
    }
    lengths = {"context_length": model.context_length, "embedding_length": model.embedding_length}
    return basic | lengths if verbose else basic


def tag_row(model: FakeModel, modified_at: float, *, modern: bool) -> dict[str, Any]:
    """A row of `/api/tags`; before 0.30 it had no capabilities."""
    row = {
        "name": model.name,
        "model": model.name,
        "modified_at": local_stamp(modified_at),
        "size": model.size_bytes,
        "digest": model.digest,
        "details": details(model, verbose=modern),
    }
    if modern:
        row["capabilities"] = list(model.capabilities)
    if model.remote_host:
        row |= {"remote_host": model.remote_host, "remote_model": model.remote_model or model.name}
    return row


def ps_row(runner: Runner, expires_at: float, *, says_context: bool) -> dict[str, Any]:
    """A row of `/api/ps`."""
    row: dict[str, Any] = {
        "name": runner.model.name,
        "model": runner.model.name,
        "size": runner.size_bytes,
        "digest": runner.model.digest,
        "details": details(runner.model, verbose=False),
        "expires_at": local_stamp(expires_at),
        "size_vram": runner.vram_bytes,
    }
    if says_context:
        row["context_length"] = runner.num_ctx
    return row


def show_body(model: FakeModel, modified_at: float) -> dict[str, Any]:
    """All of `/api/show`."""
    return {
        "modelfile": f"FROM {model.name}\nTEMPLATE {model.template}\n",
        "parameters": "\n".join(f"{name:<30} {value}" for name, value in model.parameters.items()),
        "template": model.template,
        "details": details(model, verbose=False),
        "model_info": {
            "general.architecture": model.family,
            "general.parameter_count": model.size_bytes,
            f"{model.family}.context_length": model.context_length,
            f"{model.family}.embedding_length": model.embedding_length,
        },
        "capabilities": list(model.capabilities),
        "modified_at": local_stamp(modified_at),
    }
