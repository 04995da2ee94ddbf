from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from halext.accounts.types import Caller, Role
from halext.errors import Forbidden
from halext.messages import ChatRequest, Message
from halext.runtime.app import App
from halext.runtime.control import LocalControl
from halext.runtime.shapes import AddNode, Nothing, Since
from halext.runtime.verbs import house, nodes
from halext.testing.ollama import FakeOllama
from halext.types import ModelName


async def test_what_was_used_is_counted_per_person_and_model(
    app: App, control: LocalControl, fake_ollama: Callable[..., Awaitable[FakeOllama]]
) -> None:
    fake = await fake_ollama(["m"])
    await control.call(nodes.add_node, AddNode(name="mac", urls=[fake.url]))
    ann = await app.people.add_user("Ann", Role.MEMBER)
    her = LocalControl(app, Caller("Ann", Role.MEMBER, "token", ann.id))
    for _ in range(2):
        answer = her.generate(ChatRequest(ModelName("m"), (Message("user", "hi"),)))
        async for _chunk in answer:
            pass
    (row,) = await her.call(house.show_usage, Since())
    assert (row.user, row.model, row.requests) == ("Ann", "m", 2)
    assert row.completion_tokens > 0
    assert await her.call(house.show_usage, Since(since=app.clock.now() + 60)) == []
    bob = await app.people.add_user("Bob", Role.MEMBER)
    assert await LocalControl(app, Caller("Bob", Role.MEMBER, "token", bob.id)).call(house.show_usage, Since()) == []


async def test_the_doctor_is_for_those_who_see_the_house(app: App, control: LocalControl) -> None:
    assert await control.call(house.run_doctor, Nothing())
    with pytest.raises(Forbidden):
        await LocalControl(app, Caller("m", Role.MEMBER, "token")).call(house.run_doctor, Nothing())
