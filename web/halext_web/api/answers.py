"""A live answer as server-sent events: what is on its log, then what comes, then the end.

An event is `block` (with an id, from which a reader that lost its connection goes on), `tail`, `whole` or `done`. The
stream ends after `done`; a reader that has seen it closes. Asked with `?rendered=1`, blocks and the end also
carry their Markdown as a tree of elements, which a page can show without making HTML out of strings.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from halext.accounts.types import Permission
from halext.chat.types import Event, TurnId
from halext.dialects import sse
from halext.runtime.verbs.chat import turn_info
from halext_web import markdown
from halext_web.api.relay import answer_headers, while_connected
from halext_web.ids import number
from halext_web.routes import Route, route
from halext_web.visit import Visit

BLOCK_DIGITS = 9
"""No answer has a billion blocks."""
TAIL_S = 0.1
"""Between two looks at the unfinished part: ten a second read as flowing, and cost little."""
TAIL_CHARS_PER_S = 200_000
"""What one reader gets of a part that is long and still unfinished, and so is told again and again."""

RENDERED = frozenset({"block", "done"})
"""The kinds of events whose text is finished; `whole` is followed by `done` at once."""


def routes() -> list[Route]:
    """The log of one answer."""
    return [route("/hx/answers/{id}", follow, Permission.OWN)]


async def follow(visit: Visit) -> ASGIApp:
    """GET /hx/answers/{id}. Answers 404 for one that is not there, or not the caller's."""
    events = visit.app.answers.follow(visit.caller, TurnId(number(visit.request.path_params["id"])), _after(visit))
    first = await anext(events)  # raises before any header goes out
    return _Stream(visit, first, events)


def _after(visit: Visit) -> int:
    """The last block that the reader has, by its own word."""
    told = visit.request.headers.get("last-event-id", "").strip()
    return int(told) if told.isdigit() and len(told) <= BLOCK_DIGITS else 0


class _Stream:
    """The events of one answer, as an ASGI app."""

    def __init__(self, visit: Visit, first: Event, events: AsyncGenerator[Event, None]) -> None:
        self._visit = visit
        self._first = first
        self._events = events
        self._is_rendered = "rendered" in visit.request.query_params

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them until the end, or until the reader leaves."""
        del scope
        headers = {
            "content-type": "text/event-stream",
            "cache-control": "no-store",
            "x-accel-buffering": "no",
            **answer_headers(self._visit),
        }
        encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": encoded})
        await while_connected(receive, self._send_all(send))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_all(self, send: Send) -> None:
        event: Event | None = self._first
        async with aclosing(self._events):
            while event is not None:
                await send({"type": "http.response.body", "body": await self._encoded(event), "more_body": True})
                if event.kind == "tail":
                    await self._visit.app.clock.sleep(max(TAIL_S, len(event.text) / TAIL_CHARS_PER_S))
                event = await anext(self._events, None)

    async def _encoded(self, event: Event) -> bytes:
        body = msgspec.to_builtins(turn_info(event.turn)) if event.turn is not None else {"text": event.text}
        if self._is_rendered and event.kind in RENDERED:
            # In a thread, so that a long text holds up nobody else.
            body["nodes"] = await asyncio.to_thread(markdown.nodes, body["text"])
        return sse.event(msgspec.json.encode(body), event=event.kind, id=str(event.seq) if event.seq else "")
