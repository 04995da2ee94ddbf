from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import ollama
import pytest

from halext.testing.clock import ManualClock, ScaledClock
from halext.testing.faults import FaultKind
from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama

MODELS = [
    FakeModel("m", script=["Hel", "lo ", "日本", "!"], tool_calls=[("add", {"a": 1, "b": 2})]),
    FakeModel("plain", capabilities=("completion",)),
    FakeModel("thinker", script=["42"], capabilities=("completion", "thinking")),
    FakeModel("embedder", capabilities=("embedding",), embedding_length=4),
]
TOOLS = [{"type": "function", "function": {"name": "add", "parameters": {}}}]
Start = Callable[..., Awaitable[FakeOllama]]


@pytest.fixture
async def fake(fake_ollama: Start) -> FakeOllama:
    return await fake_ollama(MODELS, clock=ScaledClock(1000), keep_alive_s=1e7)


async def lines(fake: FakeOllama, path: str, **body: Any) -> list[dict[str, Any]]:
    """The NDJSON lines of an answer with status 200."""
    async with httpx.AsyncClient(base_url=fake.url, verify=False) as http:
        answer = await http.post(path, json=body)
        assert answer.status_code == 200
        return [json.loads(line) for line in answer.text.splitlines()]


async def chat(fake: FakeOllama, text: str = "hi", **body: Any) -> list[dict[str, Any]]:
    return await lines(fake, "/api/chat", **{"model": "m", "messages": [{"role": "user", "content": text}], **body})


async def refusal(fake: FakeOllama, path: str, **body: Any) -> tuple[int, str]:
    async with httpx.AsyncClient(base_url=fake.url, verify=False) as http:
        answer = await http.post(path, json=body)
        return answer.status_code, answer.json()["error"]


async def test_the_official_client_streams_a_chat(fake: FakeOllama) -> None:
    client = ollama.AsyncClient(fake.url, verify=False)
    parts = [p async for p in await client.chat("m", [{"role": "user", "content": "hi"}], stream=True)]
    assert "".join(part.message.content or "" for part in parts) == "Hello 日本!"
    assert [part.done for part in parts] == [False] * 4 + [True]
    last = parts[-1]
    assert (last.done_reason, last.eval_count, last.prompt_eval_count) == ("stop", 4, 2)
    assert last.total_duration
    await client._client.aclose()


async def test_numbers_are_left_out_where_they_are_zero(fake: FakeOllama) -> None:
    first, *_, last = await chat(fake)
    assert set(first) == {"model", "created_at", "message", "done"}
    assert first["message"] == {"role": "assistant", "content": "Hel"}
    assert first["created_at"].endswith("Z")
    assert last["message"] == {"role": "assistant", "content": ""}
    assert last["eval_duration"] == pytest.approx(4 / 50 * 1e9)
    assert last["load_duration"] >= 2e9
    again = await chat(fake)
    assert again[-1]["load_duration"] < 1e8
    assert again[-1]["prompt_eval_count"] == 2
    assert again[-1]["prompt_eval_duration"] == 1e6  # one of the two was cached


async def test_generate_ends_with_a_context(fake: FakeOllama) -> None:
    *parts, last = await lines(fake, "/api/generate", model="m", prompt="one two")
    assert "".join(part["response"] for part in parts) == "Hello 日本!"
    assert len(last["context"]) == 2 + 4
    assert last["done"] is True


async def test_one_shot_answers_are_one_object(fake: FakeOllama) -> None:
    (whole,) = await chat(fake, stream=False)
    assert whole["message"]["content"] == "Hello 日本!"
    assert (whole["done"], whole["eval_count"]) == (True, 4)


async def test_answers_are_drawn_from_the_seed_and_the_prompt(fake_ollama: Start) -> None:
    async def answer(server_seed: int, text: str, **options: Any) -> str:
        fake = await fake_ollama(["m"], seed=server_seed, clock=ScaledClock(1000))
        (whole,) = await chat(fake, text, stream=False, options=options)
        content: str = whole["message"]["content"]
        return content

    one = await answer(1, "hi")
    assert len(one.split()) == 12
    assert one == await answer(1, "hi")
    assert one != await answer(2, "hi")
    assert one != await answer(1, "ho")
    assert one != await answer(1, "hi", seed=5)


