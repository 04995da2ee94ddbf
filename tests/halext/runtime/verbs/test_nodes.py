from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from halext.accounts.types import LOCAL, Caller, Role
from halext.errors import (
    AlreadyExists,
    BadAnswer,
    Forbidden,
    InvalidInput,
    KeyRefused,
    NoNodeHasModel,
    RequestRefused,
    UnknownNode,
    UnknownSecret,
    Unreachable,
)
from halext.hosts.llama import free_port
from halext.messages import ChatRequest, Message
from halext.runtime.app import App
from halext.runtime.control import LocalControl
from halext.runtime.shapes import AddNode, DrainNode, Named, Nothing, TryNode, UnloadModel
from halext.runtime.verbs import nodes
from halext.runtime.verbs.models import list_models
from halext.testing.automatic1111 import FakeAutomatic1111
from halext.testing.ollama import FakeOllama
from halext.testing.openai import FakeOpenAI
from halext.types import ModelName, SecretRef

Fake = TypeVar("Fake")
Make = Callable[..., Awaitable[Fake]]


async def ask(control: LocalControl, model: str) -> str:
    answer = control.generate(ChatRequest(ModelName(model), (Message("user", "hello"),)))
    return "".join([chunk.text async for chunk in answer])


async def test_a_node_is_added_seen_and_asked(control: LocalControl, fake_ollama: Make[FakeOllama]) -> None:
    mac = await fake_ollama(models=["llama3.2:3b"])
    info = await control.call(nodes.add_node, AddNode(name="mac", urls=[mac.url], tags=["quiet"], memory_bytes=8))
    assert (info.name, info.status, info.tags, info.memory_bytes) == ("mac", "healthy", ["quiet"], 8)
    (endpoint,) = info.endpoints
    assert (endpoint.id, endpoint.kind, endpoint.url, endpoint.models) == ("mac", "ollama", mac.url, ["llama3.2:3b"])
    assert await ask(control, "LLAMA3.2:3B")
    assert [node.name for node in await control.call(nodes.list_nodes, Nothing())] == ["mac"]
    assert (await control.call(nodes.show_node, Named(name="mac"))).endpoints[0].loaded in ([], ["llama3.2:3b"])


async def test_kinds_are_found_out(
    control: LocalControl, fake_ollama: Make[FakeOllama], fake_openai: Make[FakeOpenAI]
) -> None:
    urls = [(await fake_ollama()).url, (await fake_openai()).url]
    info = await control.call(nodes.add_node, AddNode(name="pc", urls=urls))
    assert [endpoint.kind for endpoint in info.endpoints] == ["ollama", "openai"]
    assert len({endpoint.id for endpoint in info.endpoints}) == 2


async def test_a_gaming_pc_is_one_node_that_chats_and_makes_pictures(
    control: LocalControl, fake_ollama: Make[FakeOllama], fake_automatic1111: Make[FakeAutomatic1111]
) -> None:
    ollama, web_ui = await fake_ollama(models=["llama3.2:3b"]), await fake_automatic1111(["dreamshaper_8"])
    info = await control.call(nodes.add_node, AddNode(name="pc", urls=[ollama.url, web_ui.url]))
    assert [(endpoint.kind, endpoint.status) for endpoint in info.endpoints] == [
        ("ollama", "healthy"),
        ("automatic1111", "healthy"),
    ]
    rows = {row.name: row for row in await control.call(list_models, Nothing())}
    assert rows["dreamshaper_8"].capabilities == ["image"]
    assert rows["dreamshaper_8"].places[0].loaded
    assert await ask(control, "")  # a question that names no model never lands on the one for pictures
    with pytest.raises(RequestRefused, match="makes pictures"):
        await ask(control, "dreamshaper_8")
    reports = await control.call(nodes.try_node, TryNode(name="pc"))
    assert all(report.ok for report in reports)


