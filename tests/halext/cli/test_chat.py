from __future__ import annotations

from halext.messages import ChatRequest, Message
from halext.types import ModelName
from tests.halext.cli.conftest import FakeControl, Run


def test_a_piped_talk_has_no_prompts(control: FakeControl, run: Run) -> None:
    result = run("chat", "-m", "mistral", "--system", "Be terse.", stdin="one\n/quit\n")
    assert (result.code, result.out) == (0, "Hello\n")
    messages = (Message("system", "Be terse."), Message("user", "one"))
    assert control.asked == [(ChatRequest(ModelName("mistral"), messages), None)]


def test_the_end_of_the_pipe_is_the_end_of_the_talk(control: FakeControl, run: Run) -> None:
    assert run("chat", stdin="one\ntwo\n").out == "Hello\nHello\n"