async def test_limits_and_stops_end_an_answer(fake: FakeOllama) -> None:
    (cut,) = await chat(fake, stream=False, options={"num_predict": 2})
    assert (cut["message"]["content"], cut["done_reason"]) == ("Hello ", "length")
    (stopped,) = await chat(fake, stream=False, options={"stop": ["日"]})
    assert (stopped["message"]["content"], stopped["done_reason"]) == ("Hello ", "stop")


async def test_a_schema_gets_json_that_fits_it(fake: FakeOllama) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}, "tag": {"enum": ["x", "y"]}}}
    (whole,) = await chat(fake, stream=False, format=schema)
    assert json.loads(whole["message"]["content"]) == {"n": 1, "tag": "x"}
    assert await refusal(fake, "/api/generate", model="m", prompt="p", format="xml") == (
        500,
        'invalid format: expected "json" or a JSON schema',
    )


async def test_tool_calls_ride_on_the_last_line(fake: FakeOllama) -> None:
    parts = await chat(fake, tools=TOOLS)
    assert not any("tool_calls" in part["message"] for part in parts[:-1])
    (call,) = parts[-1]["message"]["tool_calls"]
    assert call["function"]["arguments"] == {"a": 1, "b": 2}
    assert parts[-1]["done_reason"] == "stop"
    (whole,) = await chat(fake, tools=TOOLS, stream=False)
    assert whole["message"]["tool_calls"] == [call]


async def test_a_thinking_model_thinks_unless_told_not_to(fake: FakeOllama) -> None:
    parts = await chat(fake, model="thinker")
    assert "".join(part["message"].get("thinking", "") for part in parts) == "Let me think"
    assert "".join(part["message"]["content"] for part in parts) == "42"
    quiet = await chat(fake, model="thinker", think=False)
    assert not any("thinking" in part["message"] for part in quiet)
    (whole,) = await lines(fake, "/api/generate", model="thinker", prompt="x", stream=False)
    assert (whole["thinking"], whole["response"]) == ("Let me think", "42")


@pytest.mark.parametrize(
    ("path", "body", "status", "text"),
    [
        ("/api/chat", {"model": "x", "messages": []}, 404, "model 'x' not found"),
        ("/api/embed", {"model": "x", "input": "a"}, 404, 'model "x" not found, try pulling it first'),
        ("/api/embeddings", {"model": "x"}, 404, 'model "x" not found, try pulling it first'),
        ("/api/chat", {"model": "embedder", "messages": []}, 400, '"embedder" does not support chat'),
        ("/api/generate", {"model": "embedder", "prompt": ""}, 400, '"embedder" does not support generate'),
        ("/api/generate", {"model": "m", "prompt": "a", "think": True}, 400, '"m" does not support thinking'),
        ("/api/generate", {"model": "m", "prompt": "a", "suffix": "b"}, 400, "does not support insert"),
        ("/api/chat", {"model": "plain", "messages": [], "tools": TOOLS}, 400, "plain:latest does not support tools"),
    ],
)
async def test_what_a_model_can_not_do(
    fake: FakeOllama, path: str, body: dict[str, Any], status: int, text: str
) -> None:
    got = await refusal(fake, path, **body)
    assert got[0] == status
    assert text in got[1]


async def test_embedding_keeps_the_order_and_loads_on_empty_input(fake: FakeOllama) -> None:
    client = ollama.AsyncClient(fake.url, verify=False)
    assert (await client.embed("embedder", [])).embeddings == []
    assert fake.loaded == ["embedder:latest"]
    both = await client.embed("embedder", ["one", "two words"])
    assert len(both.embeddings) == 2
    assert both.prompt_eval_count == 3
    assert sum(x * x for x in both.embeddings[0]) == pytest.approx(1)
    assert (await client.embed("embedder", "two words")).embeddings == both.embeddings[1:]
    assert len((await client.embed("embedder", "x", dimensions=2)).embeddings[0]) == 2
    assert (await client.embeddings("embedder", "one")).embedding == both.embeddings[0]
    assert (await client.embeddings("embedder", "")).embedding == []
    await client.generate("embedder", keep_alive=0)  # generate can't load it, but unload it
    assert fake.loaded == []
    await client._client.aclose()


