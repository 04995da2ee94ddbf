from __future__ import annotations

import sys

import pytest

from halext.cli.answer import Listener, reasons, summary
from halext.errors import Interrupted, NoNodeOnline
from halext.messages import ChatChunk, ChatRequest, Message
from halext.runtime.shapes import Explain, Nothing
from halext.types import ModelName, NodeName
from tests.halext.cli.conftest import (
    DONE,
    FakeAnswer,
    FakeControl,
    Terminal,
    a_choice,
    a_node,
    a_request,
    an_endpoint,
)

REQUEST = ChatRequest(ModelName("llama3.2:3b"), (Message("user", "hi"),))


async def test_pieces_appear_as_they_come(capsys: pytest.CaptureFixture[str]) -> None:
    listener = Listener()
    await listener.hear(FakeAnswer([ChatChunk("Hel"), ChatChunk("lo"), DONE], None, None))
    assert capsys.readouterr().out == "Hello\n"
    assert listener.text == "Hello"
    assert listener.done is DONE.done


async def test_an_answer_with_a_line_end_gets_no_second_one(capsys: pytest.CaptureFixture[str]) -> None:
    await Listener().hear(FakeAnswer([ChatChunk("Hello\n"), DONE], None, None))
    assert capsys.readouterr().out == "Hello\n"


async def test_what_came_before_a_break_stays_and_ends_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    listener = Listener()
    with pytest.raises(Interrupted):
        await listener.hear(FakeAnswer([ChatChunk("Hel")], Interrupted(), None))
    assert capsys.readouterr().out == "Hel\n"
    assert listener.text == "Hel"
    assert listener.done is None


async def test_a_silent_listener_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    listener = Listener(show=False)
    await listener.hear(FakeAnswer([ChatChunk(thinking="Hm"), ChatChunk("Hello"), DONE], None, None))
    assert capsys.readouterr() == ("", "")
    assert (listener.thinking, listener.text) == ("Hm", "Hello")


async def test_thoughts_are_for_those_who_watch(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pieces = [ChatChunk(thinking="Let me"), ChatChunk(thinking=" see"), ChatChunk("Hello"), DONE]
    await Listener().hear(FakeAnswer(pieces, None, None))
    assert capsys.readouterr() == ("Hello\n", "")
    monkeypatch.setattr(sys, "stderr", screen := Terminal())
    await Listener().hear(FakeAnswer(pieces, None, None))
    assert screen.getvalue() == "\x1b[2mLet me\x1b[0m\x1b[2m see\x1b[0m\n\n"


async def test_the_node_stops_when_nobody_reads_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(Terminal):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Closed())
    answer = FakeAnswer([ChatChunk("Hel"), ChatChunk("lo"), DONE], None, None)
    with pytest.raises(BrokenPipeError):
        await Listener().hear(answer)
    assert answer.is_closed


async def test_reasons_are_those_of_the_request() -> None:
    control = FakeControl()
    answer = FakeAnswer([], None, None, info=a_request())
    assert await reasons(control, answer, REQUEST, None) == a_request().why
    assert control.calls == []


async def test_without_a_choice_routing_is_asked_what_it_would_do() -> None:
    control = FakeControl(answers={"explain_route": a_choice("mac: not asked (full) — nobody can take it")})
    answer = FakeAnswer([], None, None, info=a_request(why=[]))
    said = await reasons(control, answer, REQUEST, NodeName("mac"))
    assert said == ["mac: not asked (full) — nobody can take it"]
    assert control.calls == [("explain_route", Explain(model="llama3.2:3b", prompt="hi", node="mac"))]


async def test_without_any_route_the_nodes_say_how_they_are() -> None:
    down = a_node("pc", status="offline", endpoints=[an_endpoint("pc", reason="the connection was refused")])
    control = FakeControl(answers={"explain_route": NoNodeOnline(), "list_nodes": [down, a_node(status="draining")]})
    said = await reasons(control, FakeAnswer([], None, None), REQUEST, None)
    assert said == ["pc: offline (the connection was refused)", "mac: draining"]
    assert control.calls[-1] == ("list_nodes", Nothing())


async def test_no_reason_hides_the_failure() -> None:
    control = FakeControl(answers={"explain_route": NoNodeOnline(), "list_nodes": NoNodeOnline()})
    assert await reasons(control, FakeAnswer([], None, None), REQUEST, None) == []


def test_the_summary_tells_only_what_is_known() -> None:
    assert summary(a_request()) == "llama3.2:3b on mac, first word after 250 ms, 2 tokens, 42 tokens/s"
    assert summary(a_request(node=None, first_token_s=None, completion_tokens=0, tokens_per_s=None)) == "llama3.2:3b"
