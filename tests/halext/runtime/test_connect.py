from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from msgspec import convert
from pydantic import SecretStr

from halext.accounts.types import LOCAL, Role
from halext.errors import Forbidden, NoNodeOnline, NotFound, Unauthenticated, UnknownNode
from halext.messages import ChatRequest, EmbedRequest, Message
from halext.runtime import connect
from halext.runtime.app import App
from halext.runtime.control import LocalControl, RemoteControl
from halext.runtime.settings import Settings
from halext.runtime.shapes import AddNode, AddUser, CreateToken, Named, Nothing, RevokeToken, SetKey, SetRole
from halext.runtime.shapes_tasks import AddTask, ListTasks
from halext.runtime.verbs import keys, models, nodes, people, tasks
from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama
from halext.types import ModelName, NodeName, SecretRef
from halext_web.service import WebService


@pytest.fixture
async def running(app: App) -> AsyncIterator[App]:
    """The house with its door open, and this machine told how to reach it."""
    ready = asyncio.Event()
    app.local_token = "let-the-owner-in"
    door = asyncio.get_running_loop().create_task(WebService().run(app, lambda _line: ready.set()))
    async with asyncio.timeout(30):
        await ready.wait()
    app.lock.publish({"url": app.base_url, "token": app.local_token})
    yield app
    door.cancel()
    await asyncio.gather(door, return_exceptions=True)


async def test_a_closed_house_is_opened_for_a_moment(settings: Settings) -> None:
    async with connect.open_control(settings) as control:
        assert isinstance(control, LocalControl)
        assert await control.call(nodes.list_nodes, Nothing()) == []


async def test_an_open_house_is_asked_with_the_same_words(
    running: App, settings: Settings, fake_ollama: Callable[..., Awaitable[FakeOllama]]
) -> None:
    fake = await fake_ollama([FakeModel("m", script=["Hel", "lo"]), FakeModel("e", capabilities=("embedding",))])
    async with connect.open_control(settings) as control:
        assert isinstance(control, RemoteControl)
        added = await control.call(nodes.add_node, AddNode(name="mac", urls=[fake.url]))
        assert added == await LocalControl(running, LOCAL).call(nodes.show_node, Named(name="mac"))
        assert {row.name for row in await control.call(models.list_models, Nothing())} == {"m:latest", "e:latest"}
        answer = control.generate(ChatRequest(ModelName(""), (Message("user", "hi"),)))
        assert "".join([chunk.text async for chunk in answer]) == "Hello"
        assert answer.info is not None
        assert answer.info.node == "mac"
        assert answer.info.why[0].endswith("chose mac")
        assert len((await control.embed(EmbedRequest(ModelName("e"), ("x", "y")))).vectors) == 2
        await control.call(people.add_user, AddUser(name="Ann Å/?"))
        made = await control.call(people.create_token, CreateToken(name="t", user="Ann Å/?"))
        assert (await control.call(people.revoke_token, RevokeToken(id=made.info.id))).message
        assert (await control.call(nodes.remove_node, Named(name="mac"))).message


async def test_names_with_slashes_and_blanks_are_found_from_outside(running: App, settings: Settings) -> None:
    async with connect.open_control(settings) as control:
        for name in ("webhook/other", "node/mac/headers", "Ann Å/?", "100%", "a%2Fb", "a+b", "..x"):
            await control.call(keys.set_key, SetKey(name=name, value="hush"))
            assert await running.vault.reveal(SecretRef(name), purpose="a test") == "hush"
            await control.call(keys.remove_key, Named(name=name))
        assert await running.vault.list() == ()
        slack = "https://hooks.slack.com/services/T0/B0/x"
        assert (await control.call(keys.set_key, SetKey(name="webhook/slack", value=slack))).message
        await control.call(people.add_user, AddUser(name="Ann Å/?"))
        await control.call(people.set_role, SetRole(name="Ann Å/?", role="guest"))


async def test_errors_come_back_as_what_they_were(running: App, settings: Settings) -> None:
    async with connect.open_control(settings) as control:
        with pytest.raises(UnknownNode, match="no node called 'nobody'"):
            await control.call(nodes.show_node, Named(name="nobody"))
        with pytest.raises(NotFound):
            await control.call(people.revoke_token, RevokeToken(id=7))
        with pytest.raises(UnknownNode):
            async for _ in control.generate(ChatRequest(ModelName("m"), (Message("user", "x"),)), NodeName("nobody")):
                pass
    del running


async def test_a_token_has_its_owners_rights(running: App) -> None:
    await running.people.add_user("Ann", Role.MEMBER)
    token, _ = await running.people.create_token(LOCAL, "t", for_user="Ann")
    there = Settings(url=running.base_url, token=SecretStr(token))
    async with connect.open_control(there) as control:
        assert (await control.call(people.who_am_i, Nothing())).name == "Ann"
        row = await control.call(tasks.add_task, AddTask(title="call Bob"))
        for states in ([], ["open"], ["open", "done"]):
            assert await control.call(tasks.list_tasks, convert({"states": states}, ListTasks)) == [row]
        with pytest.raises(Forbidden):
            await control.call(people.list_users, Nothing())
        with pytest.raises(NoNodeOnline, match="no node yet"):
            async for _ in control.generate(ChatRequest(ModelName("m"), (Message("user", "x"),))):
                pass
    async with connect.remote_control(running.base_url, None) as stranger:
        with pytest.raises(Unauthenticated):
            await stranger.call(people.who_am_i, Nothing())


@pytest.mark.parametrize("text", ["", "{", "[]", '{"url": 1}', json.dumps({"url": "http://127.0.0.1:1", "token": "x"})])
def test_what_a_dead_house_left_behind_is_not_believed(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    assert connect.find_running(tmp_path) is None
