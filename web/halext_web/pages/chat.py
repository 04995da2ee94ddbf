"""The chat page: one conversation, and the way to the others.

With JavaScript an answer flows in from its live log; without, a form waits for its end.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp

from halext.accounts.types import Permission
from halext.accounts.workspaces.types import Access
from halext.chat.types import Conversation, ConversationId, Turn, TurnId
from halext.errors import HalextError
from halext.runtime.acting import may
from halext.runtime.shapes import ModelRow, Nothing
from halext.runtime.shapes_chat import ShareConversation
from halext.runtime.shapes_workspaces import WorkspacesOf
from halext.runtime.verbs.chat import share_conversation
from halext.runtime.verbs.models import list_models
from halext.runtime.verbs.workspaces import list_workspaces
from halext_web import forms, ids, markdown
from halext_web.api.relay import while_connected
from halext_web.pages.nodes import node_rows
from halext_web.pages.page import page
from halext_web.routes import Route, route
from halext_web.visit import Visit

ANY = "auto"
"""The model that is best now, under the name that the gateway knows; no name at all would leave it as it was."""
SHOWN = 50
"""Turns on one page; a link leads to those before."""
BROKE = {"stopped": "Stopped.", "interrupted": "The answer broke off: {} What had arrived is kept.", "failed": "{}"}
"""What is said under an answer that did not come to its end."""


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
        route("/", chat, Permission.OWN),
        route("/c/{id}", conversation, Permission.OWN),
        route("/ask", ask, Permission.OWN, "POST", also=Permission.USE),
        route("/again", again, Permission.OWN, "POST", also=Permission.USE),
        route("/share", share, Permission.OWN, "POST"),
    ]


async def chat(visit: Visit) -> ASGIApp:
    """GET /: a new conversation."""
    return await _page(visit)


async def conversation(visit: Visit) -> ASGIApp:
    """GET /c/{id}: one that has begun."""
    return await _page(visit, number=ConversationId(ids.number(visit.request.path_params["id"])))


async def ask(visit: Visit) -> ASGIApp:
    """POST /ask: one question, answered in one piece; then the conversation's page."""
    fields = await forms.read(visit)
    picked, asked = fields.get("model", ANY), forms.need(fields, "prompt")
    number = ConversationId(ids.number(fields["conversation"])) if fields.get("conversation") else None
    try:
        begun, turn = await visit.app.answers.ask(visit.caller, asked, conversation=number, model=picked)
    except HalextError as error:
        return await _page(visit, picked=picked, draft=asked, error=error)
    return await _when_done(visit, begun, turn)


async def again(visit: Visit) -> ASGIApp:
    """POST /again: another answer to the same question, or more of this one; then the conversation's page."""
    fields = await forms.read(visit)
    answer = TurnId(ids.number(forms.need(fields, "answer")))
    if fields.get("how") == "continue":
        return await _when_done(visit, *await visit.app.answers.continue_(visit.caller, answer))
    return await _when_done(visit, *await visit.app.answers.regenerate(visit.caller, answer))


async def share(visit: Visit) -> ASGIApp:
    """POST /share: share a conversation in a workspace, or in none; then its page."""
    fields = await forms.read(visit)
    shared = ShareConversation(
        id=ids.number(forms.need(fields, "conversation")), workspace=fields.get("workspace") or None
    )
    try:
        await share_conversation(visit.app, visit.caller, shared)
    except HalextError as error:
        return await _page(visit, number=ConversationId(shared.id), error=error)
    return RedirectResponse(f"/c/{shared.id}", status_code=303)


async def _when_done(visit: Visit, begun: Conversation, turn: Turn) -> ASGIApp:
    await while_connected(visit.request.receive, _to_its_end(visit, turn.id))
    return RedirectResponse(f"/c/{begun.id}", status_code=303)


async def _to_its_end(visit: Visit, answer: TurnId) -> None:
    async for _ in visit.app.answers.follow(visit.caller, answer):
        pass


async def _page(
    visit: Visit,
    *,
    number: ConversationId | None = None,
    picked: str = ANY,
    draft: str = "",
    error: HalextError | None = None,
) -> Response:
    current, turns, earlier = await _turns(visit, number)
    # A credential may be limited to what is its owner's; then there is nothing to choose from.
    sees_nodes = may(visit.caller, Permission.USE)
    rows = await node_rows(visit) if sees_nodes else []
    models = await _choices(visit) if sees_nodes else []
    said = [turn for turn in turns if turn.role == "assistant"]
    context: dict[str, Any] = {
        "nodes": rows,
        "online": sum(row.is_online for row in rows),
        "models": models,
        "picked": current.model if current and current.model else picked,
        "current": current,
        "turns": turns,
        "earlier": earlier,
        # In a thread, so that long conversations hold up nobody else.
        "html": await asyncio.to_thread(lambda: {turn.id: markdown.html(turn.outcome.text) for turn in said}),
        "said": {turn.id: _said(turn) for turn in said},
        "builtin": {model.name for model in models if model.builtin},
        "past": await visit.app.answers.conversations(visit.caller) if visit.caller.user_id is not None else [],
        "may": current.sharing.access.name if current else Access.OWN.name,
        "workspaces": await _workspaces(visit) if current else [],
        "draft": draft,
        "error": error,
    }
    return page(visit, "chat.html", status=error.status if error else 200, **context)


async def _workspaces(visit: Visit) -> list[str]:
    """Where the caller may share something."""
    return [
        each.name for each in await list_workspaces(visit.app, visit.caller, WorkspacesOf()) if each.role != "viewer"
    ]


async def _turns(visit: Visit, number: ConversationId | None) -> tuple[Conversation | None, list[Turn], TurnId | None]:
    """The turns to show: the latest, or the latest before `?before=`; and where the earlier ones end."""
    if number is None:
        return None, [], None
    current, turns = await visit.app.answers.read(visit.caller, number)
    before = visit.request.query_params.get("before", "")
    if before:
        turns = [turn for turn in turns if turn.id < ids.number(before)]
    shown = turns[-SHOWN:]
    return current, shown, shown[0].id if len(turns) > len(shown) else None


def _said(turn: Turn) -> str:
    """The sentence under an answer that did not come to its end; "" under one that did."""
    return BROKE.get(turn.outcome.state, "").format(turn.outcome.error)


async def _choices(visit: Visit) -> list[Choice]:
    """The models that can chat and have a node that takes requests."""
    rows = await list_models(visit.app, visit.caller, Nothing())
    return [Choice(row.name, where, row.builtin) for row in rows if _can_chat(row) and (where := _where(row))]


def _can_chat(row: ModelRow) -> bool:
    return "chat" in row.capabilities or not row.capabilities


def _where(row: ModelRow) -> str:
    places = [place for place in row.places if place.available]
    return ", ".join(f"{place.node} ({'warm' if place.loaded else 'cold'})" for place in places)
