"""The chat page. With JavaScript it streams; without, a form brings the whole answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp

from halext.accounts.types import Permission
from halext.errors import HalextError
from halext.messages import ChatChunk, ChatRequest, Message
from halext.runtime.present import request_info
from halext.runtime.shapes import ModelRow, Nothing
from halext.runtime.verbs.models import list_models
from halext.types import ModelName
from halext_web import forms
from halext_web.api import relay
from halext_web.pages.nodes import node_rows
from halext_web.pages.page import page
from halext_web.routes import Route, route
from halext_web.visit import Visit


@dataclass(frozen=True, slots=True)
class Choice:
    """A model that can be picked."""

    name: str
    where: str
    """The nodes that can serve it now, and whether it is in their memory."""
    builtin: bool


def routes() -> list[Route]:
    """The chat."""
    return [
        route("/", chat, Permission.USE),
        route("/ask", ask, Permission.USE, "POST"),
    ]


async def chat(visit: Visit) -> ASGIApp:
    """GET /."""
    return await _page(visit)


async def ask(visit: Visit) -> ASGIApp:
    """POST /ask: one question, answered in one piece."""
    fields = await forms.read(visit)
    picked, asked = fields.get("model", "auto"), forms.need(fields, "prompt")
    request = ChatRequest(ModelName(picked), (Message("user", asked),))
    answer: ChatChunk | None = None
    failure: HalextError | None = None
    try:
        answer = await relay.collect(visit, request)
    except HalextError as error:
        failure = error
    return await _page(visit, picked=picked, asked=asked, answer=answer, error=failure)


async def _page(
    visit: Visit,
    *,
    picked: str = "auto",
    asked: str = "",
    answer: ChatChunk | None = None,
    error: HalextError | None = None,
) -> Response:
    rows = await node_rows(visit)
    models = await _choices(visit)
    record = visit.app.gateway.records.find(visit.id)
    info = request_info(record) if record else None
    context: dict[str, Any] = {
        "nodes": rows,
        "online": sum(row.is_online for row in rows),
        "models": models,
        "picked": picked,
        "asked": asked,
        "answer": answer,
        "error": error,
        "info": info,
        "is_builtin": answer is not None and any(m.builtin and info and m.name == info.model for m in models),
    }
    return page(visit, "chat.html", status=error.status if error else 200, **context)


async def _choices(visit: Visit) -> list[Choice]:
    """The models that can chat and have a node that takes requests."""
    rows = await list_models(visit.app, visit.caller, Nothing())
    return [Choice(row.name, where, row.builtin) for row in rows if _can_chat(row) and (where := _where(row))]


def _can_chat(row: ModelRow) -> bool:
    return "chat" in row.capabilities or not row.capabilities


def _where(row: ModelRow) -> str:
    places = [place for place in row.places if place.available]
    return ", ".join(f"{place.node} ({'warm' if place.loaded else 'cold'})" for place in places)
