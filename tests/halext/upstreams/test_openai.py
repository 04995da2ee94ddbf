from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from halext.errors import RateLimited
from halext.messages import ChatRequest, EmbedRequest, Message, Sampling
from halext.testing.models import FakeModel
from halext.testing.openai import FakeOpenAI
from halext.testing.server import Exchange, HttpServer
from halext.types import EndpointId, ModelName, NodeName
from halext.upstream import Endpoint
from halext.upstreams.http import Door
from halext.upstreams.openai import OpenAIDriver

Start = Callable[..., Awaitable[FakeOpenAI]]
MODEL = ModelName("qwen2.5")
HELLO = (Message("user", "hello"),)


@pytest.fixture
def driver(door: Door) -> OpenAIDriver:
    return OpenAIDriver(door)


def on(fake: FakeOpenAI | HttpServer) -> Endpoint:
    return Endpoint(EndpointId("pc/openai"), NodeName("pc"), "openai", fake.url, cidrs=("127.0.0.0/8",))


async def ask(driver: OpenAIDriver, fake: FakeOpenAI, request: ChatRequest) -> Any:
    return [chunk async for chunk in driver.generate(on(fake), request)]


async def test_llamacpp_tells_of_its_slots(driver: OpenAIDriver, fake_openai: Start) -> None:
    fake = await fake_openai([MODEL], slots=2, num_ctx=2048)
    sighting = await driver.look(on(fake))
    assert (sighting.slots, sighting.slots_busy) == (2, 0)
    assert [(model.name, model.context_length) for model in sighting.running] == [(MODEL, 2048)]
    assert sighting.version

    fake.faults.at(2, "stall")
    chunks = driver.generate(on(fake), ChatRequest(MODEL, HELLO))
    await anext(chunks)
    assert (await driver.look(on(fake))).slots_busy == 1
    await chunks.aclose()


async def test_slots_can_be_turned_off(driver: OpenAIDriver, fake_openai: Start) -> None:
    fake = await fake_openai([MODEL], slots=2, slots_endpoint=False)
    sighting = await driver.look(on(fake))
    assert (sighting.slots, sighting.slots_busy) == (2, None)


async def test_a_server_that_loads_is_busy(driver: OpenAIDriver, fake_openai: Start) -> None:
    fake = await fake_openai([MODEL], load_s=1_000_000.0)
    with pytest.raises(RateLimited, match="Loading model"):
        await driver.look(on(fake))


async def test_whether_it_embeds_is_asked_once(driver: OpenAIDriver, fake_openai: Start) -> None:
    fake = await fake_openai([MODEL])
    for _ in range(3):
        assert "embed" in (await driver.look(on(fake))).models[0].capabilities
    assert "embed" in (await driver.show(on(fake), MODEL)).info.capabilities
    assert sum(request.path == "/v1/embeddings" for request in fake.requests) == 1


async def test_a_plain_server_is_asked_for_nothing_but_its_models(driver: OpenAIDriver, fake_openai: Start) -> None:
    fake = await fake_openai([MODEL, "text-embedding-3-small"], flavour="plain")
    sighting = await driver.look(on(fake))
    assert [set(model.capabilities) for model in sighting.models] == [{"chat", "tools"}, {"embed"}]
    assert (sighting.running, sighting.slots, sighting.version) == ((), None, "")
    assert {request.path for request in fake.requests} == {"/v1/models"}


async def test_the_template_is_shown(driver: OpenAIDriver, fake_openai: Start) -> None:
    fake = await fake_openai([FakeModel(MODEL, template="{{ messages }}")])
    assert (await driver.show(on(fake), MODEL)).template == "{{ messages }}"


async def test_timings_and_usage(driver: OpenAIDriver, fake_openai: Start) -> None:
    fake = await fake_openai([FakeModel(MODEL, script=["a", "b"], tokens_per_s=2.0)])
    done = (await ask(driver, fake, ChatRequest(MODEL, HELLO)))[-1].done
    assert done.usage.completion_tokens == 2
    assert done.timings.eval_s == pytest.approx(1.0)


async def test_tool_calls_come_with_the_end(driver: OpenAIDriver, fake_openai: Start) -> None:
    fake = await fake_openai([FakeModel(MODEL, script=["Let me look."], tool_calls=[("weather", {"city": "Köln"})])])
    tool: dict[str, Any] = {"type": "function", "function": {"name": "weather", "parameters": {}}}
    last = (await ask(driver, fake, ChatRequest(MODEL, HELLO, tools=(tool,))))[-1]
    assert (last.tool_calls[0].name, last.tool_calls[0].arguments) == ("weather", {"city": "Köln"})
    assert last.done.reason == "tool_calls"


async def test_a_limit_of_tokens(driver: OpenAIDriver, fake_openai: Start) -> None:
    fake = await fake_openai([FakeModel(MODEL, script=["a", "b", "c"])])
    chunks = await ask(driver, fake, ChatRequest(MODEL, HELLO, Sampling(max_tokens=2)))
    assert ("".join(chunk.text for chunk in chunks), chunks[-1].done.reason) == ("ab", "length")


async def test_no_texts_are_not_sent(driver: OpenAIDriver, fake_openai: Start) -> None:
    fake = await fake_openai([MODEL])
    assert (await driver.embed(on(fake), EmbedRequest(MODEL, ()))).vectors == ()
    assert fake.requests == []


async def test_unload_leaves_the_server_alone(driver: OpenAIDriver, fake_openai: Start) -> None:
    fake = await fake_openai([MODEL])
    await driver.unload(on(fake), MODEL)
    assert fake.requests == []


async def test_a_server_that_leaves_the_mark_out_has_still_finished(driver: OpenAIDriver) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.begin(content_type="text/event-stream")
        await exchange.write(b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n')
        await exchange.end()

    async with HttpServer(answer) as server:
        chunks = [chunk async for chunk in driver.generate(on(server), ChatRequest(MODEL, HELLO))]
    assert [chunk.text for chunk in chunks] == ["a", ""]
    assert chunks[-1].done is not None
