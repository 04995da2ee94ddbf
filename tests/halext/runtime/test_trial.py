from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from halext.nodes.types import Node
from halext.runtime.app import App
from halext.runtime.trial import try_endpoint
from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama
from halext.types import EndpointId, NodeName
from halext.upstream import Endpoint

Make = Callable[..., Awaitable[FakeOllama]]


async def steps(app: App, fake: FakeOllama, model: str | None = None) -> list[tuple[str, bool]]:
    endpoint = Endpoint(EndpointId("mac"), NodeName("mac"), "ollama", fake.url)
    await app.registry.add(Node(NodeName("mac"), (endpoint,)))
    report = await try_endpoint(app, endpoint, model)
    assert report.ok == all(step.ok for step in report.steps)
    return [(step.name, step.ok) for step in report.steps]


async def test_all_the_way(app: App, fake_ollama: Make) -> None:
    assert await steps(app, await fake_ollama(), "llama3.2:3b") == [
        ("name", True),
        ("address", True),
        ("connect", True),
        ("auth", True),
        ("protocol", True),
        ("model list", True),
        ("first token", True),
    ]


async def test_a_closed_door_is_auth(app: App, fake_ollama: Make) -> None:
    fake = await fake_ollama(require_header=("authorization", "Bearer x"))
    assert (await steps(app, fake))[-1] == ("auth", False)


async def test_a_server_that_stumbles_is_protocol(app: App, fake_ollama: Make) -> None:
    fake = await fake_ollama()
    fake.faults.at("head", "garbage", times=None, path="/api/tags")
    assert (await steps(app, fake))[-1] == ("protocol", False)


async def test_an_empty_server_is_model_list(app: App, fake_ollama: Make) -> None:
    assert (await steps(app, await fake_ollama([])))[-1] == ("model list", False)


async def test_a_model_that_fails_is_first_token(app: App, fake_ollama: Make) -> None:
    fake = await fake_ollama()
    fake.faults.at("head", "error", times=None, path="/api/chat")
    assert (await steps(app, fake))[-1] == ("first token", False)


async def test_a_model_that_is_not_there(app: App, fake_ollama: Make) -> None:
    assert (await steps(app, await fake_ollama(), "nope"))[-1] == ("first token", False)


@pytest.mark.parametrize("capability", ["embedding"])
async def test_a_server_that_only_embeds_is_fine(app: App, fake_ollama: Make, capability: str) -> None:
    fake = await fake_ollama([FakeModel("nomic-embed-text", capabilities=(capability,))])
    assert (await steps(app, fake))[-1] == ("first token", True)
