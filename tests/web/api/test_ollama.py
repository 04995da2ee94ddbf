"""Ollama's own client, pointed at halext."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import httpx
import ollama
import pytest

from halext.errors import Interrupted

if TYPE_CHECKING:
    from tests.web.conftest import House

MODEL = "llama3.2:3b"


@pytest.fixture
async def client(house: House) -> AsyncIterator[ollama.AsyncClient]:
    async with ollama.AsyncClient(host=house.url, headers=house.auth) as client:
        yield client


async def test_chat(client: ollama.AsyncClient) -> None:
    answer = await client.chat(MODEL, [{"role": "user", "content": "Hi"}])
    assert answer.message.content == "Hello"
    assert answer.done
    assert (answer.prompt_eval_count, answer.eval_count) == (7, 2)


async def test_the_token_may_be_the_password_in_the_address(house: House) -> None:
    host = house.url.replace("http://", f"http://any:{house.token}@")
    async with httpx.AsyncClient(base_url=host) as plain:
        assert (await plain.get("/api/tags")).status_code == 200


async def test_stream(client: ollama.AsyncClient) -> None:
    stream = await client.chat(MODEL, [{"role": "user", "content": "Hi"}], stream=True)
    parts = [part async for part in stream]
    assert "".join(part.message.content or "" for part in parts) == "Hello"
    assert [part.done for part in parts] == [False, False, True]
    assert parts[-1].done_reason == "stop"


async def test_a_stream_that_dies_raises(house: House, client: ollama.AsyncClient) -> None:
    house.script.errors[1] = Interrupted("mac stopped midway.", node="mac")
    stream = await client.chat(MODEL, [{"role": "user", "content": "Hi"}], stream=True)
    assert (await anext(stream)).message.content == "Hel"
    with pytest.raises(ollama.ResponseError, match="mac stopped midway"):
        await anext(stream)


async def test_generate(client: ollama.AsyncClient) -> None:
    answer = await client.generate(MODEL, "Hi")
    assert answer.response == "Hello"


@pytest.mark.parametrize(("keep_alive", "reason"), [(None, "load"), ("10m", "load"), (0, "unload")])
async def test_loading_and_unloading_is_heard_but_not_obeyed(
    house: House, client: ollama.AsyncClient, keep_alive: str | int | None, reason: str
) -> None:
    answer = await client.generate(MODEL, keep_alive=keep_alive)
    assert (answer.done, answer.done_reason) == (True, reason)
    assert house.script.requests == []
    with pytest.raises(ollama.ResponseError) as caught:
        await client.generate("nobody:1b")
    assert caught.value.status_code == 404


async def test_embed(client: ollama.AsyncClient) -> None:
    reply = await client.embed("nomic-embed-text", ["a", "four"])
    assert [list(vector) for vector in reply.embeddings] == [[0.5, 1.0], [0.5, 4.0]]
    older = await client.embeddings("nomic-embed-text", "four")
    assert list(older.embedding) == [0.5, 4.0]


async def test_lists(client: ollama.AsyncClient, member: httpx.AsyncClient) -> None:
    assert [model.model for model in (await client.list()).models] == [MODEL, "nomic-embed-text:latest"]
    assert [model.model for model in (await client.ps()).models] == [MODEL]
    assert (await client.show(MODEL)).template == "{{ .Prompt }}"
    version = (await member.get("/api/version")).json()["version"]
    assert "halext" in version
    assert (await member.head("/")).status_code == 200


@pytest.mark.parametrize("method", ["pull", "push", "create", "copy", "delete"])
async def test_models_are_not_changed_by_clients(member: httpx.AsyncClient, method: str) -> None:
    verb = "DELETE" if method == "delete" else "POST"
    answer = await member.request(verb, f"/api/{method}", json={"model": MODEL})
    assert (answer.status_code, answer.json()["code"]) == (403, "not_offered")
    assert "administrator" in answer.json()["error"]


async def test_blobs_are_not_taken(member: httpx.AsyncClient) -> None:
    assert (await member.post("/api/blobs/sha256:abc", content=b"x")).status_code == 403


async def test_auto_says_which_model_it_was(client: ollama.AsyncClient) -> None:
    assert (await client.chat("auto", [{"role": "user", "content": "Hi"}])).model == MODEL
