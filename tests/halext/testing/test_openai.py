from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from halext.testing.clock import ManualClock, ScaledClock
from halext.testing.models import FakeModel
from halext.testing.openai import FakeOpenAI
from halext.testing.openai_replies import Flavour

Start = Callable[..., Awaitable[FakeOpenAI]]
FLAVOURS: list[Flavour] = ["llama.cpp", "plain"]
HI: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hi there"}]
TOOLS: Any = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}]
MODELS = [
    FakeModel("m", script=["Hel", "lo"], embedding_length=4, tool_calls=[("add", {"a": 1})]),
    FakeModel("embedder", capabilities=("embedding",)),
]


@pytest.fixture(params=FLAVOURS)
async def fake(request: pytest.FixtureRequest, fake_openai: Start) -> FakeOpenAI:
    return await fake_openai(MODELS, flavour=request.param, clock=ScaledClock(1000))


@pytest.fixture
async def client(fake: FakeOpenAI) -> AsyncIterator[openai.AsyncOpenAI]:
    http = openai.DefaultAsyncHttpxClient(verify=False)  # plain http; loading certificates takes 30 ms each time
    async with openai.AsyncOpenAI(base_url=fake.base_url, api_key="any", max_retries=0, http_client=http) as one:
        yield one


async def events(fake: FakeOpenAI, path: str = "/v1/chat/completions", **body: Any) -> list[str]:
    """What stands behind each `data: ` of a streamed answer."""
    async with httpx.AsyncClient(base_url=fake.url, verify=False) as http:
        answer = await http.post(path, json={"model": "m", "messages": HI, "stream": True, **body})
        assert answer.headers["content-type"] == "text/event-stream"
        return [event.removeprefix("data: ") for event in answer.text.split("\n\n") if event]


async def test_models(client: openai.AsyncOpenAI, fake: FakeOpenAI) -> None:
    listed = [model async for model in client.models.list()]
    assert [model.id for model in listed] == ["m", "embedder"]
    assert (await client.models.retrieve("m")).owned_by == ("llamacpp" if fake.flavour == "llama.cpp" else "fake")
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("x")


async def test_a_whole_chat(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model="m", messages=HI)
    assert answer.choices[0].message.content == "Hello"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (3, 2, 5)


async def test_a_streamed_chat(client: openai.AsyncOpenAI, fake: FakeOpenAI) -> None:
    chunks = [chunk async for chunk in await client.chat.completions.create(model="m", messages=HI, stream=True)]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hello"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert len({chunk.id for chunk in chunks}) == 1
    assert (await events(fake))[-1] == "[DONE]"


async def test_usage_comes_in_a_chunk_of_its_own_when_asked_for(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="m", messages=HI, stream=True, stream_options={"include_usage": True}
    )
    *others, last = [chunk async for chunk in stream]
    assert last.choices == []
    assert last.usage
    assert last.usage.completion_tokens == 2
    assert all(chunk.usage is None for chunk in others)


@pytest.mark.parametrize("usage", [True, False])
async def test_llama_cpp_ends_with_its_timings(fake_openai: Start, *, usage: bool) -> None:
    fake = await fake_openai(MODELS, clock=ScaledClock(1000))
    first = json.loads((await events(fake, stream_options={"include_usage": usage}))[-2])
    again = json.loads((await events(fake, stream_options={"include_usage": usage}))[-2])
    assert first["timings"]["predicted_ms"] == pytest.approx(40)
    assert first["timings"]["predicted_per_second"] == pytest.approx(50)
    assert (first["timings"]["cache_n"], first["timings"]["prompt_n"]) == (0, 3)
    assert (again["timings"]["cache_n"], again["timings"]["prompt_n"]) == (2, 1)


async def test_tool_calls_whole_and_in_pieces(client: openai.AsyncOpenAI) -> None:
    whole = await client.chat.completions.create(model="m", messages=HI, tools=TOOLS)
    assert whole.choices[0].finish_reason == "tool_calls"
    (call,) = whole.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert json.loads(call.function.arguments) == {"a": 1}
    arguments, finish = "", None
    async for chunk in await client.chat.completions.create(model="m", messages=HI, tools=TOOLS, stream=True):
        for delta in chunk.choices[0].delta.tool_calls or []:
            assert delta.function
            arguments += delta.function.arguments or ""
        finish = chunk.choices[0].finish_reason or finish
    assert json.loads(arguments) == {"a": 1}
    assert finish == "tool_calls"


