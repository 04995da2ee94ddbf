"""What Ollama's clients ask of halext, and the answers in the shape they expect."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from halext.dialects import reading
from halext.dialects.ollama import node
from halext.dialects.vision import sound
from halext.errors import HalextError, InvalidInput
from halext.messages import (
    ChatChunk,
    ChatRequest,
    CompletionRequest,
    Done,
    EmbedReply,
    EmbedRequest,
    Message,
    Role,
    Sampling,
    TextRequest,
    ToolCall,
)
from halext.types import Json, ModelName

_encode = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class Call:
    """A request of /api/chat or /api/generate.

    `load` and `unload` are requests without a prompt: clients send them to warm a model up or to free its memory.
    `keep_alive_s` is the client's wish, negative for "for ever"; it is a hint for whoever keeps models warm and is
    never forwarded.
    """

    kind: Literal["chat", "load", "unload"]
    request: TextRequest
    stream: bool = True
    keep_alive_s: float | None = None


class _Options(msgspec.Struct):
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    min_p: float | None = None
    seed: int | float | None = None
    num_predict: float | None = None
    stop: list[str] | str | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repeat_penalty: float | None = None
    num_ctx: float | None = None


class _Function(msgspec.Struct):
    name: str = ""
    arguments: dict[str, Any] | str | None = None


class _ToolCall(msgspec.Struct):
    function: _Function
    id: str | None = None


class _Message(msgspec.Struct):
    role: Role
    content: str | None = None
    images: list[str] | None = None
    thinking: str | None = None
    tool_calls: list[_ToolCall] | None = None
    tool_call_id: str | None = None
    tool_name: str | None = None


class _Asked(msgspec.Struct):
    model: str | None = None
    stream: bool | None = None
    options: _Options | None = None
    format: dict[str, Any] | str | None = None
    think: bool | Literal["low", "medium", "high", "max"] | None = None
    keep_alive: int | float | str | None = None


class _Chat(_Asked):
    messages: list[_Message] | None = None
    tools: list[dict[str, Any]] | None = None


class _Generate(_Asked):
    prompt: str | None = None
    suffix: str | None = None
    system: str | None = None
    images: list[str] | None = None
    raw: bool | None = None
    template: str | None = None
    context: list[int] | None = None


class _Embed(msgspec.Struct):
    model: str | None = None
    input: list[str] | str | None = None
    prompt: str | None = None
    dimensions: int | None = None
    truncate: bool | None = None


class _Show(msgspec.Struct):
    model: str | None = None
    name: str | None = None


_CHAT = msgspec.json.Decoder(_Chat)
_GENERATE = msgspec.json.Decoder(_Generate)
_EMBED = msgspec.json.Decoder(_Embed)
_SHOW = msgspec.json.Decoder(_Show)


def read_chat(body: bytes) -> Call:
    """A body of POST /api/chat. Raises `BadRequest` or `InvalidInput` with a sentence for the client."""
    asked = reading.from_client(_CHAT, body)
    request = ChatRequest(
        model=_model(asked.model),
        messages=tuple(_message(message) for message in asked.messages or ()),
        sampling=_sampling(asked.options),
        tools=tuple(asked.tools or ()),
        format=_format(asked.format),
        think=asked.think,
    )
    return _call(asked, request, empty=not request.messages)


def read_generate(body: bytes) -> Call:
    """A body of POST /api/generate.

    Without `raw` and `suffix` the prompt passes through the model's chat template, so it becomes a conversation of one
    turn. Raises `BadRequest` or `InvalidInput`.
    """
    asked = reading.from_client(_GENERATE, body)
    if asked.template:
        raise InvalidInput("The field `template` is not taken here; send `raw: true` with the finished prompt instead.")
    if asked.context:
        raise InvalidInput("The field `context` is not taken here; send the whole conversation to /api/chat instead.")
    prompt, suffix = asked.prompt or "", asked.suffix or ""
    request = _completion(asked, prompt, suffix) if asked.raw or suffix else _one_turn(asked, prompt)
    return _call(asked, request, empty=not (prompt or suffix or asked.images))


def read_embed(body: bytes) -> EmbedRequest:
    """A body of POST /api/embed. Raises `BadRequest` or `InvalidInput`."""
    asked = reading.from_client(_EMBED, body)
    # An empty text alone gives no vector and only loads the model; in a list it is a text like the others.
    texts = ([asked.input] if asked.input else []) if isinstance(asked.input, str) else asked.input or []
    return EmbedRequest(
        model=_model(asked.model),
        inputs=tuple(texts),
        dimensions=asked.dimensions or None,
        truncate=asked.truncate is not False,
    )


def read_legacy_embed(body: bytes) -> EmbedRequest:
    """A body of POST /api/embeddings, the older form with one `prompt`. Raises `BadRequest` or `InvalidInput`."""
    asked = reading.from_client(_EMBED, body)
    return EmbedRequest(model=_model(asked.model), inputs=(asked.prompt,) if asked.prompt else ())


def read_show(body: bytes) -> ModelName:
    """The model that a body of POST /api/show asks about. Raises `BadRequest` or `InvalidInput`."""
    asked = reading.from_client(_SHOW, body)
    return _model(asked.model or asked.name)


def _call(asked: _Asked, request: TextRequest, *, empty: bool) -> Call:
    keep_alive_s = _keep_alive(asked.keep_alive)
    kind: Literal["chat", "load", "unload"] = "chat"
    if empty:
        kind = "unload" if keep_alive_s == 0 else "load"
    return Call(kind=kind, request=request, stream=asked.stream is not False, keep_alive_s=keep_alive_s)


def _completion(asked: _Generate, prompt: str, suffix: str) -> CompletionRequest:
    if asked.images:
        raise InvalidInput("Images need a chat template; leave out `raw` and `suffix`, or the images.")
    return CompletionRequest(
        model=_model(asked.model),
        prompt=prompt,
        suffix=suffix,
        sampling=_sampling(asked.options),
        format=_format(asked.format),
    )


def _one_turn(asked: _Generate, prompt: str) -> ChatRequest:
    system = (Message("system", asked.system),) if asked.system else ()
    turn = (Message("user", prompt, images=_images(asked.images)),) if prompt or asked.images else ()
    return ChatRequest(
        model=_model(asked.model),
        messages=system + turn if turn else (),
        sampling=_sampling(asked.options),
        format=_format(asked.format),
        think=asked.think,
    )


def _model(name: str | None) -> ModelName:
    return ModelName(reading.require(name, "model"))


def _message(message: _Message) -> Message:
    return Message(
        role=message.role,
        content=message.content or "",
        images=_images(message.images),
        thinking=message.thinking or "",
        tool_calls=tuple(_tool_call(call) for call in message.tool_calls or ()),
        tool_call_id=message.tool_call_id or "",
        tool_name=message.tool_name or "",
    )


def _images(images: list[str] | None) -> tuple[str, ...]:
    """Bare base64; the `data:` prefix that some clients send is taken off."""
    return tuple(sound(image.partition(",")[2] if image.startswith("data:") else image) for image in images or ())


def _tool_call(call: _ToolCall) -> ToolCall:
    arguments = reading.tool_arguments(call.function.arguments)
    if arguments is None:
        raise InvalidInput("The arguments of a tool call must be a JSON object, not nested too deeply.")
    return ToolCall(name=reading.require(call.function.name, "function.name"), arguments=arguments, id=call.id or "")


def _format(value: dict[str, Any] | str | None) -> Literal["json"] | dict[str, Any] | None:
    if isinstance(value, dict):
        return value
    if value in {None, "", "json"}:
        return "json" if value else None
    raise InvalidInput('The field `format` must be "json" or a JSON schema.')


def _sampling(options: _Options | None) -> Sampling:
    if options is None:
        return Sampling()
    tokens = reading.whole_number(options.num_predict, "num_predict")
    stop = (options.stop,) if isinstance(options.stop, str) else tuple(options.stop or ())
    return Sampling(
        temperature=options.temperature,
        top_p=options.top_p,
        top_k=reading.whole_number(options.top_k, "top_k"),
        min_p=options.min_p,
        seed=reading.whole_number(options.seed, "seed"),
        # -1 and -2 are Ollama's words for "no limit", which is what no value means too.
        max_tokens=None if tokens is not None and tokens < 0 else tokens,
        stop=stop,
        presence_penalty=options.presence_penalty,
        frequency_penalty=options.frequency_penalty,
        repeat_penalty=options.repeat_penalty,
        num_ctx=reading.whole_number(options.num_ctx, "num_ctx") or None,
    )


_UNITS: Mapping[str, float] = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = r"(\d{1,12}(?:\.\d{1,12})?)(ns|us|µs|ms|s|m|h)"
_PARTS = re.compile(_PART)
_DURATION = re.compile(rf"([+-]?)((?:{_PART})+)")


def _keep_alive(value: float | str | None) -> float | None:
    """Seconds of a number or of a Go duration such as `10m` or `1h30m`; Ollama too refuses `"300"` and `"-1"`."""
    if value is None or isinstance(value, int | float):
        return value
    if value == "0":
        return 0.0
    if not (match := _DURATION.fullmatch(value)):
        raise InvalidInput('The field `keep_alive` must be a number of seconds or a duration such as "10m".')
    total = sum(float(number) * _UNITS[unit] for number, unit in _PARTS.findall(match[2]))
    return -total if match[1] == "-" else total


def chat_line(chunk: ChatChunk, model: str, created_at: str, extension: Mapping[str, Json] | None = None) -> bytes:
    """One line of /api/chat. The line of a `joined` answer is the whole reply of `stream: false`.

    `created_at` is an ISO time in UTC; `extension` goes into the last line as `halext`, which other clients ignore.
    """
    message: dict[str, Any] = {"role": "assistant", "content": chunk.text}
    if chunk.thinking:
        message["thinking"] = chunk.thinking
    if chunk.tool_calls:
        message["tool_calls"] = [node.tool_call_body(call) for call in chunk.tool_calls]
    return _line({"model": model, "created_at": created_at, "message": message}, chunk.done, extension)


def generate_line(chunk: ChatChunk, model: str, created_at: str, extension: Mapping[str, Json] | None = None) -> bytes:
    """One line of /api/generate, or the whole reply, as `chat_line` for /api/chat."""
    body: dict[str, Any] = {"model": model, "created_at": created_at, "response": chunk.text}
    if chunk.thinking:
        body["thinking"] = chunk.thinking
    return _line(body, chunk.done, extension)


def _line(body: dict[str, Any], done: Done | None, extension: Mapping[str, Json] | None) -> bytes:
    body["done"] = done is not None
    if done is not None:
        body["done_reason"] = node.finish(done.reason)
        body |= {name: value for name, value in _counts(done).items() if value}
    if extension is not None:
        body["halext"] = extension
    return _encode(body) + b"\n"


def _counts(done: Done) -> dict[str, int]:
    times = done.timings
    return {
        "total_duration": _nanoseconds(times.total_s),
        "load_duration": _nanoseconds(times.load_s),
        "prompt_eval_count": done.usage.prompt_tokens,
        "prompt_eval_duration": _nanoseconds(times.prompt_s),
        "eval_count": done.usage.completion_tokens,
        "eval_duration": _nanoseconds(times.eval_s),
    }


def _nanoseconds(seconds: float | None) -> int:
    return round((seconds or 0) * 1e9)


def embed_reply(reply: EmbedReply, model: str) -> bytes:
    """The body that answers /api/embed."""
    body = {
        "model": model,
        "embeddings": reply.vectors,
        "total_duration": _nanoseconds(reply.timings.total_s),
        "load_duration": _nanoseconds(reply.timings.load_s),
        "prompt_eval_count": reply.usage.prompt_tokens,
    }
    return _encode({name: value for name, value in body.items() if value or name == "embeddings"})


def legacy_embed_reply(reply: EmbedReply) -> bytes:
    """The body that answers /api/embeddings: the one vector, or none for an empty prompt."""
    return _encode({"embedding": reply.vectors[0] if reply.vectors else ()})


def error_body(error: HalextError, request_id: str) -> dict[str, Json]:
    """The JSON of an error: Ollama's `error` sentence, and halext's `code` and `request_id` beside it."""
    body: dict[str, Json] = {"error": error.message, "code": error.code, "request_id": request_id}
    if error.retry_after_s is not None:
        body["retry_after_s"] = error.retry_after_s
    return body


def error_line(error: HalextError, request_id: str) -> bytes:
    """The last line of a stream that broke after it had begun."""
    return _encode(error_body(error, request_id)) + b"\n"