async def test_endpoints_are_added_to_a_known_node(control: LocalControl, fake_ollama: Make[FakeOllama]) -> None:
    first, second = await fake_ollama(), await fake_ollama()
    await control.call(nodes.add_node, AddNode(name="mac", urls=[first.url]))
    info = await control.call(nodes.add_node, AddNode(name="mac", urls=[second.url]))
    assert [endpoint.url for endpoint in info.endpoints] == [first.url, second.url]
    with pytest.raises(AlreadyExists, match="belongs to the node 'mac'"):
        await control.call(nodes.add_node, AddNode(name="other", urls=[first.url]))


async def test_headers_go_to_the_vault_and_to_the_node(
    app: App, control: LocalControl, fake_ollama: Make[FakeOllama]
) -> None:
    locked = await fake_ollama(require_header=("authorization", "Bearer let-me-in"))
    add = AddNode(name="mac", urls=[locked.url], headers={"Authorization": "Bearer let-me-in"})
    info = await control.call(nodes.add_node, add)
    assert info.status == "healthy"
    assert info.endpoints[0].has_headers
    assert "let-me-in" not in repr(info) + repr(app.registry.states())
    assert json.loads(await app.vault.reveal(SecretRef("node/mac/headers"), purpose="a test")) == {
        "Authorization": "Bearer let-me-in"
    }
    await control.call(nodes.remove_node, Named(name="mac"))
    with pytest.raises(UnknownSecret):
        await app.vault.reveal(SecretRef("node/mac/headers"), purpose="a test")


async def test_a_node_whose_headers_are_gone_already_is_removed(
    app: App, control: LocalControl, fake_ollama: Make[FakeOllama]
) -> None:
    await control.call(nodes.add_node, AddNode(name="mac", urls=[(await fake_ollama()).url], headers={"x-key": "y"}))
    await app.vault.remove(SecretRef("node/mac/headers"))
    await control.call(nodes.remove_node, Named(name="mac"))
    assert app.registry.nodes() == []


async def test_a_node_that_is_off_is_refused_unless_its_kind_is_said(app: App, control: LocalControl) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    headers = {"Authorization": "Bearer x"}
    with pytest.raises(Unreachable) as failure:
        await control.call(nodes.add_node, AddNode(name="pc", urls=[url], headers=headers))
    assert "pc" in failure.value.message
    assert app.registry.nodes() == []
    assert await app.vault.list() == ()
    info = await control.call(nodes.add_node, AddNode(name="pc", urls=[url], kind="ollama", headers=headers))
    assert info.status != "healthy"
    assert "refuses the connection" in info.endpoints[0].reason


async def test_a_wrong_key_is_said(control: LocalControl, fake_ollama: Make[FakeOllama]) -> None:
    locked = await fake_ollama(require_header=("authorization", "Bearer right"))
    add = AddNode(name="mac", urls=[locked.url], headers={"Authorization": "Bearer wrong"})
    with pytest.raises(KeyRefused) as failure:
        await control.call(nodes.add_node, add)
    assert "wrong" not in failure.value.message
    info = await control.call(
        nodes.add_node, AddNode(name="mac", urls=[locked.url], kind="ollama", headers={"Authorization": "Bearer wrong"})
    )
    assert info.status == "misconfigured"


async def test_the_wrong_kind_is_said(control: LocalControl, fake_ollama: Make[FakeOllama]) -> None:
    mac = await fake_ollama()
    info = await control.call(nodes.add_node, AddNode(name="mac", urls=[mac.url], kind="openai"))
    assert info.status in {"degraded", "misconfigured"}
    (report,) = await control.call(nodes.try_node, TryNode(name="mac"))
    assert not report.ok
    assert report.steps[-1].name == "protocol"


@pytest.mark.parametrize("name", ["", "Mac", "a b", "-x", "x" * 64, "a/b", "ä", "..", "a\n"])
async def test_names_that_are_none(control: LocalControl, name: str) -> None:
    with pytest.raises(InvalidInput, match="name for a node"):
        await control.call(nodes.add_node, AddNode(name=name, urls=["http://127.0.0.1:1"], kind="ollama"))


