from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import ollama
import pytest

from halext.testing.clock import ScaledClock
from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama

EMBEDDER = FakeModel("nomic-embed-text", capabilities=("embedding",), embedding_length=4)


@pytest.fixture
async def fake() -> AsyncIterator[FakeOllama]:
    async with FakeOllama(
        [FakeModel("llama3.2:3b", parameters={"temperature": 0.5}), EMBEDDER],
        library=["tinyllama"],
        keep_alive_s=1e7,
        clock=ScaledClock(1000),
    ) as server:
        yield server


@pytest.fixture
async def http(fake: FakeOllama) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=fake.url, verify=False) as client:
        yield client


@pytest.fixture
async def client(fake: FakeOllama) -> AsyncIterator[ollama.AsyncClient]:
    one = ollama.AsyncClient(fake.url, verify=False)
    yield one
    await one._client.aclose()


async def test_it_says_that_it_runs(http: httpx.AsyncClient) -> None:
    assert (await http.get("/")).text == "Ollama is running"
    assert (await http.head("/")).status_code == 200
    assert (await http.get("/api/version")).json() == {"version": "0.33.0"}


async def test_the_official_client_lists_and_shows_models(client: ollama.AsyncClient) -> None:
    listed = await client.list()
    assert [model.model for model in listed.models] == ["llama3.2:3b", "nomic-embed-text:latest"]
    newest, older = listed.models
    assert newest.modified_at
    assert older.modified_at
    assert newest.modified_at > older.modified_at
    assert newest.digest
    assert len(newest.digest) == 64
    shown = await client.show("LLAMA3.2:3B")  # case does not matter
    assert shown.capabilities == ["completion", "tools"]
    assert shown.modelinfo
    assert shown.modelinfo["llama.context_length"] == 131_072
    assert shown.parameters == f"{'temperature':<30} 0.5"


async def test_ps_shows_what_is_in_memory_longest_expiry_first(client: ollama.AsyncClient, fake: FakeOllama) -> None:
    assert (await client.ps()).models == []
    await client.generate("llama3.2:3b", keep_alive=-1)
    await client.embed("nomic-embed-text", "x", keep_alive="200h")
    for_ever, soon = (await client.ps()).models
    assert (for_ever.name, soon.name) == ("llama3.2:3b", "nomic-embed-text:latest")
    assert for_ever.expires_at
    assert for_ever.expires_at.year > 2300
    assert soon.expires_at
    left_s = soon.expires_at.timestamp() - fake.clock.now()
    assert 0 < left_s <= 200 * 3600
    assert (for_ever.size, for_ever.size_vram, for_ever.context_length) == (2 * 10**9, 2 * 10**9, 4096)
    assert fake.loaded == ["llama3.2:3b", "nomic-embed-text:latest"]


async def test_unload_answers_at_once_and_the_model_goes(client: ollama.AsyncClient, fake: FakeOllama) -> None:
    loaded = await client.generate("llama3.2:3b")
    assert (loaded.done_reason, loaded.total_duration) == ("load", None)
    unloaded = await client.generate("llama3.2:3b", keep_alive=0)
    assert (unloaded.done, unloaded.done_reason, unloaded.total_duration) == (True, "unload", None)
    assert (await client.ps()).models == []


async def test_pull_copy_and_delete(client: ollama.AsyncClient, http: httpx.AsyncClient, fake: FakeOllama) -> None:
    states = [state async for state in await client.pull("tinyllama", stream=True)]
    assert states[0].status == "pulling manifest"
    assert states[-1].status == "success"
    assert [state.completed for state in states if state.completed][-1] == 2 * 10**9
    assert (await client.pull("tinyllama")).status == "success"
    await client.copy("tinyllama", "mine")
    assert (await client.delete("tinyllama")).status == "success"
    assert (await client.list()).models[0].model == "mine:latest"
    answer = await http.request("DELETE", "/api/delete", json={"model": "mine"})
    assert (answer.status_code, answer.content) == (200, b"")
    with pytest.raises(ollama.ResponseError, match="model 'mine' not found"):
        await client.delete("mine")
    with pytest.raises(ollama.ResponseError, match="file does not exist"):
        await client.pull("nobody-has-it")
    streamed = await http.post("/api/pull", json={"model": "nobody-has-it"})
    assert streamed.status_code == 200
    assert json.loads(streamed.text.splitlines()[-1]) == {"error": "pull model manifest: file does not exist"}


async def test_a_pull_ends_with_its_client(fake: FakeOllama) -> None:
    fake.pull_s = 1e6
    reader, writer = await asyncio.open_connection("127.0.0.1", int(fake.url.rpartition(":")[2]))
    writer.write(b'POST /api/pull HTTP/1.1\r\nContent-Length: 21\r\n\r\n{"model":"tinyllama"}')
    await reader.readuntil(b"total")
    writer.close()
    await fake.timeline.wait_for("cancelled")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/api/chat", 405), ("POST", "/api/tags", 405), ("GET", "/debug/pprof", 404), ("POST", "/api/push", 404)],
)
async def test_other_methods_and_paths(http: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    answer = await http.request(method, path, json={} if method == "POST" else None)
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "missing request body"),
        (b"{", "invalid character"),
        (b"[1]", "cannot unmarshal"),
        (b'{"model":"llama3.2:3b","keep_alive":"300"}', 'time: missing unit in duration "300"'),
        (b'{"messages":[]}', "model is required"),
    ],
)
async def test_bodies_that_can_not_be_read(http: httpx.AsyncClient, body: bytes, text: str) -> None:
    answer = await http.post("/api/chat", content=body)
    assert answer.status_code == 400
    assert text in answer.json()["error"]


