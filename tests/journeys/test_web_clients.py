"""The clients that people have, at a whole halext with two computers behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import ollama
import openai
import pytest

from halext.accounts.types import LOCAL
from halext.runtime.app import App
from halext.runtime.settings import Settings
from halext.runtime.shapes import AddNode
from halext.runtime.verbs.nodes import add_node
from halext.runtime.wiring import open_app
from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama
from halext_web.service import WebService

MODEL = "llama3.2:3b"
SCRIPT = ("The", " light", " turns", ".")
ASKED = [{"role": "user", "content": "What does a lighthouse do?"}]
PATIENCE_S = 10.0


@dataclass
class Fleet:
    """A halext that listens, its computers, and a token for it."""

    app: App
    mac: FakeOllama
    pc: FakeOllama
    token: str

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.app.base_url


@pytest.fixture
async def fleet(tmp_path: Path, fake_ollama: Callable[..., Awaitable[FakeOllama]]) -> AsyncIterator[Fleet]:
    """The mac has the model only; the pc has it too, and one for embeddings."""
    model = FakeModel(MODEL, script=SCRIPT)
    embedder = FakeModel("nomic-embed-text:latest", capabilities=("embedding",), embedding_length=4)
    mac, pc = await fake_ollama([model], slots=2), await fake_ollama([model, embedder], slots=2)
    ready = asyncio.Event()
    async with open_app(Settings(data_dir=tmp_path / "data", port=0)) as app:
        await add_node(app, LOCAL, AddNode(name="mac", urls=[mac.url]))
        await add_node(app, LOCAL, AddNode(name="pc", urls=[pc.url]))
        await app.people.claim_first_admin(await app.people.first_admin_code() or "", "Ada", "correct horse")
        session, _ = await app.people.sign_in("Ada", "correct horse")
        token, _ = await app.people.create_token(await app.people.caller_for(session), "clients")
        door = asyncio.get_running_loop().create_task(WebService().run(app, lambda line: ready.set()))
        async with asyncio.timeout(PATIENCE_S):
            await ready.wait()
        yield Fleet(app, mac, pc, token)
        door.cancel()
        await asyncio.gather(door, return_exceptions=True)


async def test_openais_client(fleet: Fleet) -> None:
    async with openai.AsyncOpenAI(base_url=f"{fleet.url}/v1", api_key=fleet.token, max_retries=0) as client:
        assert [model.id async for model in client.models.list()] == [MODEL, "nomic-embed-text:latest"]
        stream = await client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "Hi"}], stream=True
        )
        assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == "".join(SCRIPT)
        vectors = await client.embeddings.create(model="nomic-embed-text", input=["a", "b"])
        assert [len(item.embedding) for item in vectors.data] == [4, 4]


async def test_ollamas_client(fleet: Fleet) -> None:
    async with ollama.AsyncClient(host=fleet.url, headers={"Authorization": f"Bearer {fleet.token}"}) as client:
        assert [model.model for model in (await client.list()).models] == [MODEL, "nomic-embed-text:latest"]
        answer = await client.chat(MODEL, ASKED)
        assert answer.message.content == "".join(SCRIPT)
        await fleet.app.prober.refresh(max_age_s=0)
        assert [model.model for model in (await client.ps()).models] == [MODEL]
        assert (await client.show(MODEL)).capabilities
        with pytest.raises(ollama.ResponseError) as refused:
            await client.pull("llama3:70b")
        assert refused.value.status_code == 403
    assert not [request for node in (fleet.mac, fleet.pc) for request in node.requests if request.path == "/api/pull"]


async def test_a_node_that_dies_before_its_first_word_is_not_noticed(fleet: Fleet) -> None:
    fleet.mac.faults.at("first_token", "reset", times=None)
    async with httpx.AsyncClient(base_url=fleet.url, headers={"Authorization": f"Bearer {fleet.token}"}) as client:
        answers = [await client.post("/api/chat", json={"model": MODEL, "messages": ASKED}) for _ in range(3)]
    for answer in answers:
        lines = [json.loads(line) for line in answer.text.splitlines()]
        assert "".join(line["message"]["content"] for line in lines) == "".join(SCRIPT)
        assert lines[-1]["halext"]["node"] == answer.headers["x-halext-node"] == "pc"


async def test_a_node_that_dies_in_the_middle_is_told(fleet: Fleet) -> None:
    for node in (fleet.mac, fleet.pc):
        node.faults.at(3, "reset")
    async with openai.AsyncOpenAI(base_url=f"{fleet.url}/v1", api_key=fleet.token, max_retries=0) as client:
        stream = await client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "Hi"}], stream=True
        )
        first = [(await anext(stream)).choices[0].delta.content for _ in range(3)]
        with pytest.raises(openai.APIError) as broken:
            await anext(stream)
    assert (first, broken.value.code) == (["", "The", " light"], "interrupted")


async def test_who_leaves_frees_the_node(fleet: Fleet) -> None:
    for node in (fleet.mac, fleet.pc):
        node.faults.at(2, "stall")
    headers = {"Authorization": f"Bearer {fleet.token}", "X-Halext-Node": "mac"}
    async with httpx.AsyncClient(base_url=fleet.url, headers=headers) as client:
        body = {"model": MODEL, "messages": ASKED}
        async with client.stream("POST", "/api/chat", json=body) as answer:
            assert "The" in await anext(answer.aiter_lines())
        await fleet.mac.timeline.wait_for("cancelled")


async def test_what_was_used_is_in_the_books(fleet: Fleet) -> None:
    headers = {"Authorization": f"Bearer {fleet.token}"}
    async with httpx.AsyncClient(base_url=fleet.url, headers=headers) as client:
        await client.post("/v1/chat/completions", json={"model": MODEL, "messages": ASKED})
        (row,) = (await client.get("/hx/usage")).json()
    assert (row["user"], row["model"], row["requests"], row["completion_tokens"]) == ("Ada", MODEL, 1, len(SCRIPT))
