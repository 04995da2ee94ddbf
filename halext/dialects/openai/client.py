"""What OpenAI's clients ask of halext."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from halext.dialects import reading
from halext.dialects.vision import sound
from halext.errors import InvalidInput
from halext.messages import (
    ChatRequest,
    CompletionRequest,
    EmbedRequest,
    Message,
    Role,
    Sampling,
    TextRequest,
    Think,
    ToolCall,
)
from halext.types import Json, ModelName

Encoding = Literal["float", "base64"]


@dataclass(frozen=True, slots=True)
class Call:
    """A request of /v1/chat/completions or /v1/completions; `include_usage` asks for one more chunk with the usage."""

    request: TextRequest
    stream: bool = False
    include_usage: bool = False


@dataclass(frozen=True, slots=True)
class EmbedCall:
    """A request of /v1/embeddings. The official client asks for base64 unless it is told otherwise."""

    request: EmbedRequest
    encoding: Encoding = "float"


class _ImageUrl(msgspec.Struct):
    url: str


class _Part(msgspec.Struct):
    type: str
    text: str | None = None
    image_url: _ImageUrl | str | None = None


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: dict[str, Any] | str | None = None


class _ToolCall(msgspec.Struct):
    function: _Function
    id: str | None = None


class _Message(msgspec.Struct):
    role: str
    content: list[_Part] | str | None = None
    name: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[_ToolCall] | None = None
    tool_call_id: str | None = None


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _JsonSchema(msgspec.Struct):
    schema: dict[str, Any] | None = None


class _ResponseFormat(msgspec.Struct):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: _JsonSchema | None = None


class _Asked(msgspec.Struct):
    model: str | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    n: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    min_p: float | None = None
    seed: float | int | None = None
    max_tokens: float | None = None
    stop: list[str] | str | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repeat_penalty: float | None = None
    response_format: _ResponseFormat | None = None
    logprobs: bool | int | None = None


class _Chat(_Asked):
    messages: list[_Message] | None = None
    max_completion_tokens: float | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: dict[str, Any] | Literal["auto", "none", "required"] | None = None
    functions: list[Any] | None = None
    reasoning_effort: str | None = None


class _Completion(_Asked):
    prompt: list[Any] | str | None = None
    suffix: str | None = None
    echo: bool | None = None
    best_of: int | None = None


class _Embed(msgspec.Struct):
    model: str | None = None
    input: list[Any] | str | None = None
    dimensions: int | None = None
    encoding_format: Encoding | None = None


_CHAT = msgspec.json.Decoder(_Chat)
_COMPLETION = msgspec.json.Decoder(_Completion)
_EMBED = msgspec.json.Decoder(_Embed)


def read_chat(body: bytes) -> Call:
    """A body of POST /v1/chat/completions. Raises `BadRequest` or `InvalidInput` with a sentence for the client."""
    asked = reading.from_client(_CHAT, body)
    if not asked.messages:
        raise InvalidInput("The field `messages` is missing or empty.")
    if asked.functions:
        raise InvalidInput("The field `functions` is out of date; send `tools` instead.")
    limit = asked.max_completion_tokens if asked.max_completion_tokens is not None else asked.max_tokens
    request = ChatRequest(
        model=ModelName(reading.require(asked.model, "model")),
        messages=tuple(_message(message) for message in asked.messages),
        sampling=_sampling(asked, limit),
        tools=tuple(asked.tools or ()),
        tool_choice=asked.tool_choice,
        format=_format(asked.response_format),
        think=_think(asked.reasoning_effort),
    )
    return _call(asked, request)


def read_completion(body: bytes) -> Call:
    """A body of POST /v1/completions: one prompt, as text. Raises `BadRequest` or `InvalidInput`."""
    asked = reading.from_client(_COMPLETION, body)
    if asked.echo or (asked.best_of or 1) > 1:
        raise InvalidInput("`echo` and a `best_of` above 1 are not offered here.")
    request = CompletionRequest(
        model=ModelName(reading.require(asked.model, "model")),
        prompt=_prompt(asked.prompt),
        suffix=asked.suffix or "",
        sampling=_sampling(asked, asked.max_tokens),
        format=_format(asked.response_format),
    )
    return _call(asked, request)


def read_embed(body: bytes) -> EmbedCall:
    """A body of POST /v1/embeddings. Raises `BadRequest` or `InvalidInput`."""
    asked = reading.from_client(_EMBED, body)
    if asked.input is None:
        raise InvalidInput("The field `input` is missing.")
    request = EmbedRequest(
        model=ModelName(reading.require(asked.model, "model")),
        inputs=_texts(asked.input, "input"),
        dimensions=asked.dimensions,
    )
    return EmbedCall(request, asked.encoding_format or "float")


def _call(asked: _Asked, request: TextRequest) -> Call:
    if (asked.n or 1) != 1:
        raise InvalidInput("`n` must be 1: halext gives one answer to a request.")
    if asked.logprobs:
        raise InvalidInput("`logprobs` is not offered here.")
    options = asked.stream_options or _StreamOptions()
    return Call(request, stream=bool(asked.stream), include_usage=bool(options.include_usage))


def _prompt(prompt: list[Any] | str | None) -> str:
    texts = _texts(prompt or "", "prompt")
    if len(texts) != 1:
        raise InvalidInput("`prompt` must be one text; send several prompts as several requests.")
    return texts[0]


def _texts(value: list[Any] | str, name: str) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value
    if not all(isinstance(text, str) for text in texts):
        raise InvalidInput(f"`{name}` must be text; token numbers mean something else to every model.")
    return tuple(texts)


_ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}


def _message(message: _Message) -> Message:
    role = _ROLES.get(message.role)
    if role is None:
        raise InvalidInput("A message's `role` must be system, developer, user, assistant or tool.")
    parts = [_Part("text", message.content)] if isinstance(message.content, str) else message.content or []
    return Message(
        role=role,
        content="\n".join(_text(part) for part in parts if part.type != "image_url"),
        images=tuple(_image(part) for part in parts if part.type == "image_url"),
        thinking=message.reasoning_content or "",
        tool_calls=tuple(_tool_call(call) for call in message.tool_calls or ()),
        tool_call_id=message.tool_call_id or "",
        tool_name=(message.name or "") if role == "tool" else "",
    )


def _text(part: _Part) -> str:
    if part.type not in {"text", "input_text"}:
        raise InvalidInput("A message's content can hold `text` and `image_url` parts only.")
    return part.text or ""


def _image(part: _Part) -> str:
    url = part.image_url.url if isinstance(part.image_url, _ImageUrl) else part.image_url or ""
    head, comma, data = url.partition(",")
    if not (comma and head.startswith("data:") and head.endswith(";base64")):
        raise InvalidInput(
            "An image must come inside the request as a `data:image/…;base64,…` address; halext fetches no addresses."
        )
    return sound(data)


def _tool_call(call: _ToolCall) -> ToolCall:
    arguments = reading.tool_arguments(call.function.arguments)
    if arguments is None:
        raise InvalidInput("The arguments of a tool call must be the text of a JSON object.")
    return ToolCall(name=reading.require(call.function.name, "function.name"), arguments=arguments, id=call.id or "")


def _sampling(asked: _Asked, limit: float | None) -> Sampling:
    tokens = reading.whole_number(limit, "max_tokens")
    return Sampling(
        temperature=asked.temperature,
        top_p=asked.top_p,
        top_k=reading.whole_number(asked.top_k, "top_k"),
        min_p=asked.min_p,
        seed=reading.whole_number(asked.seed, "seed"),
        max_tokens=None if tokens is not None and tokens < 0 else tokens,  # local servers use -1 for "no limit"
        stop=(asked.stop,) if isinstance(asked.stop, str) else tuple(asked.stop or ()),
        presence_penalty=asked.presence_penalty,
        frequency_penalty=asked.frequency_penalty,
        repeat_penalty=asked.repeat_penalty,
    )


def _format(wanted: _ResponseFormat | None) -> Literal["json"] | Mapping[str, Json] | None:
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_object":
        return "json"
    schema = wanted.json_schema.schema if wanted.json_schema else None
    if schema is None:
        raise InvalidInput("`response_format` of type `json_schema` needs `json_schema.schema`.")
    return schema


_EFFORTS: Mapping[str, Think] = {
    "none": False,
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "max",
    "max": "max",
}


def _think(effort: str | None) -> Think | None:
    if effort is None:
        return None
    if effort not in _EFFORTS:
        raise InvalidInput(f"`reasoning_effort` must be one of {', '.join(_EFFORTS)}.")
    return _EFFORTS[effort]
