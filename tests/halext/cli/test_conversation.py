from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable

import pytest

from halext.cli.conversation import Conversation
from halext.errors import NoNodeOnline
from halext.messages import ChatChunk, ChatRequest, TextRequest
from halext.runtime.control import Answer
from halext.runtime.shapes import RequestInfo
from halext.types import NodeName
from tests.halext.cli.conftest import DONE, FakeControl, a_request

PATIENCE_S = 10.0


def reader(*lines: str) -> Callable[[str], str]:
    """Types these lines, then Ctrl-D."""
    left = list(lines)

    def read(_prompt: str) -> str:
        if not left:
            raise EOFError
        return left.pop(0)

    return read


def histories(control: FakeControl) -> list[list[tuple[str, str]]]:
    return [
        [(message.role, message.content) for message in request.messages]
        for request, _ in control.asked
        if isinstance(request, ChatRequest)
    ]


async def test_each_turn_knows_those_before() -> None:
    control = FakeControl()
    await Conversation(control, "llama3.2:3b", "Be terse.", reader("one", "", "two")).run()
    system = ("system", "Be terse.")
    assert histories(control) == [
        [system, ("user", "one")],
        [system, ("user", "one"), ("assistant", "Hello"), ("user", "two")],
    ]
    assert {request.model for request, _ in control.asked} == {"llama3.2:3b"}


async def test_quit_leaves() -> None:
    control = FakeControl()
    await Conversation(control, "", "", reader("/quit", "never")).run()
    assert control.asked == []


async def test_the_model_can_be_changed(capsys: pytest.CaptureFixture[str]) -> None:
    control = FakeControl()
    await Conversation(control, "", "", reader("/model", "/model mistral", "hi")).run()
    assert control.asked[0][0].model == "mistral"
    said = capsys.readouterr().err
    assert "The model is the one that answers soonest." in said
    assert "The model is mistral." in said


async def test_why_explains_the_last_answer(capsys: pytest.CaptureFixture[str]) -> None:
    control = FakeControl(info=a_request(why=["mac: 2.1 s — chose mac"]))
    await Conversation(control, "", "", reader("/why", "hi", "/why")).run()
    said = capsys.readouterr()
    assert said.out == "Hello\n"
    assert "Nothing has been asked yet." in said.err
    assert "mac: 2.1 s — chose mac" in said.err
    assert "llama3.2:3b on mac" in said.err


@pytest.mark.parametrize("line", ["/", "/help", "/nonsense"])
async def test_other_commands_show_what_there_is(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    control = FakeControl()
    await Conversation(control, "", "", reader(line)).run()
    assert capsys.readouterr().err.count("/quit") == 2
    assert control.asked == []


async def test_a_failure_is_one_line_and_the_talk_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    control = FakeControl(pieces=[], failure=NoNodeOnline("No node is online."))
    await Conversation(control, "", "", reader("one", "two")).run()
    assert capsys.readouterr().err.count("halext: No node is online.") == 2
    assert histories(control)[1] == [("user", "two")]


class EndlessAnswer:
    """Says a word, tells that it has, and never ends by itself."""

    def __init__(self, said: asyncio.Event) -> None:
        self.info: RequestInfo | None = None
        self._said = said

    async def __aiter__(self) -> AsyncIterator[ChatChunk]:
        yield ChatChunk("Hel")
        self._said.set()
        await asyncio.Event().wait()


class EndlessControl(FakeControl):
    def __init__(self) -> None:
        super().__init__()
        self.said = asyncio.Event()

    def generate(self, request: TextRequest, node: NodeName | None = None) -> Answer:
        ordinary = super().generate(request, node)
        return EndlessAnswer(self.said) if len(self.asked) == 1 else ordinary


async def test_ctrl_c_stops_the_answer_and_not_the_chat(capsys: pytest.CaptureFixture[str]) -> None:
    control = EndlessControl()
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        group.create_task(Conversation(control, "", "", reader("one", "two")).run())
        await control.said.wait()
        os.kill(os.getpid(), signal.SIGINT)
    said = capsys.readouterr()
    assert said.out == "Hel\nHello\n"
    assert "(stopped)" in said.err
    assert histories(control)[1] == [("user", "one"), ("assistant", "Hel"), ("user", "two")]


async def test_ctrl_c_at_the_prompt_says_how_to_leave(capsys: pytest.CaptureFixture[str]) -> None:
    loop, at_prompt, go_on = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()

    def read(_prompt: str) -> str:
        loop.call_soon_threadsafe(at_prompt.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(PATIENCE_S)
        raise EOFError

    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        group.create_task(Conversation(FakeControl(), "", "", read).run())
        await at_prompt.wait()
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.to_thread(lambda: None)  # signals are handled by the loop, between two steps
        go_on.set()
    assert "/quit or Ctrl-D leaves)" in capsys.readouterr().err


async def test_being_cancelled_from_outside_is_no_ctrl_c() -> None:
    control = EndlessControl()
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        task = group.create_task(Conversation(control, "", "", reader("one", "two")).run())
        await control.said.wait()
        task.cancel()
        task.cancel()
    assert task.cancelled()
    assert len(control.asked) == 1


async def test_an_empty_answer_is_no_turn() -> None:
    control = FakeControl(pieces=[DONE])
    await Conversation(control, "", "", reader("one", "two")).run()
    assert histories(control)[1] == [("user", "two")]