async def test_thoughts_have_their_own_field(fake_openai: Start) -> None:
    thinker = FakeModel("m", script=["42"], capabilities=("completion", "thinking"))
    fake = await fake_openai([thinker], clock=ScaledClock(1000))
    parts = [json.loads(part)["choices"][0]["delta"] for part in (await events(fake))[:-1]]
    assert "".join(part.get("reasoning_content", "") for part in parts) == "Let me think"
    async with httpx.AsyncClient(base_url=fake.url, verify=False) as http:
        answer = await http.post("/v1/chat/completions", json={"messages": HI})
        assert answer.json()["choices"][0]["message"]["reasoning_content"] == "Let me think"


async def test_limits_stops_and_schemas(client: openai.AsyncOpenAI) -> None:
    cut = await client.chat.completions.create(model="m", messages=HI, max_tokens=1)
    assert (cut.choices[0].message.content, cut.choices[0].finish_reason) == ("Hel", "length")
    cut = await client.chat.completions.create(model="m", messages=HI, max_completion_tokens=1)
    assert cut.choices[0].finish_reason == "length"
    stopped = await client.chat.completions.create(model="m", messages=HI, stop="lo")
    assert stopped.choices[0].message.content == "Hel"
    schema: Any = {"type": "object", "properties": {"ok": {"type": "boolean"}}}
    wanted: Any = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    fitted = await client.chat.completions.create(model="m", messages=HI, response_format=wanted)
    assert json.loads(fitted.choices[0].message.content or "") == {"ok": True}
    any_object = await client.chat.completions.create(model="m", messages=HI, response_format={"type": "json_object"})
    assert json.loads(any_object.choices[0].message.content or "") == {"answer": "yes"}


async def test_parts_of_a_message_count(client: openai.AsyncOpenAI) -> None:
    parts: Any = [{"type": "text", "text": "look here"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    answer = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": parts}])
    assert answer.usage
    assert answer.usage.prompt_tokens == 4


async def test_plain_completions(client: openai.AsyncOpenAI) -> None:
    whole = await client.completions.create(model="m", prompt="Once")
    assert whole.choices[0].text == "Hello"
    pieces = [chunk async for chunk in await client.completions.create(model="m", prompt="Once", stream=True)]
    assert "".join(chunk.choices[0].text for chunk in pieces) == "Hello"


async def test_embeddings_as_numbers_and_as_base64(client: openai.AsyncOpenAI) -> None:
    packed = await client.embeddings.create(model="m", input=["one", "two words"])
    numbers = await client.embeddings.create(model="m", input=["one", "two words"], encoding_format="float")
    assert [row.index for row in numbers.data] == [0, 1]
    assert packed.data[1].embedding == pytest.approx(numbers.data[1].embedding, abs=1e-6)
    assert numbers.usage.prompt_tokens == 3
    short = await client.embeddings.create(model="m", input="one", dimensions=2)
    assert len(short.data[0].embedding) == 2


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/chat/completions", {"model": "x", "messages": HI}, 404),
        ("/v1/chat/completions", {"model": "m"}, 400),
        ("/v1/chat/completions", {"model": "embedder", "messages": HI}, 400),
        ("/v1/chat/completions", {"model": "m", "messages": [{"content": "w " * 5000}]}, 400),
        ("/v1/completions", {"model": "m"}, 400),
        ("/v1/embeddings", {"model": "m"}, 400),
        ("/v1/chat/completions", [1], 400),
        ("/v1/nothing", {"a": 1}, 404),
    ],
)
async def test_refusals_have_their_flavours_shape(fake: FakeOpenAI, path: str, body: Any, status: int) -> None:
    async with httpx.AsyncClient(base_url=fake.url, verify=False) as http:
        answer = await http.post(path, json=body)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["message"]
    if fake.flavour == "llama.cpp":
        assert error["code"] == status
    else:
        assert {"type", "param", "code"} <= set(error)


@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_a_wrong_key(fake_openai: Start, flavour: Flavour) -> None:
    fake = await fake_openai(MODELS, flavour=flavour, require_header=("Authorization", "Bearer right"))
    async with openai.AsyncOpenAI(base_url=fake.base_url, api_key="wrong", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError) as refused:
            await client.models.list()
    assert isinstance(refused.value.body, dict)
    assert refused.value.body["code"] == (401 if flavour == "llama.cpp" else "invalid_api_key")
    async with openai.AsyncOpenAI(base_url=fake.base_url, api_key="right") as client:
        assert (await client.models.list()).data


