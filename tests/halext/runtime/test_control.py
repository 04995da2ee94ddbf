from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import cast

import pytest

from halext.accounts.types import Caller, Role
from halext.errors import BadAnswer, Forbidden, Interrupted, InvalidInput
from halext.messages import ChatRequest, Message
from halext.runtime.app import App
from halext.runtime.control import LocalControl, RemoteControl
from halext.runtime.shapes import AddNode, Named, Nothing, Since
from halext.runtime.shapes_tasks import ListTasks
from halext.runtime.verbs import house, nodes, tasks
from halext.testing.ollama import FakeOllama
from halext.types import Json, ModelName
from halext.upstreams.coordinator import Coordinator

HI = ChatRequest(ModelName("m"), (Message("user", "hi"),))


class Wire:
    """In place of a coordinator: remembers what it was asked and answers what it was given."""

    def __init__(self, answer: Json) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str, object]] = []

    async def call(self, method: str, path: str, body: Mapping[str, Json] | None = None) -> Json:
        self.asked.append((method, path, body))
        return self.answer

    def remote(self) -> RemoteControl:
        return RemoteControl(cast("Coordinator", self))


async def test_parameters_go_into_the_path_the_query_or_the_body() -> None:
    wire = Wire({"message": "ok"})
    await wire.remote().call(nodes.remove_node, Named(name="a/b ?"))
    wire.answer = []
    await wire.remote().call(house.show_usage, Since(since=1.5))
    await wire.remote().call(tasks.list_tasks, ListTasks())
    await wire.remote().call(tasks.list_tasks, ListTasks(states=["open", "done"]))
    wire.answer = {}
    with pytest.raises(BadAnswer, match="this version can't read"):
        await wire.remote().call(nodes.cordon_node, Named(name="mac"))
    assert wire.asked == [
        ("DELETE", "/hx/nodes/a%2Fb%20%3F", None),
        ("GET", "/hx/usage?since=1.5", None),
        ("GET", "/hx/tasks", None),
        ("GET", "/hx/tasks?states=open&states=done", None),
        ("POST", "/hx/nodes/mac/cordon", {}),
    ]


@pytest.mark.parametrize("name", ["", ".", "..", "a\n", "\x00", "\udcff"])
async def test_what_cannot_stand_in_an_address_is_said_before_anything_is_sent(name: str) -> None:
    wire = Wire({"message": "ok"})
    with pytest.raises(InvalidInput, match="is no name"):
        await wire.remote().call(nodes.remove_node, Named(name=name))
    assert wire.asked == []


async def test_rights_are_asked_for_here_too(app: App) -> None:
    with pytest.raises(Forbidden):
        await LocalControl(app, Caller("m", Role.MEMBER, "token")).call(house.run_doctor, Nothing())


async def test_an_answer_tells_what_happened_however_it_ends(
    app: App, control: LocalControl, fake_ollama: Callable[..., Awaitable[FakeOllama]]
) -> None:
    fake = await fake_ollama(["m"])
    await control.call(nodes.add_node, AddNode(name="mac", urls=[fake.url]))
    whole = control.generate(HI)
    assert whole.info is None
    async for _ in whole:
        pass
    assert whole.info is not None
    assert whole.info.outcome == "done"
    fake.faults.at(2, "reset")
    broken = control.generate(HI)
    with pytest.raises(Interrupted):
        async for _ in broken:
            pass
    assert broken.info is not None
    assert (broken.info.outcome, broken.info.node) == ("interrupted", "mac")
    left = control.generate(HI)
    pieces = cast("AsyncGenerator[object, None]", aiter(left))
    async with aclosing(pieces):
        await anext(pieces)
    await fake.timeline.wait_for("cancelled")
    assert left.info is not None
    assert left.info.outcome == "cancelled"
    assert app.gateway.waiting == 0
