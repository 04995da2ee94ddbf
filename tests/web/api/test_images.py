"""OpenAI's own client asks a running door for pictures, made by a fake Stable Diffusion."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from halext.accounts.types import LOCAL, Role
from halext.images.inscription import recipe_of
from halext.runtime.app import App
from halext.runtime.settings import Settings
from halext.runtime.shapes import AddNode, CreateToken
from halext.runtime.verbs.nodes import add_node
from halext.runtime.verbs.people import create_token
from halext.runtime.wiring import open_app
from halext.testing.automatic1111 import FakeAutomatic1111
from tests.web.conftest import listening

Start = Callable[..., Awaitable[FakeAutomatic1111]]
SMALL: Any = "64x64"  # the client lists OpenAI's sizes only


@pytest.fixture
async def pc(fake_automatic1111: Start) -> FakeAutomatic1111:
    return await fake_automatic1111(["dreamshaper_8"])


@pytest.fixture
async def app(tmp_path: Path, pc: FakeAutomatic1111) -> AsyncIterator[App]:
    async with open_app(Settings(data_dir=tmp_path / "data", demo=False, port=0)) as app:
        await add_node(app, LOCAL, AddNode(name="pc", urls=[pc.url]))
        await app.people.add_user("Mia", Role.MEMBER)
        async with listening(app):
            yield app


@pytest.fixture
async def token(app: App) -> str:
    return (await create_token(app, LOCAL, CreateToken(name="pictures", user="Mia"))).token


@pytest.fixture
async def client(app: App, token: str) -> AsyncIterator[openai.AsyncOpenAI]:
    http = openai.DefaultAsyncHttpxClient(verify=False)  # plain http; loading certificates takes 30 ms each time
    async with openai.AsyncOpenAI(
        base_url=f"{app.base_url}/v1", api_key=token, max_retries=0, http_client=http
    ) as client:
        yield client


async def test_pictures(client: openai.AsyncOpenAI) -> None:
    answer = await client.images.with_raw_response.generate(
        prompt="a lighthouse", n=2, size=SMALL, extra_body={"seed": 7, "steps": 4}
    )
    assert (answer.headers["x-halext-node"], answer.headers["x-halext-model"]) == ("pc", "dreamshaper_8")
    found = answer.parse()
    assert found.data is not None
    assert found.size is not None
    recipes = [recipe_of(base64.b64decode(item.b64_json or "")) for item in found.data]
    assert [(recipe.prompt, recipe.seed, recipe.width) for recipe in recipes if recipe] == [
        ("a lighthouse", 7, 64),
        ("a lighthouse", 8, 64),
    ]


async def test_errors_in_openais_shape(client: openai.AsyncOpenAI, pc: FakeAutomatic1111) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        await client.images.generate(prompt="x", model="dall-e-3")
    assert unknown.value.code == "unknown_model"
    with pytest.raises(openai.UnprocessableEntityError, match="multiples of 8") as wrong:
        await client.images.generate(prompt="x", size="63x64")
    assert wrong.value.code == "invalid_input"
    pc.faults.at(1, "oom")
    with pytest.raises(openai.InternalServerError, match="ran out of memory"):
        await client.images.generate(prompt="x", size=SMALL)


async def test_the_node_that_a_client_insists_on(app: App, client: openai.AsyncOpenAI) -> None:
    wish: Any = {"prompt": "x", "size": SMALL, "extra_body": {"steps": 1}}
    assert (await client.images.generate(**wish, extra_headers={"X-Halext-Node": "pc"})).data
    with pytest.raises(openai.NotFoundError) as unknown:
        await client.images.generate(**wish, extra_headers={"X-Halext-Node": "mac"})
    assert unknown.value.code == "unknown_node"


async def test_nobody_makes_pictures(app: App, client: openai.AsyncOpenAI) -> None:
    await app.registry.remove("pc")
    with pytest.raises(openai.InternalServerError, match="halext node add") as caught:
        await client.images.generate(prompt="x")
    assert (caught.value.status_code, caught.value.code) == (503, "no_node_makes_pictures")


async def test_a_client_that_leaves_cancels_its_job(app: App, token: str, pc: FakeAutomatic1111) -> None:
    body = {"prompt": "x", "size": "2048x2048", "steps": 150}
    async with httpx.AsyncClient(base_url=app.base_url, verify=False, timeout=1) as http:
        with pytest.raises(httpx.ReadTimeout):
            await http.post("/v1/images/generations", json=body, headers={"Authorization": f"Bearer {token}"})
    await pc.timeline.wait_for("done")
    assert pc.machine.state.interrupted


async def test_a_stranger_makes_none(app: App) -> None:
    async with httpx.AsyncClient(base_url=app.base_url, verify=False) as http:
        assert (await http.post("/v1/images/generations", json={"prompt": "x"})).status_code == 401