async def test_llama_cpp_loads_first(fake_openai: Start, manual_clock: ManualClock) -> None:
    fake = await fake_openai(["m"], load_s=50, clock=manual_clock)
    async with httpx.AsyncClient(base_url=fake.url, verify=False) as http:
        early = await http.get("/health")
        assert early.status_code == 503
        assert early.json()["error"] == {"code": 503, "message": "Loading model", "type": "unavailable_error"}
        await manual_clock.advance(50)
        assert (await http.get("/health")).json() == {"status": "ok"}


async def test_llama_cpp_shows_its_slots(fake_openai: Start) -> None:
    fake = await fake_openai([FakeModel("m", tokens_per_s=1e-9)], slots=2, num_ctx=512)
    async with httpx.AsyncClient(base_url=fake.url, verify=False) as http:
        asked = asyncio.create_task(http.post("/v1/completions", json={"prompt": "x"}))
        await fake.timeline.wait_for("arrival")
        rows = (await http.get("/slots")).json()
        assert [row["is_processing"] for row in rows] == [True, False]
        assert (await http.get("/props")).json()["total_slots"] == 2
        asked.cancel()
        await fake.timeline.wait_for("cancelled")
    off = await fake_openai(["m"], slots_endpoint=False)
    async with httpx.AsyncClient(base_url=off.url, verify=False) as http:
        assert (await http.get("/slots")).status_code == 501


async def test_a_plain_server_has_none_of_that(fake_openai: Start) -> None:
    fake = await fake_openai(["m"], flavour="plain")
    async with httpx.AsyncClient(base_url=fake.url, verify=False) as http:
        for path in ("/health", "/slots", "/props"):
            assert (await http.get(path)).status_code == 404


async def test_llama_cpp_with_one_model_answers_to_any_name(fake_openai: Start) -> None:
    fake = await fake_openai(["m"], clock=ScaledClock(1000))
    assert (await events(fake, model="whatever"))[-1] == "[DONE]"


async def test_those_without_a_slot_wait(fake_openai: Start) -> None:
    fake = await fake_openai(["m"], slots=1, clock=ScaledClock(1000))
    await asyncio.gather(*(events(fake) for _ in range(3)))
    assert [entry.detail for entry in fake.timeline.of("wait")] == ["slot", "slot"]
    assert len(fake.timeline.of("done")) == 3


async def test_a_close_without_done(fake: FakeOpenAI) -> None:
    fake.faults.at(2, "eof")
    got = await events(fake)
    assert "[DONE]" not in got
    assert json.loads(got[-1])["choices"][0]["delta"] == {"content": "Hel"}
    fake.faults.at(2, "eof")
    async with httpx.AsyncClient(base_url=fake.url, verify=False) as http:
        answer = await http.post("/v1/chat/completions", json={"model": "m", "messages": HI})
        assert answer.json()["choices"][0] == {
            "index": 0,
            "message": {"role": "assistant", "content": "Hel"},
            "finish_reason": None,
        }


async def test_an_error_in_mid_stream(client: openai.AsyncOpenAI, fake: FakeOpenAI) -> None:
    fake.faults.at(2, "error", text="broken")
    with pytest.raises(openai.APIError, match="broken"):
        async for _ in await client.chat.completions.create(model="m", messages=HI, stream=True):
            pass
    fake.faults.at("first_token", "error", path="/v1/embeddings")
    with pytest.raises(openai.InternalServerError):
        await client.embeddings.create(model="m", input="x")


async def test_resets_garbage_and_huge_events(fake: FakeOpenAI) -> None:
    fake.faults.at(2, "reset")
    with pytest.raises(httpx.TransportError):
        await events(fake)
    fake.faults.at(2, "garbage")
    with pytest.raises(ValueError, match="Expecting"):
        [json.loads(event) for event in await events(fake)]
    fake.faults.at(1, "huge", size=1 << 20)
    assert max(len(event) for event in await events(fake)) > 1 << 20


async def test_a_stall_ends_with_the_client(fake: FakeOpenAI) -> None:
    fake.faults.at(2, "stall")
    asked = asyncio.create_task(events(fake))
    await fake.timeline.wait_for("fault")
    asked.cancel()
    await fake.timeline.wait_for("cancelled")
