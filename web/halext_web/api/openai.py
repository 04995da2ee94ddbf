"""OpenAI's routes under /v1."""

from __future__ import annotations

from typing import Protocol

import msgspec
from starlette.types import ASGIApp

from halext.accounts.types import Permission
from halext.dialects import sse
from halext.dialects.openai import answers, client, listing
from halext.errors import HalextError, UnknownModel
from halext.messages import ChatChunk
from halext_web.api import relay
from halext_web.routes import Route, route
from halext_web.visit import IMAGE_LIMIT, Visit


def routes() -> list[Route]:
    """Everything under /v1."""
    return [
        route("/v1/chat/completions", chat, Permission.USE, "POST"),
        route("/v1/completions", completions, Permission.USE, "POST"),
        route("/v1/embeddings", embeddings, Permission.USE, "POST"),
        route("/v1/models", models, Permission.USE),
        route("/v1/models/{id:path}", model, Permission.USE),
    ]


async def chat(visit: Visit) -> ASGIApp:
    """POST /v1/chat/completions."""
    call = client.read_chat(await visit.body(IMAGE_LIMIT))
    relay.check_text(visit, call.request)
    answer_id, created = f"chatcmpl-{visit.id}", int(visit.app.clock.now())

    def begin(model: str) -> relay.Writer:
        stream = answers.ChatStream(answer_id, created, model, include_usage=call.include_usage)
        return _Events(stream, visit)

    if call.stream:
        return relay.Stream(visit, call.request, begin)
    answer = await relay.collect(visit, call.request)
    model = relay.final_model(visit, call.request.model)
    return relay.reply(visit, answers.chat_reply(answer, answer_id, created, model, relay.extension(visit)))


async def completions(visit: Visit) -> ASGIApp:
    """POST /v1/completions."""
    call = client.read_completion(await visit.body())
    answer_id, created = f"cmpl-{visit.id}", int(visit.app.clock.now())

    def begin(model: str) -> relay.Writer:
        stream = answers.CompletionStream(answer_id, created, model, include_usage=call.include_usage)
        return _Events(stream, visit)

    if call.stream:
        return relay.Stream(visit, call.request, begin)
    answer = await relay.collect(visit, call.request)
    model = relay.final_model(visit, call.request.model)
    return relay.reply(visit, answers.completion_reply(answer, answer_id, created, model, relay.extension(visit)))


async def embeddings(visit: Visit) -> ASGIApp:
    """POST /v1/embeddings."""
    call = client.read_embed(await visit.body())
    reply = await relay.embed(visit, call.request)
    return relay.reply(visit, answers.embed_reply(reply, relay.final_model(visit, call.request.model), call.encoding))


async def models(visit: Visit) -> ASGIApp:
    """GET /v1/models: what nodes that are online can serve."""
    return relay.reply(visit, listing.models_body(visit.app.registry.known_models()))


async def model(visit: Visit) -> ASGIApp:
    """GET /v1/models/ID."""
    name = visit.request.path_params["id"]
    for info in visit.app.registry.known_models():
        if info.name in {name, f"{name}:latest"}:
            return relay.reply(visit, listing.model_body(info))
    raise UnknownModel


class _Stream(Protocol):
    """What the two streams of the dialect have in common."""

    def write(self, chunk: ChatChunk, extension: relay.Extension = None) -> bytes:
        """The events for one chunk."""


class _Events:
    """Server-sent events with a comment now and then."""

    content_type = "text/event-stream"
    filler = sse.comment("waiting")

    def __init__(self, stream: _Stream, visit: Visit) -> None:
        self._stream = stream
        self._visit = visit

    def write(self, chunk: ChatChunk, extension: relay.Extension) -> bytes:
        return self._stream.write(chunk, extension)

    def fail(self, error: HalextError, extension: relay.Extension) -> bytes:
        body = answers.error_body(error, self._visit.id)
        return sse.event(msgspec.json.encode(body | ({"halext": extension} if extension else {})))
