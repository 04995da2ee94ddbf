"""A reply: it grows, says how it ended, and shows itself without giving away more than its text."""

from __future__ import annotations

import asyncio

import pytest

from halext.client import notebook
from halext.client.reply import Reply
from halext.errors import AllBusy, Interrupted, UsageError
from halext.messages import ChatChunk, Done, ToolCall, Usage
from halext.runtime.shapes import ChoiceInfo, RequestInfo

CHOICE = ChoiceInfo(model="m:1b", chosen="mac", sentence="mac: 1.0 s — chose mac", estimates=[], rejected={})
INFO = RequestInfo(
    id="r-1",
    kind="chat",
    model="m:1b",
    node="mac",
    outcome="done",
    started_at=0.0,
    first_token_s=0.2,
    total_s=1.2,
    prompt_tokens=5,
    completion_tokens=2,
    tokens_per_s=2.0,
    choices=[CHOICE],
    failures=[],
    why=["mac: 1.0 s — chose mac", "mac failed"],
)


def filled() -> Reply:
    reply = Reply()
    reply.take(ChatChunk(thinking="Hm. "))
    reply.take(ChatChunk(text="Hello "))
    reply.take(ChatChunk(text="<b>you</b>", tool_calls=(ToolCall("f", {}),)))
    reply.take(ChatChunk(done=Done("length", Usage(5, 2))))
    reply.end(INFO, None)
    return reply


def test_everything_about_an_answer() -> None:
    reply = filled()
    assert (reply.text, reply.thinking, str(reply)) == ("Hello <b>you</b>", "Hm. ", "Hello <b>you</b>")
    assert (reply.node, reply.model, reply.id) == ("mac", "m:1b", "r-1")
    assert (reply.tokens_per_s, reply.first_token_s, reply.total_s) == (2.0, 0.2, 1.2)
    assert reply.why == "mac: 1.0 s — chose mac\nmac failed"
    assert (reply.usage, reply.finish_reason, reply.outcome) == (Usage(5, 2), "length", "done")
    assert reply.tool_calls == (ToolCall("f", {}),)


def test_before_anything_is_known() -> None:
    reply = Reply()
    assert (reply.text, reply.node, reply.model, reply.id, reply.why) == ("", "", "", "", "")
    assert (reply.tokens_per_s, reply.first_token_s, reply.total_s, reply.outcome) == (None, None, None, "running")
    assert repr(reply) == "<Reply: 0 characters · running>"


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(None, "done"), (AllBusy(), "failed"), (asyncio.CancelledError(), "cancelled"), (Interrupted(), "interrupted")],
)
def test_how_it_ended(error: BaseException | None, outcome: str) -> None:
    reply = Reply()
    reply.end(None, error)
    assert reply.outcome == outcome
    if isinstance(error, Interrupted):
        assert error.reply is reply


def test_it_can_be_asked_for_once() -> None:
    reply = Reply()
    reply.begin()
    with pytest.raises(UsageError, match="read already"):
        reply.begin()


def test_repr_is_short_and_holds_no_text() -> None:
    assert repr(filled()) == "<Reply: 16 characters · mac · m:1b · 2 tokens · 2.0 tokens/s>"


def test_shown_as_markdown_and_as_the_same_text() -> None:
    assert filled()._repr_mimebundle_() == {
        "text/plain": "Hello <b>you</b>",
        "text/markdown": "Hello &lt;b>you&lt;/b>",
    }


def test_one_line_where_the_cell_has_shown_it(monkeypatch: pytest.MonkeyPatch) -> None:
    reply = filled()
    monkeypatch.setattr(notebook, "cell", lambda: 3)
    reply.was_shown()
    assert reply._repr_mimebundle_() == {"text/plain": "mac · m:1b · 2 tokens · 2.0 tokens/s"}
    monkeypatch.setattr(notebook, "cell", lambda: 4)
    assert "text/markdown" in reply._repr_mimebundle_()
