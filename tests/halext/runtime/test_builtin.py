from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from halext.nodes.types import Node, Status
from halext.runtime import builtin
from halext.runtime.app import App
from halext.runtime.settings import Settings
from halext.runtime.wiring import open_app
from halext.testing.ollama import FakeOllama
from halext.types import EndpointId, NodeName
from halext.upstream import Endpoint


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture(autouse=True)
def _nobody_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builtin, "HERE", "http://127.0.0.1:1")


async def test_an_ollama_of_this_machine_becomes_a_node(
    app: App, said: list[str], fake_ollama: Callable[..., Awaitable[FakeOllama]], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = await fake_ollama()
    monkeypatch.setattr(builtin, "HERE", fake.url)
    assert await builtin.provide(app, said.append) is None
    assert [node.name for node in app.registry.nodes()] == ["this-machine"]
    assert "Ollama" in said[0]
    await builtin.provide(app, said.append)
    assert len(app.registry.nodes()) == 1


async def test_without_leave_nothing_is_started(app: App, said: list[str]) -> None:
    assert app.settings.demo is False
    assert await builtin.provide(app, said.append) is None
    assert app.registry.nodes() == []


async def test_the_built_in_model_is_a_node_while_it_runs(settings: Settings, said: list[str]) -> None:
    async with open_app(settings.model_copy(update={"demo": True})) as app:
        model = await builtin.provide(app, said.append)
        assert model is not None
        async with asyncio.timeout(60):
            await model.child.wait_ready()
            while app.registry.state(EndpointId("builtin")).health.status is not Status.HEALTHY:
                await app.prober.look(EndpointId("builtin"))
        (node,) = app.registry.nodes()
        assert node.builtin
        pid = model.child.pid
    assert pid is not None
    assert model.child.pid is None


async def test_who_has_a_node_needs_no_other(settings: Settings, said: list[str]) -> None:
    old = Node(
        NodeName("builtin"),
        (Endpoint(EndpointId("builtin"), NodeName("builtin"), "openai", "http://127.0.0.1:2"),),
        builtin=True,
    )
    mac = Node(NodeName("mac"), (Endpoint(EndpointId("mac"), NodeName("mac"), "ollama", "http://127.0.0.1:3"),))
    async with open_app(settings.model_copy(update={"demo": True})) as app:
        await app.registry.add(old)
        await app.registry.add(mac)
        assert await builtin.provide(app, said.append) is None
        assert [node.name for node in app.registry.nodes()] == ["mac"]


async def test_missing_packages_are_said(settings: Settings, said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builtin, "builtin_missing", lambda: "It needs the package x.")
    async with open_app(settings.model_copy(update={"demo": True})) as app:
        assert await builtin.provide(app, said.append) is None
    assert "needs the package x" in said[0]