@pytest.mark.parametrize(
    "url", ["", "ftp://x", "http://u:p@x", "http://x/path", "http://x?q", "http://0x7f.1", "http://x:0"]
)
async def test_addresses_that_are_none(control: LocalControl, url: str) -> None:
    with pytest.raises(InvalidInput) as failure:
        await control.call(nodes.add_node, AddNode(name="mac", urls=[url], kind="ollama"))
    assert "u:p" not in failure.value.message


async def test_something_else_answers(control: LocalControl, fake_ollama: Make[FakeOllama]) -> None:
    stranger = await fake_ollama()
    for path in ("/hx/me", "/api/version", "/v1/models"):
        stranger.faults.at("head", "error", times=None, path=path, status=404)
    with pytest.raises(BadAnswer, match="neither as Ollama nor as an OpenAI-like server"):
        await control.call(nodes.add_node, AddNode(name="mac", urls=[stranger.url]))


async def test_cordon_drain_and_back(control: LocalControl, fake_ollama: Make[FakeOllama]) -> None:
    mac = await fake_ollama(models=["m"])
    await control.call(nodes.add_node, AddNode(name="mac", urls=[mac.url]))
    assert (await control.call(nodes.cordon_node, Named(name="mac"))).status == "cordoned"
    with pytest.raises(NoNodeHasModel, match="mac is cordoned"):
        await ask(control, "m")
    assert (await control.call(nodes.uncordon_node, Named(name="mac"))).status == "healthy"
    assert await ask(control, "m")
    drained = await control.call(nodes.drain_node, DrainNode(name="mac", for_s=3600))
    assert drained.status == "draining"
    assert drained.cordon_until is not None


async def test_the_test_names_every_step(control: LocalControl, fake_ollama: Make[FakeOllama]) -> None:
    mac = await fake_ollama(models=["m"])
    await control.call(nodes.add_node, AddNode(name="mac", urls=[mac.url]))
    (report,) = await control.call(nodes.try_node, TryNode(name="mac"))
    assert report.ok
    names = ["name", "address", "connect", "auth", "protocol", "model list", "first token"]
    assert [step.name for step in report.steps] == names
    await mac.kill()
    (report,) = await control.call(nodes.try_node, TryNode(name="mac"))
    assert not report.ok
    assert report.steps[-1].name == "connect"


async def test_unloading(control: LocalControl, fake_ollama: Make[FakeOllama]) -> None:
    mac = await fake_ollama(models=["m"], keep_alive_s=1e7)
    await control.call(nodes.add_node, AddNode(name="mac", urls=[mac.url]))
    await ask(control, "m")
    await control.call(nodes.unload_model, UnloadModel(name="mac", model="m"))
    entry = await mac.timeline.wait_for("evict")
    assert entry.detail == "unload"
    with pytest.raises(InvalidInput, match="does not have the model 'x'"):
        await control.call(nodes.unload_model, UnloadModel(name="mac", model="x"))


async def test_a_node_that_is_not_there(control: LocalControl) -> None:
    nobody = Named(name="nobody")
    for call in (
        control.call(nodes.show_node, nobody),
        control.call(nodes.cordon_node, nobody),
        control.call(nodes.uncordon_node, nobody),
        control.call(nodes.remove_node, nobody),
    ):
        with pytest.raises(UnknownNode, match="no node called 'nobody'"):
            await call


async def test_members_may_look_and_not_touch(app: App) -> None:
    member = LocalControl(app, Caller("m", Role.MEMBER, "token"))
    assert await member.call(nodes.list_nodes, Nothing()) == []
    with pytest.raises(Forbidden, match="manage-nodes"):
        await member.call(nodes.add_node, AddNode(name="mac", urls=["http://127.0.0.1:1"]))
    assert LOCAL.role is Role.ADMIN