async def test_long_prompts_are_cut_unless_that_is_forbidden(fake: FakeOllama) -> None:
    long = "word " * 50
    parts = await chat(fake, long, options={"num_ctx": 10})
    assert parts[-1]["prompt_eval_count"] == 10
    got = await refusal(fake, "/api/generate", model="m", prompt=long, truncate=False, options={"num_ctx": 10})
    assert got == (400, "the input length exceeds the context length")
    got = await refusal(fake, "/api/embed", model="m", input=long, truncate=False, options={"num_ctx": 10})
    assert got == (400, "the input length exceeds the context length")


async def test_a_full_cold_queue_answers_503_with_two_spaces(fake_ollama: Start) -> None:
    fake = await fake_ollama([FakeModel(name, load_s=1e6) for name in "abc"], max_queue=1)
    async with httpx.AsyncClient(base_url=fake.url, verify=False) as http, asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(http.post("/api/generate", json={"model": "a"}))]
        await fake.timeline.wait_for("load_start")
        asked.append(tasks.create_task(http.post("/api/generate", json={"model": "b"})))
        await fake.timeline.wait_for("wait", count=2)
        assert fake.cold_waiting == 1
        text = "server busy, please try again.  maximum pending requests exceeded"
        assert await refusal(fake, "/api/generate", model="c") == (503, text)
        for task in asked:
            task.cancel()


async def test_the_wait_for_a_slot_is_the_rest_of_the_total(fake_ollama: Start, manual_clock: ManualClock) -> None:
    model = FakeModel("m", script=["x"] * 3, tokens_per_s=10, load_s=0)
    fake = await fake_ollama([model], clock=manual_clock)
    async with fake.occupied("m"):
        asked = asyncio.create_task(chat(fake))
        await fake.timeline.wait_for("wait", count=2)  # the first was the load
        await manual_clock.advance(7)
    while not asked.done():
        await manual_clock.advance(0.1)
        await asyncio.sleep(0.001)  # the bytes take their time, whatever the clock says
    last = asked.result()[-1]
    rest = last["total_duration"] - last["load_duration"] - last["prompt_eval_duration"] - last["eval_duration"]
    assert rest == pytest.approx(7e9)
    assert [entry.detail for entry in fake.timeline.of("wait")] == ["cold", "slot"]


async def test_a_client_that_leaves_stops_the_work_at_once(fake_ollama: Start) -> None:
    fake = await fake_ollama([FakeModel("m", script=["x"] * 100_000, load_s=0)], clock=ScaledClock(1))
    async with httpx.AsyncClient(base_url=fake.url, verify=False) as http:
        async with http.stream("POST", "/api/generate", json={"model": "m", "prompt": "go"}) as answer:
            await anext(answer.aiter_bytes())
        await fake.timeline.wait_for("cancelled")
    assert not fake.timeline.of("done")
    async with fake.occupied("m"):  # its slot is free again
        pass


async def test_a_hundred_streams_at_once(fake_ollama: Start) -> None:
    fake = await fake_ollama(["m"], slots=100, clock=ScaledClock(1000))
    limits = httpx.Limits(max_connections=100)
    async with httpx.AsyncClient(base_url=fake.url, limits=limits, timeout=30, verify=False) as http:
        body = {"model": "m", "prompt": "go"}
        answers = await asyncio.gather(*(http.post("/api/generate", json=body) for _ in range(100)))
    assert len({answer.text.count("\n") for answer in answers}) == 1
    assert len(fake.timeline.of("done")) == 100
    assert len(fake.timeline.of("load_start")) == 1


async def test_before_030_a_cached_prompt_has_no_count(fake_ollama: Start) -> None:
    fake = await fake_ollama(["m"], version="0.13.5", clock=ScaledClock(1000), keep_alive_s=1e7)
    assert "prompt_eval_count" in (await chat(fake))[-1]
    assert "prompt_eval_count" not in (await chat(fake))[-1]


@pytest.mark.parametrize(("path", "status"), [("/api/generate", 500), ("/api/embed", 400)])
@pytest.mark.parametrize("kind", ["error", "oom"])
async def test_failures_inside_have_their_routes_status(
    fake: FakeOllama, path: str, status: int, kind: FaultKind
) -> None:
    body = {"model": "m", "prompt": "a", "input": "a", "stream": False}
    fake.faults.at("load", kind)
    assert (await refusal(fake, path, **body))[0] == status
    fake.faults.at("first_token", kind)
    assert (await refusal(fake, path, **body))[0] == status
    assert fake.loaded == ([] if kind == "oom" else ["m:latest"])