async def test_every_request_is_remembered(client: ollama.AsyncClient, fake: FakeOllama) -> None:
    await client.chat("llama3.2:3b", [{"role": "user", "content": "hi"}])
    seen = fake.requests[-1]
    assert (seen.method, seen.path) == ("POST", "/api/chat")
    assert seen.json()["messages"][0]["content"] == "hi"
    assert "ollama-python" in seen.headers["user-agent"]


async def test_a_key_can_be_required() -> None:
    async with (
        FakeOllama(require_header=("Authorization", "Bearer right")) as fake,
        httpx.AsyncClient(verify=False) as http,
    ):
        right = {"authorization": "Bearer right"}
        assert (await http.get(f"{fake.url}/api/tags", headers=right)).status_code == 200
        refused = await http.get(f"{fake.url}/api/tags", headers={"authorization": "Bearer wrong"})
        assert (refused.status_code, refused.json()) == (401, {"error": "unauthorized"})


async def test_the_host_rule() -> None:
    async with FakeOllama(host_rule=True) as fake, httpx.AsyncClient(base_url=fake.url, verify=False) as http:
        assert (await http.get("/api/tags")).status_code == 200
        refused = await http.get("/api/tags", headers={"host": "ai.example.org"})
        assert (refused.status_code, refused.content) == (403, b"")
        assert (await http.get("/api/tags", headers={"host": "localhost:11434"})).status_code == 200


@pytest.mark.parametrize(
    ("version", "has_capabilities", "has_context"),
    [("0.9.0", False, False), ("0.13.5", False, True), ("0.33.0-rc2", True, True)],
)
async def test_older_versions_say_less(version: str, *, has_capabilities: bool, has_context: bool) -> None:
    async with FakeOllama(version=version) as fake, httpx.AsyncClient(base_url=fake.url, verify=False) as http:
        await http.post("/api/generate", json={"model": "llama3.2:3b"})
        (tag,) = (await http.get("/api/tags")).json()["models"]
        (row,) = (await http.get("/api/ps")).json()["models"]
        assert ("capabilities" in tag) is has_capabilities
        assert ("context_length" in row) is has_context


@pytest.mark.parametrize(("version", "shows"), [("0.13.5", True), ("0.33.0", False)])
async def test_a_loading_model_shows_only_in_older_versions(version: str, *, shows: bool) -> None:
    slow = FakeModel("slow", load_s=1e6)
    async with FakeOllama([slow], version=version) as fake, httpx.AsyncClient(base_url=fake.url, verify=False) as http:
        loading = asyncio.create_task(http.post("/api/generate", json={"model": "slow"}))
        await fake.timeline.wait_for("load_start")
        assert bool((await http.get("/api/ps")).json()["models"]) is shows
        loading.cancel()
        await fake.timeline.wait_for("load_abort")


async def test_cloud_models_are_listed_and_refused() -> None:
    cloud = FakeModel("big:cloud", remote_host="cloud.test", remote_model="big")
    async with FakeOllama([cloud]) as fake, httpx.AsyncClient(base_url=fake.url, verify=False) as http:
        (row,) = (await http.get("/api/tags")).json()["models"]
        assert (row["remote_host"], row["remote_model"]) == ("cloud.test", "big")
        asked: dict[str, Any] = {"model": "big:cloud", "prompt": "hi"}
        assert (await http.post("/api/generate", json=asked)).status_code == 401


async def test_a_power_cut_empties_the_memory_and_the_same_address_comes_back(fake: FakeOllama) -> None:
    url = fake.url
    async with httpx.AsyncClient(base_url=url, verify=False) as http:
        await http.post("/api/generate", json={"model": "llama3.2:3b"})
        await fake.kill()
        with pytest.raises(httpx.TransportError):
            await http.get("/")
        await fake.start()
        assert fake.url == url
        assert (await http.get("/api/ps")).json() == {"models": []}


async def test_models_come_and_go_while_it_runs(client: ollama.AsyncClient, fake: FakeOllama) -> None:
    fake.remove("llama3.2:3b")
    with pytest.raises(ollama.ResponseError) as refused:
        await client.chat("llama3.2:3b", [{"role": "user", "content": "hi"}])
    assert refused.value.status_code == 404
    fake.add(FakeModel("llama3.2:3b", digest="0" * 64))
    listed = await client.list()
    assert listed.models[0].digest == "0" * 64


async def test_someone_else_can_take_a_slot(client: ollama.AsyncClient, fake: FakeOllama) -> None:
    async with fake.occupied("llama3.2:3b"):
        asked = asyncio.create_task(client.generate("llama3.2:3b", "hi"))
        await fake.timeline.wait_for("wait", count=2)  # the first was the load
        assert not asked.done()
    assert (await asked).done
