"""The client side of another halext: for `halext ask` beside a running server, and for the library in remote mode.

As a *node*, another halext is served by `OllamaDriver`, whose errors are those of any node. Here its errors come back
as what they were over there: "all busy", "quota spent", "unknown model" and the rest, by their `code`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from halext.dialects import failures, reading
from halext.dialects.ollama import listing
from halext.dialects.ollama import node as ollama
from halext.errors import HalextError, by_code
from halext.messages import ChatChunk, ChatRequest, EmbedReply, EmbedRequest, TextRequest
from halext.types import Json, NodeName
from halext.upstream import Endpoint, ModelInfo
from halext.upstreams.http import CALL, Door
from halext.upstreams.streaming import naming, stream_answer

Extension = Mapping[str, Json]
"""What the last line says beside the answer: node, model, timings, reasons."""


class _Failure(msgspec.Struct):
    code: str | None = None
    error: Any = None
    message: str | None = None
    retry_after_s: float | None = None


class _Extended(msgspec.Struct):
    halext: dict[str, Any] | None = None


_FAILURE = msgspec.json.Decoder(_Failure)
_EXTENDED = msgspec.json.Decoder(_Extended)
_JSON: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Any)
_FINE = range(200, 300)
MAX_ANSWER = 48 * 1024 * 1024
"""Bytes of an answer: as much as the pictures of one job may have, in base64. It is our own server that sends them."""


class Coordinator:
    """Talks to the halext at `endpoint`, whose secret headers hold the caller's token.

    Every method raises the `HalextError` that the server names, or an `UpstreamError` when it can't be reached.
    """

    def __init__(self, door: Door, endpoint: Endpoint) -> None:
        self._door = door
        self._endpoint = endpoint

    async def call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Json:
        """The JSON that a route under `/hx/` answers; None for an empty answer."""
        with naming(self._endpoint):
            answer = await self._request(method, path, None if body is None else msgspec.json.encode(body))
            told: Json = reading.from_node(_JSON, answer or b"null")
            return told

    async def models(self) -> tuple[ModelInfo, ...]:
        """The models that the caller may use."""
        with naming(self._endpoint):
            return listing.parse_tags(await self._request("GET", "/api/tags"))

    async def embed(self, request: EmbedRequest, node: NodeName | None = None) -> EmbedReply:
        """One vector per input, from that node if one is named."""
        with naming(self._endpoint):
            answer = await self._request("POST", "/api/embed", ollama.embed_body(request), node)
            return ollama.parse_embed(answer, len(request.inputs))

    def generate(
        self,
        request: TextRequest,
        node: NodeName | None = None,
        on_extension: Callable[[Extension], None] | None = None,
    ) -> AsyncGenerator[ChatChunk, None]:
        """The answer piece by piece, from that node if one is named.

        `on_extension` hears what the last line says beside the answer, before that line's piece is handed out.
        Ends after a piece with `done`, or raises; after the first piece a broken connection is `Interrupted`.
        """
        if isinstance(request, ChatRequest):
            path, body = "/api/chat", ollama.chat_body(request)
        else:
            path, body = "/api/generate", ollama.generate_body(request)
        reader = ollama.AnswerReader(partial(_parse_line, on_extension=on_extension or _ignore))
        return stream_answer(self._door, self._endpoint, path, body, reader, headers=_pin(node), refusal=parse_error)

    async def _request(self, method: str, path: str, body: bytes | None = None, node: NodeName | None = None) -> bytes:
        answer = await self._door.request(
            self._endpoint, method, path, json=body, headers=_pin(node), deadlines=CALL, max_body=MAX_ANSWER
        )
        if answer.status not in _FINE:
            raise parse_error(answer.status, answer.body, answer.headers.get("retry-after"))
        return answer.body


def parse_error(status: int, body: bytes, retry_after: str | None = None) -> HalextError:
    """The error that another halext reports, by its `code`; one of a node when the answer is not halext's."""
    error = _named(body)
    if error is None:
        return failures.parse_failure(status, body, retry_after)
    if error.retry_after_s is None:
        error.retry_after_s = failures.parse_retry_after(retry_after)
    return error


def _pin(node: NodeName | None) -> dict[str, str]:
    return {"x-halext-node": node} if node else {}


def _parse_line(line: bytes, on_extension: Callable[[Extension], None]) -> ChatChunk:
    if b'"halext"' in line and (extension := reading.from_node(_EXTENDED, line).halext):
        on_extension(extension)  # an error's line has it too
    if b'"code"' in line and (error := _named(line)) is not None:
        raise error
    return ollama.parse_line(line)


def _named(body: bytes) -> HalextError | None:
    try:
        found = _FAILURE.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    kind = by_code(found.code)
    text = failures.said(found.error) or found.message
    return kind(text, retry_after_s=found.retry_after_s) if kind and text else None


def _ignore(_: Extension) -> None:
    """Nobody asked."""
