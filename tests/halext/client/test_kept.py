"""Conversations that the server keeps, from the library: the same ones as everywhere else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest

from halext.client.kept import Conversations, Kept, conversations
from halext.client.reply import Reply
from halext.errors import HalextError, Internal, Interrupted, NotFound
from halext.runtime.control import Control
from halext.runtime.operations import Operation
from halext.runtime.shapes import Done, Params
from halext.runtime.shapes_chat import AnswerNow, Asked, Conversation, ConversationInfo, TurnInfo

INFO = ConversationInfo(7, "Skies", "m", "", 1.0, 2.0)


def turn(role: str, text: str, state: str = "done", error: str = "") -> TurnInfo:
    return TurnInfo(2, 7, 1, role, state, text, "m:1b", "mac", error, 3, 4, 5.0, 0.1, ["mac was free"], 1.0)


class Server:
    """Answers each operation as scripted, and notes what was asked."""

    def __init__(self, *news: AnswerNow) -> None:
        self.news = list(news)
        self.calls: list[tuple[str, Params]] = []

    async def call(self, operation: Operation[Any, Any], params: Params) -> Any:
        self.calls.append((operation.name, params))
        match operation.name:
            case "begin_conversation" | "ask_more":
                return Asked(INFO, 2)
            case "read_answer":
                if not self.news:
                    await asyncio.Event().wait()
                return self.news.pop(0)
            case "read_conversation":
                return Conversation(INFO, [turn("user", "Why?"), turn("assistant", "Rayleigh.")])
            case "list_conversations":
                return [INFO]
            case _:
                return Done("")

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.calls]


def control(server: Server) -> Control:
    return cast("Control", server)


async def read(pieces: AsyncGenerator[str, None]) -> list[str]:
    return [piece async for piece in pieces]


async def test_a_new_one_is_begun_and_gone_on_with() -> None:
    server = Server(
        AnswerNow("Ray", turn("assistant", "", "running")),
        AnswerNow("", turn("assistant", "", "running")),
        AnswerNow("leigh.", turn("assistant", "")),
    )
    kept, reply = Kept(None, model="m", system="Be brief."), Reply()
    assert repr(kept) == "<Kept not begun: no title yet, 0 turns>"
    assert await read(kept.tell(control(server), "Why?", reply)) == ["Ray", "leigh."]
    assert (reply.text, reply.node, reply.model, reply.outcome) == ("Rayleigh.", "mac", "m:1b", "done")
    assert (reply.why, reply.usage.completion_tokens, reply.tokens_per_s) == ("mac was free", 4, 5.0)
    assert server.names == ["begin_conversation", *["read_answer"] * 3, "read_conversation"]
    assert [getattr(params, "seen", None) for _, params in server.calls[1:4]] == [0, 3, 3]
    assert (kept.id, kept.title, len(kept)) == (7, "Skies", 2)
    server.news = [AnswerNow("More.", turn("assistant", ""))]
    assert await read(kept.tell(control(server), "And?", Reply())) == ["More."]
    assert server.names[-3:] == ["ask_more", "read_answer", "read_conversation"]


@pytest.mark.parametrize(
    ("state", "error", "kind", "outcome"),
    [
        ("failed", "No node is online.", Internal, "failed"),
        ("interrupted", "mac went away.", Interrupted, "interrupted"),
        ("stopped", "", Interrupted, "interrupted"),
    ],
)
async def test_what_did_not_end_well_is_raised_with_what_had_come(
    state: str, error: str, kind: type[HalextError], outcome: str
) -> None:
    server, reply = Server(AnswerNow("Ray", turn("assistant", "", state, error))), Reply()
    with pytest.raises(kind, match=error or "stopped"):
        await read(Kept(7).tell(control(server), "Why?", reply))
    assert (reply.text, reply.outcome) == ("Ray", outcome)


async def test_leaving_stops_the_answer() -> None:
    server, reply = Server(AnswerNow("Ray", turn("assistant", "", "running"))), Reply()
    pieces = Kept(7).tell(control(server), "Why?", reply)
    assert await anext(pieces) == "Ray"
    await pieces.aclose()
    assert server.names[-1] == "stop_answer"
    assert reply.outcome == "cancelled"


async def test_a_server_that_refuses_is_not_asked_to_stop() -> None:
    class Refusing(Server):
        async def call(self, operation: Operation[Any, Any], params: Params) -> Any:
            if operation.name == "read_answer":
                self.calls.append((operation.name, params))
                raise NotFound("It was deleted.")
            return await super().call(operation, params)

    server = Refusing()
    with pytest.raises(NotFound):
        await read(Kept(7).tell(control(server), "Why?", Reply()))
    assert server.names == ["ask_more", "read_answer"]


async def test_how_it_shows() -> None:
    server, kept = Server(), Kept(7)
    await kept.look(control(server))
    shown = kept._repr_mimebundle_()
    assert shown["text/plain"] == "<Kept 7: Skies, 2 turns>"
    assert "**You**" in shown["text/markdown"]
    assert "Rayleigh." in shown["text/markdown"]
    found = await conversations(control(server))
    assert isinstance(found, Conversations)
    assert found.rows() == [{"id": 7, "title": "Skies", "model": "m"}]
    fresh = Kept(None)
    await fresh.look(control(server))
    assert len(fresh) == 0
