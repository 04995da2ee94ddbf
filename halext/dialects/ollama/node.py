"""What halext says to an Ollama node, and how its answers read.

Every body is rebuilt from halext's own words: a client's bytes never reach a node. Options that would make the node
load the model anew or change the machine (`num_gpu`, `num_thread`, `num_batch`, `use_mmap`, `shift`) do not exist in
those words, and `keep_alive` is not sent, because on a busy model it would hold back every cold load of that node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import msgspec

from halext.dialects import failures, ndjson, reading
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
    Timings,
    ToolCall,
    Usage,
)
from halext.types import Json, ModelName

OPTIONS: Mapping[str, str] = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "min_p": "min_p",
    "seed": "seed",
    "num_predict": "max_tokens",
    "stop": "stop",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "repeat_penalty": "repeat_penalty",
    "num_ctx": "num_ctx",
}
"""Ollama's name of an option, and the field of `Sampling` that carries it: the whole list of what passes."""

_NS = 1e9
_REASONS: Mapping[str, FinishReason] = {"length": "length", "load": "load", "unload": "unload"}

_encode = msgspec.json.encode


def chat_body(request: ChatRequest) -> bytes:
    """The body of POST /api/chat, streaming. Without messages it asks the node to load the model."""
    names = {call.id: call.name for message in request.messages for call in message.tool_calls if call.id}
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [_message(message, names) for message in request.messages],
        "stream": True,
    }
    if tools := _offered(request):
        body["tools"] = tools
    if request.think is not None:
        body["think"] = request.think
    return _encode(body | _common(request.sampling, request.format))


def generate_body(request: CompletionRequest) -> bytes:
    """The body of POST /api/generate, streaming: as it stands (`raw`), or with the gap before the suffix filled."""
    body: dict[str, Any] = {"model": request.model, "prompt": request.prompt, "stream": True}
    # Filling a gap is done by the model's own template, so it can't be raw.
    body |= {"suffix": request.suffix} if request.suffix else {"raw": True}
    return _encode(body | _common(request.sampling, request.format))


def embed_body(request: EmbedRequest) -> bytes:
    """The body of POST /api/embed."""
    body: dict[str, Any] = {"model": request.model, "input": request.inputs, "truncate": request.truncate}
    if request.dimensions is not None:
        body["dimensions"] = request.dimensions
    return _encode(body)


def show_body(model: ModelName) -> bytes:
    """The body of POST /api/show."""
    return _encode({"model": model})


def unload_body(model: ModelName) -> bytes:
    """The body of POST /api/generate that frees the model's memory; embedding models too are unloaded by this route."""
    return _encode({"model": model, "keep_alive": 0, "stream": False})


def options(sampling: Sampling) -> dict[str, Any]:
    """Ollama's `options` object: only what is set."""
    values = {name: getattr(sampling, field) for name, field in OPTIONS.items()}
    return {name: value for name, value in values.items() if value is not None and value != ()}


def _common(sampling: Sampling, wanted: str | Mapping[str, Json] | None) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if wanted is not None:
        body["format"] = wanted
    if chosen := options(sampling):
        body["options"] = chosen
    return body


def _offered(request: ChatRequest) -> list[Mapping[str, Json]]:
    """The tools to send. Ollama has no `tool_choice`: "none" sends no tool, and a named one is sent alone."""
    choice = request.tool_choice
    if choice == "none":
        return []
    function = choice.get("function") if isinstance(choice, Mapping) else None
    name = function.get("name") if isinstance(function, Mapping) else None
    tools = list(request.tools)
    return [tool for tool in tools if _tool_name(tool) == name] if name else tools


def _tool_name(tool: Mapping[str, Json]) -> Json:
    function = tool.get("function")
    return function.get("name") if isinstance(function, dict) else None


def _message(message: Message, names: Mapping[str, str]) -> dict[str, Any]:
    body: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.thinking:
        body["thinking"] = message.thinking
    if message.images:
        body["images"] = message.images
    if message.tool_calls:
        body["tool_calls"] = [tool_call_body(call) for call in message.tool_calls]
    # Templates look at the tool's name; OpenAI's clients send only the id of the call.
    if name := message.tool_name or names.get(message.tool_call_id, ""):
        body["tool_name"] = name
    if message.tool_call_id:
        body["tool_call_id"] = message.tool_call_id
    return body


def tool_call_body(call: ToolCall) -> dict[str, Any]:
    """A tool call as Ollama writes it: arguments are an object."""
    body: dict[str, Any] = {"function": {"name": call.name, "arguments": call.arguments}}
    return {"id": call.id} | body if call.id else body


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: dict[str, Any] | str | None = None


