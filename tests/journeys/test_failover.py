"""Two computers, one of which is switched off: real sockets from the caller to the node."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from halext.accounts.types import LOCAL
from halext.errors import HalextError, Interrupted
from halext.messages import ChatRequest, Message
from halext.runtime.app import App
from halext.runtime.control import LocalControl
from halext.runtime.settings import Settings
from halext.runtime.shapes import AddNode
from halext.runtime.verbs.nodes import add_node
from halext.runtime.wiring import open_app
from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama
from halext.types import EndpointId, ModelName, NodeName
from halext_web.service import WebService

MODEL = "llama3.2:3b"
SCRIPT = tuple(f" w{i}" for i in range(40))
PATIENCE_S = 30.0
REQUESTS = 100
ROUNDS = range(20 if os.environ.get("TEST_SOAK") else 1)
"""How often the light goes out: a thousand requests and more in `make soak`."""


@dataclass
class Home:
    """A halext with a Mac and a PC."""

    app: App
    mac: FakeOllama
    pc: FakeOllama
    web: httpx.AsyncClient

    async def ask(self, node: str | None = None) -> str:
        """One answer, or an error; nothing in between."""
        request = ChatRequest(ModelName(MODEL), (Message("user", "go"),))
        answer = LocalControl(self.app, LOCAL).generate(request, NodeName(node) if node else None)
        return "".join([chunk.text async for chunk in answer])


@pytest.fixture
async def home(tmp_path: Path, fake_ollama: Callable[..., Awaitable[FakeOllama]]) -> AsyncIterator[Home]:
    def computer() -> Awaitable[FakeOllama]:
        model = FakeModel(MODEL, script=SCRIPT, load_s=1, tokens_per_s=100)
        return fake_ollama([model], slots=4, keep_alive_s=1e7)

    mac, pc = await computer(), await computer()
    ready = asyncio.Event()
    async with open_app(Settings(data_dir=tmp_path / "data", port=0)) as app:
        for name, fake in (("mac", mac), ("pc", pc)):
            await add_node(app, LOCAL, AddNode(name=name, urls=[fake.url], slots=4))
        app.local_token = "token-of-the-test"
        door = asyncio.get_running_loop().create_task(WebService().run(app, lambda _line: ready.set()))
        async with asyncio.timeout(PATIENCE_S):
            await ready.wait()
        headers = {"Authorization": f"Bearer {app.local_token}"}
        async with httpx.AsyncClient(base_url=app.base_url, headers=headers, timeout=PATIENCE_S) as web:
            yield Home(app, mac, pc, web)
        door.cancel()
        await asyncio.gather(door, return_exceptions=True)


@pytest.mark.parametrize("_round", ROUNDS)
async def test_a_node_switched_off_while_idle_fails_nobody(home: Home, _round: int) -> None:
    await asyncio.gather(*(home.ask() for _ in range(8)))
    await home.mac.kill()
    answers = await asyncio.gather(*(home.ask() for _ in range(REQUESTS)))
    assert answers == ["".join(SCRIPT)] * REQUESTS
    assert home.app.registry.is_gone(EndpointId("mac"))
    await home.mac.start()
    await home.app.prober.look(EndpointId("mac"))
    assert not home.app.registry.is_gone(EndpointId("mac"))
    assert await home.ask("mac") == "".join(SCRIPT)


@pytest.mark.parametrize("_round", ROUNDS)
async def test_a_node_switched_off_in_the_middle_fails_only_what_had_begun(home: Home, _round: int) -> None:
    await asyncio.gather(*(home.ask() for _ in range(8)))
    tasks = [asyncio.get_running_loop().create_task(home.ask()) for _ in range(REQUESTS)]
    seen = len(home.mac.timeline.of("first_token"))
    await home.mac.timeline.wait_for("first_token", count=seen + 2, timeout_s=PATIENCE_S)
    await home.mac.kill()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    whole = [result for result in results if result == "".join(SCRIPT)]
    broken = [result for result in results if isinstance(result, Interrupted)]
    others = [result for result in results if isinstance(result, HalextError) and not isinstance(result, Interrupted)]
    assert others == []
    assert len(whole) + len(broken) == REQUESTS
    assert 1 <= len(broken) <= 4, "what the mac had begun, and nothing else"


async def test_a_broken_stream_ends_in_words_of_both_dialects(home: Home) -> None:
    home.mac.faults.at(5, "reset", times=None)
    home.pc.faults.at(5, "reset", times=None)
    body = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": "go"}]}
    async with home.web.stream("POST", "/v1/chat/completions", json=body) as stream:
        assert stream.status_code == 200
        events = [line.removeprefix("data: ") async for line in stream.aiter_lines() if line]
    assert "[DONE]" not in events
    last = json.loads(events[-1])
    assert last["error"]["code"] == "interrupted"
    assert last["halext"]["node"] in {"mac", "pc"}
    async with home.web.stream("POST", "/api/chat", json=body) as stream:
        lines = [json.loads(line) async for line in stream.aiter_lines() if line]
    assert lines[-1]["code"] == "interrupted"
    assert lines[-1]["error"]
    assert not any(line.get("done") for line in lines)


async def test_the_choice_and_the_failure_are_explained(home: Home) -> None:
    await home.ask("mac")  # in memory there, and not on the pc: the mac is the first choice
    await home.mac.kill()
    body = {"model": MODEL, "messages": [{"role": "user", "content": "go"}], "stream": False}
    seen = []
    for _ in range(2):
        answer = await home.web.post("/api/chat", json=body, headers={"X-Halext-Explain": "1"})
        assert answer.status_code == 200
        assert answer.headers["X-Halext-Node"] == "pc"
        assert "chose pc" in answer.headers["X-Halext-Why"]
        told = (await home.web.get(f"/hx/requests/{answer.headers['X-Halext-Request']}")).json()
        assert told["node"] == "pc"
        seen.append(told)
    first, second = seen
    assert "refuses the connection" in first["failures"][0]
    assert [choice["chosen"] for choice in first["choices"]] == ["mac", "pc"]
    assert len(first["why"]) == 3
    assert "mac: not asked" in second["why"][-1]
