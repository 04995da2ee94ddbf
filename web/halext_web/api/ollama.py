"""Ollama's routes under /api."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import msgspec
from starlette.responses import Response
from starlette.types import ASGIApp

from halext._version import __version__
from halext.accounts.types import Permission
from halext.dialects.ollama import client, listing
from halext.errors import HalextError, NotOffered, UnknownModel
from halext.messages import ChatChunk, Done, FinishReason
from halext_web.api import relay
from halext_web.routes import Route, route
from halext_web.visit import IMAGE_LIMIT, Visit

Line = Callable[[ChatChunk, str, str, relay.Extension], bytes]

SPOKEN_VERSION = "0.30.0"
"""The version of Ollama whose shapes we answer with: clients switch features on by it."""

REFUSED = ("pull", "push", "create", "copy", "delete")


def routes() -> list[Route]:
    """Everything under /api."""
    return [
        route("/api/chat", chat, Permission.USE, "POST"),
        route("/api/generate", generate, Permission.USE, "POST"),
        route("/api/embed", embed, Permission.USE, "POST"),
        route("/api/embeddings", embeddings, Permission.USE, "POST"),
        route("/api/show", show, Permission.USE, "POST"),
        route("/api/tags", tags, Permission.USE),
        route("/api/ps", running, Permission.USE),
        route("/api/version", version, Permission.USE),
        *(route(f"/api/{name}", refuse, Permission.USE, "POST DELETE") for name in REFUSED),
        route("/api/blobs/{digest}", refuse, Permission.USE, "GET POST"),
    ]


async def chat(visit: Visit) -> ASGIApp:
    """POST /api/chat."""
    return await _answer(visit, client.read_chat(await visit.body(IMAGE_LIMIT)), client.chat_line)


async def generate(visit: Visit) -> ASGIApp:
    """POST /api/generate."""
    return await _answer(visit, client.read_generate(await visit.body(IMAGE_LIMIT)), client.generate_line)


async def embed(visit: Visit) -> ASGIApp:
    """POST /api/embed."""
    request = client.read_embed(await visit.body())
    reply = await relay.embed(visit, request)
    return relay.reply(visit, client.embed_reply(reply, relay.final_model(visit, request.model)))


async def embeddings(visit: Visit) -> ASGIApp:
    """POST /api/embeddings, the older form."""
    reply = await relay.embed(visit, client.read_legacy_embed(await visit.body()))
    return relay.reply(visit, client.legacy_embed_reply(reply))


async def show(visit: Visit) -> ASGIApp:
    """POST /api/show."""
    name = client.read_show(await visit.body())
    details = await relay.while_connected(visit.request.receive, visit.app.gateway.show(name))
    return relay.reply(visit, listing.show_body(details))


async def tags(visit: Visit) -> ASGIApp:
    """GET /api/tags: the models of all nodes that are online."""
    return relay.reply(visit, listing.tags_body(visit.app.registry.known_models()))


async def running(visit: Visit) -> ASGIApp:
    """GET /api/ps: the models in memory anywhere."""
    return relay.reply(visit, listing.ps_body(visit.app.registry.running_models()))


async def version(visit: Visit) -> ASGIApp:
    """GET /api/version: the Ollama that we speak like, with our own name and version behind it."""
    return relay.reply(visit, listing.version_body(f"{SPOKEN_VERSION}-halext.{__version__}"))


async def refuse(_visit: Visit) -> ASGIApp:
    """What changes the models of nodes."""
    raise NotOffered


async def _answer(visit: Visit, call: client.Call, line: Line) -> ASGIApp:
    relay.check_text(visit, call.request)
    if call.kind != "chat":
        return _loaded(visit, call, line)
    if call.stream:
        return relay.Stream(visit, call.request, lambda model: _Lines(visit, model, line))
    answer = await relay.collect(visit, call.request)
    return relay.reply(
        visit, line(answer, relay.final_model(visit, call.request.model), _now(visit), relay.extension(visit))
    )


def _loaded(visit: Visit, call: client.Call, line: Line) -> Response:
    """The answer to a request to load or unload a model: halext decides what stays loaded, a client only hints."""
    if not visit.app.registry.serving(call.request.model):
        raise UnknownModel
    reason: FinishReason = "unload" if call.kind == "unload" else "load"
    return relay.reply(visit, line(ChatChunk(done=Done(reason)), call.request.model, _now(visit), None))


class _Lines:
    """Lines of JSON. There is no comment among them, so a client that waits hears nothing."""

    content_type = "application/x-ndjson"
    filler = b""

    def __init__(self, visit: Visit, model: str, line: Line) -> None:
        self._visit = visit
        self._model = model
        self._line = line

    def write(self, chunk: ChatChunk, extension: relay.Extension) -> bytes:
        return self._line(chunk, self._model, _now(self._visit), extension)

    def fail(self, error: HalextError, extension: relay.Extension) -> bytes:
        body = client.error_body(error, self._visit.id)
        return msgspec.json.encode(body | ({"halext": extension} if extension else {})) + b"\n"


def _now(visit: Visit) -> str:
    at = dt.datetime.fromtimestamp(visit.app.clock.now(), dt.UTC)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")
