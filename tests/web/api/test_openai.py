"""OpenAI's own client, pointed at halext."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import openai
import pytest

from halext.errors import Interrupted
from halext.messages import ChatChunk, Done, ToolCall

if TYPE_CHECKING:
    from tests.web.conftest import House

MODEL = "llama3.2:3b"


@pytest.fixture
def client(house: House) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{house.url}/v1", api_key=house.token, max_retries=0)


async def test_chat(house: House, client: openai.AsyncOpenAI) -> None:
    async with client:
        answer = await client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Hi"}])
    assert answer.choices[0].message.content == "Hello"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == MODEL
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (7, 2)


async def test_stream_with_usage(client: openai.AsyncOpenAI) -> None:
    async with client:
        stream = await client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": "Hi"}],
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = [chunk async for chunk in stream]
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "Hello"
    usage = chunks[-1].usage
    assert usage is not None
    assert usage.total_tokens == 9
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"


async def test_a_stream_that_dies_raises(house: House, client: openai.AsyncOpenAI) -> None:
    house.script.errors[1] = Interrupted(node="mac")
    async with client:
        stream = await client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "Hi"}], stream=True
        )
        first = [await anext(stream), await anext(stream)]
        with pytest.raises(openai.APIError) as caught:
            await anext(stream)
    assert [chunk.choices[0].delta.content for chunk in first] == ["", "Hel"]
    assert caught.value.code == "interrupted"


async def test_tool_calls(house: House, client: openai.AsyncOpenAI) -> None:
    house.script.answer = [ChatChunk(tool_calls=(ToolCall("weather", {"city": "Bonn"}),)), ChatChunk(done=Done())]
    async with client:
        answer = await client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Hi"}])
    calls = answer.choices[0].message.tool_calls
    assert calls is not None
    (call,) = calls
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Bonn"})
    assert answer.choices[0].finish_reason == "tool_calls"


async def test_completions(client: openai.AsyncOpenAI) -> None:
    async with client:
        whole = await client.completions.create(model=MODEL, prompt="Hi")
        stream = await client.completions.create(model=MODEL, prompt="Hi", stream=True)
        streamed = "".join([chunk.choices[0].text async for chunk in stream])
    assert whole.choices[0].text == streamed == "Hello"


async def test_embeddings(client: openai.AsyncOpenAI) -> None:
    async with client:
        reply = await client.embeddings.create(model="nomic-embed-text", input=["a", "four"])
    assert [item.embedding for item in reply.data] == [[0.5, 1.0], [0.5, 4.0]]


async def test_models(client: openai.AsyncOpenAI) -> None:
    async with client:
        listed = [model.id async for model in client.models.list()]
        one = await client.models.retrieve("nomic-embed-text")
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve("nobody/at-home:1b")
    assert listed == [MODEL, "nomic-embed-text:latest"]
    assert one.id == "nomic-embed-text:latest"


async def test_auto_picks_a_model_and_says_which(client: openai.AsyncOpenAI) -> None:
    async with client:
        answer = await client.chat.completions.create(model="auto", messages=[{"role": "user", "content": "Hi"}])
    assert answer.model == MODEL


async def test_errors_are_the_clients_own(house: House, client: openai.AsyncOpenAI) -> None:
    async with client:
        with pytest.raises(openai.NotFoundError) as unknown:
            await client.chat.completions.create(model="nobody", messages=[{"role": "user", "content": "Hi"}])
        with pytest.raises(openai.AuthenticationError):
            await client.with_options(api_key="hx_wrong").models.list()
    assert unknown.value.code == "unknown_model"


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"{", 400), (b"[]", 422), (b'{"model":"x"}', 422), (b'{"messages":' + b"[" * 5000, 422)],
)
async def test_bad_bodies(member: httpx.AsyncClient, body: bytes, status: int) -> None:
    answer = await member.post("/v1/chat/completions", content=body)
    assert answer.status_code in {status, 400}
    assert answer.json()["error"]["type"] == "invalid_request_error"
