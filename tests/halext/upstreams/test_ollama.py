from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from halext.errors import BadAnswer, RequestRefused
from halext.messages import ChatRequest, EmbedRequest, Message, Sampling
from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama
from halext.types import EndpointId, ModelName, NodeName
from halext.upstream import Endpoint
from halext.upstreams.http import Door
from halext.upstreams.ollama import MAX_SHOWS_PER_LOOK, OllamaDriver

Start = Callable[..., Awaitable[FakeOllama]]
MODEL = ModelName("llama3.2:3b")
HELLO = (Message("user", "hello"),)


@pytest.fixture
def driver(door: Door) -> OllamaDriver:
    return OllamaDriver(door)


def on(fake: FakeOllama) -> Endpoint:
    return Endpoint(EndpointId("mac/ollama"), NodeName("mac"), "ollama", fake.url, cidrs=("127.0.0.0/8",))


async def ask(driver: OllamaDriver, fake: FakeOllama, request: ChatRequest) -> Any:
    return [chunk async for chunk in driver.generate(on(fake), request)]


async def test_a_look_sees_what_is_loaded(driver: OllamaDriver, fake_ollama: Start) -> None:
    fake = await fake_ollama([MODEL])
    assert (await driver.look(on(fake))).running == ()
    await ask(driver, fake, ChatRequest(MODEL, HELLO, Sampling(num_ctx=8192)))
    sighting = await driver.look(on(fake))
    assert [(model.name, model.context_length) for model in sighting.running] == [(MODEL, 8192)]
    assert sighting.running[0].digest == sighting.models[0].digest
    assert sighting.version == "0.33.0"


async def test_abilities_are_asked_for_once_where_the_list_leaves_them_out(
    driver: OllamaDriver, fake_ollama: Start
) -> None:
    names = [f"m{number}:1b" for number in range(MAX_SHOWS_PER_LOOK + 2)]
    fake = await fake_ollama(
        [FakeModel(name, capabilities=("completion", "vision")) for name in names], version="0.9.0"
    )

    def shows() -> int:
        return sum(request.path == "/api/show" for request in fake.requests)

    first = await driver.look(on(fake))
    assert sum(not model.capabilities for model in first.models) == 2
    assert shows() == MAX_SHOWS_PER_LOOK
    second = await driver.look(on(fake))
    assert {model.capabilities for model in second.models} == {frozenset({"chat", "vision"})}
    await driver.look(on(fake))
    assert shows() == len(names)


async def test_a_model_that_is_deleted_during_a_look_fails_nothing(driver: OllamaDriver, fake_ollama: Start) -> None:
    fake = await fake_ollama([MODEL], version="0.9.0")
    fake.faults.at("head", "error", path="/api/show", status=404)
    assert (await driver.look(on(fake))).models[0].capabilities == frozenset()
    assert (await driver.look(on(fake))).models[0].capabilities


async def test_newer_servers_are_not_asked_about_abilities(driver: OllamaDriver, fake_ollama: Start) -> None:
    fake = await fake_ollama([MODEL])
    await driver.look(on(fake))
    assert {request.path for request in fake.requests} == {"/api/version", "/api/tags", "/api/ps"}


async def test_models_of_the_cloud_are_not_seen(driver: OllamaDriver, fake_ollama: Start) -> None:
    fake = await fake_ollama([MODEL, FakeModel("big:cloud", remote_host="https://cloud", remote_model="big")])
    assert [model.name for model in (await driver.look(on(fake))).models] == [MODEL]


async def test_only_what_was_asked_reaches_the_node(driver: OllamaDriver, fake_ollama: Start) -> None:
    fake = await fake_ollama([MODEL])
    await ask(driver, fake, ChatRequest(MODEL, HELLO, Sampling(temperature=0.0)))
    assert fake.requests[-1].json() == {
        "model": MODEL,
        "messages": [{"role": "user", "content": "hello"}],
        "stream": True,
        "options": {"temperature": 0.0},
    }


async def test_a_request_without_messages_loads_the_model(driver: OllamaDriver, fake_ollama: Start) -> None:
    fake = await fake_ollama([MODEL])
    (only,) = await ask(driver, fake, ChatRequest(MODEL, ()))
    assert only.done.reason == "load"
    assert len(fake.timeline.of("load_end")) == 1


async def test_unload_frees_the_memory(driver: OllamaDriver, fake_ollama: Start) -> None:
    fake = await fake_ollama([MODEL])
    await ask(driver, fake, ChatRequest(MODEL, ()))
    await driver.unload(on(fake), MODEL)
    await fake.timeline.wait_for("evict")
    assert (await driver.look(on(fake))).running == ()


async def test_tool_calls_and_thinking(driver: OllamaDriver, fake_ollama: Start) -> None:
    model = FakeModel(
        MODEL,
        capabilities=("completion", "tools", "thinking"),
        script=["Let me look."],
        thoughts=["hm", "!"],
        tool_calls=[("weather", {"city": "Köln"})],
    )
    fake = await fake_ollama([model])
    tool: dict[str, Any] = {"type": "function", "function": {"name": "weather", "parameters": {}}}
    chunks = await ask(driver, fake, ChatRequest(MODEL, HELLO, tools=(tool,), think=True))
    assert "".join(chunk.thinking for chunk in chunks) == "hm!"
    (call,) = [call for chunk in chunks for call in chunk.tool_calls]
    assert (call.name, call.arguments) == ("weather", {"city": "Köln"})


async def test_an_ability_that_is_missing_is_the_requests_fault(driver: OllamaDriver, fake_ollama: Start) -> None:
    fake = await fake_ollama([FakeModel(MODEL, capabilities=("completion",))])
    with pytest.raises(RequestRefused, match="thinking"):
        await ask(driver, fake, ChatRequest(MODEL, HELLO, think=True))


async def test_an_embedding_without_memory_may_work_elsewhere(driver: OllamaDriver, fake_ollama: Start) -> None:
    fake = await fake_ollama([FakeModel(MODEL, capabilities=("embedding",))])
    fake.faults.at("load", "oom")
    with pytest.raises(BadAnswer, match="out of memory") as caught:
        await driver.embed(on(fake), EmbedRequest(MODEL, ("a",)))
    assert caught.value.retryable
