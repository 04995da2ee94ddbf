from __future__ import annotations

import json
import sys

import pytest

from halext.errors import AllBusy, Interrupted
from halext.messages import ChatChunk, ChatRequest, EmbedRequest, Message
from tests.halext.cli.conftest import DONE, FakeControl, Run, Terminal, a_choice, a_request


def messages(control: FakeControl) -> tuple[Message, ...]:
    (request, _node) = control.asked[-1]
    assert isinstance(request, ChatRequest)
    return request.messages


def test_the_answer_goes_to_stdout_and_nothing_else(control: FakeControl, run: Run) -> None:
    control.info = a_request()
    result = run("ask", "Say", "hello")
    assert (result.code, result.out, result.err) == (0, "Hello\n", "")
    assert messages(control) == (Message("user", "Say hello"),)
    assert control.asked[0][0].model == ""
    assert control.asked[0][1] is None


def test_model_node_and_system_are_passed_on(control: FakeControl, run: Run) -> None:
    run("ask", "hi", "-m", "llama3.2:3b", "--node", "mac", "--system", "Be terse.")
    assert messages(control) == (Message("system", "Be terse."), Message("user", "hi"))
    assert control.asked[0][0].model == "llama3.2:3b"
    assert control.asked[0][1] == "mac"


def test_what_is_piped_in_follows_the_prompt(control: FakeControl, run: Run) -> None:
    run("ask", "Summarise", stdin="one\ntwo\n")
    assert messages(control) == (Message("user", "Summarise\n\none\ntwo"),)


def test_a_pipe_alone_is_a_prompt(control: FakeControl, run: Run) -> None:
    run("ask", stdin="What is up?\n")
    assert messages(control) == (Message("user", "What is up?"),)


@pytest.mark.parametrize("args", [(), ("",), (" ",)])
def test_no_prompt_is_wrong_use(control: FakeControl, run: Run, args: tuple[str, ...]) -> None:
    result = run("ask", *args, stdin=" \n")
    assert result.code == 2
    assert "Give a question" in result.err
    assert control.asked == []


def test_why_comes_after_the_answer_on_stderr(control: FakeControl, run: Run) -> None:
    control.info = a_request(why=["mac: 2.1 s — chose mac", "mac: went away", "pc: 9 s\n— chose pc"])
    result = run("ask", "hi", "--why")
    assert result.out == "Hello\n"
    assert result.err.splitlines() == [
        "llama3.2:3b on mac, first word after 250 ms, 2 tokens, 42 tokens/s",
        "why: mac: 2.1 s — chose mac",
        "why: mac: went away",
        "why: pc: 9 s — chose pc",
    ]


def test_who_watches_is_told_who_answered(control: FakeControl, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    control.info = a_request()
    monkeypatch.setattr(sys, "stderr", screen := Terminal())
    assert run("ask", "hi").out == "Hello\n"
    assert "llama3.2:3b on mac" in screen.getvalue()


def test_an_interrupted_answer_is_kept_and_said_to_be_one(control: FakeControl, run: Run) -> None:
    control.pieces, control.failure = [ChatChunk("Hel")], Interrupted("mac went away in the middle.")
    control.info = a_request(outcome="interrupted", why=["mac: 2.1 s — chose mac"])
    result = run("ask", "hi", "--why")
    assert (result.code, result.out) == (1, "Hel\n")
    assert result.err == "why: mac: 2.1 s — chose mac\nhalext: mac went away in the middle.\n"


def test_why_has_reasons_for_a_failure_too(control: FakeControl, run: Run) -> None:
    control.pieces, control.failure = [], AllBusy("All nodes are busy.")
    control.answers["explain_route"] = a_choice("mac: not asked (busy) — nobody can take it")
    result = run("ask", "hi", "--why")
    assert (result.code, result.out) == (1, "")
    assert result.err == "why: mac: not asked (busy) — nobody can take it\nhalext: All nodes are busy.\n"


def test_json_has_everything_at_the_end(control: FakeControl, run: Run) -> None:
    control.pieces = [ChatChunk(thinking="Hm"), ChatChunk("Hello"), DONE]
    control.info = a_request()
    result = run("ask", "hi", "--json")
    told = json.loads(result.out)
    assert (told["text"], told["thinking"], told["finish"], told["error"]) == ("Hello", "Hm", "stop", None)
    assert told["request"]["node"] == "mac"
    assert result.err == ""


def test_json_of_an_interrupted_answer_has_text_and_error(control: FakeControl, run: Run) -> None:
    control.pieces, control.failure = [ChatChunk("Hel")], Interrupted("Gone.")
    result = run("ask", "hi", "--json")
    told = json.loads(result.out)
    assert result.code == 1
    assert (told["text"], told["finish"]) == ("Hel", None)
    assert told["error"] == {"code": "interrupted", "message": "Gone."}


def test_ctrl_c_is_quiet_and_ends_the_line(control: FakeControl, run: Run) -> None:
    control.pieces, control.failure = [ChatChunk("Hel")], KeyboardInterrupt()
    result = run("ask", "hi")
    assert (result.code, result.out, result.err) == (130, "Hel\n", "")


def test_ask_sends_no_embedding(control: FakeControl, run: Run) -> None:
    run("ask", "hi")
    assert not isinstance(control.asked[0][0], EmbedRequest)