class _ToolCall(msgspec.Struct):
    id: str | None = None
    function: _Function | None = None


class _Said(msgspec.Struct):
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Line(msgspec.Struct):
    message: _Said | None = None
    response: str | None = None
    thinking: str | None = None
    done: bool | None = None
    done_reason: str | None = None
    total_duration: int | None = None
    load_duration: int | None = None
    prompt_eval_count: int | None = None
    prompt_eval_duration: int | None = None
    eval_count: int | None = None
    eval_duration: int | None = None
    error: Any = None


_LINE = msgspec.json.Decoder(_Line)


def parse_line(line: bytes) -> ChatChunk:
    """One line of a stream of /api/chat or /api/generate.

    Raises `ModelMissing`, `RateLimited` or `BadAnswer` for an error line, `BadAnswer` for what can't be read.
    """
    found = reading.from_node(_LINE, line)
    if found.error is not None:
        raise failures.parse_failure_line(failures.said(found.error) or "it gives no reason")
    message = found.message or _Said()
    return ChatChunk(
        text=message.content or found.response or "",
        thinking=message.thinking or found.thinking or "",
        tool_calls=tuple(_tool_call(call) for call in message.tool_calls or ()),
        done=_done(found) if found.done else None,
    )


class AnswerReader:
    """Reads the bytes of one streamed answer, of /api/chat or /api/generate; empty lines of it are left out.

    `parse` reads one line; another halext says more in a line than Ollama does.
    """

    def __init__(self, parse: Callable[[bytes], ChatChunk] = parse_line) -> None:
        self._parse = parse
        self._lines = ndjson.Lines()

    def feed(self, data: bytes) -> Iterator[ChatChunk]:
        """The pieces that `data` completes, the last one with `done`.

        Raises as `parse_line` does, after handing out what came before.
        """
        for line in self._lines.feed(data):
            yield from self._shown(line)

    def close(self) -> Iterator[ChatChunk]:
        """What a last line without a line feed holds. Raises `BadAnswer` when that is not the end of an answer.

        A guard of Ollama's can close a stream cleanly in mid-answer, so nothing but `done` is an end.
        """
        last = ChatChunk()
        for last in self._shown(self._lines.close() or b"{}"):
            yield last
        if last.done is None:
            raise BadAnswer("The node closed the stream before its answer was finished.")

    def _shown(self, line: bytes) -> Iterator[ChatChunk]:
        chunk = self._parse(line)
        if chunk != _NOTHING:
            yield chunk


_NOTHING = ChatChunk()


def _tool_call(call: _ToolCall) -> ToolCall:
    function = call.function or _Function()
    arguments = reading.tool_arguments(function.arguments)
    if arguments is None or not function.name:
        raise BadAnswer("The node's answer calls a tool without a name or with arguments that can't be read.")
    return ToolCall(name=function.name, arguments=arguments, id=call.id or "")


def _done(line: _Line) -> Done:
    return Done(
        reason=_REASONS.get(line.done_reason or "", "stop"),
        usage=Usage(prompt_tokens=line.prompt_eval_count or 0, completion_tokens=line.eval_count or 0),
        timings=_timings(line),
    )


def _timings(line: _Line) -> Timings:
    return Timings(
        total_s=seconds(line.total_duration),
        load_s=seconds(line.load_duration),
        prompt_s=seconds(line.prompt_eval_duration),
        eval_s=seconds(line.eval_duration),
    )


def seconds(nanoseconds: int | None) -> float | None:
    """Seconds; None stays None, since Ollama leaves out what it did not measure."""
    return None if nanoseconds is None else nanoseconds / _NS


class _Embedded(msgspec.Struct):
    embeddings: list[list[float]] | None = None
    total_duration: int | None = None
    load_duration: int | None = None
    prompt_eval_count: int | None = None


_EMBEDDED = msgspec.json.Decoder(_Embedded)


def parse_embed(body: bytes, expected: int) -> EmbedReply:
    """The answer of /api/embed to `expected` inputs. Raises `BadAnswer` when their number differs."""
    found = reading.from_node(_EMBEDDED, body)
    vectors = found.embeddings or []
    if len(vectors) != expected:
        raise BadAnswer(f"The node sent {len(vectors)} vectors for {expected} texts.")
    return EmbedReply(
        vectors=tuple(tuple(vector) for vector in vectors),
        usage=Usage(prompt_tokens=found.prompt_eval_count or 0),
        timings=Timings(total_s=seconds(found.total_duration), load_s=seconds(found.load_duration)),
    )


def finish(reason: FinishReason) -> str:
    """Ollama's `done_reason`; it never says `tool_calls`."""
    return cast("str", "stop" if reason == "tool_calls" else reason)
