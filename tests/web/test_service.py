"""The part as `halext up` runs it: opens, says where, drains, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from typing import TYPE_CHECKING, Self

import pytest

from halext.errors import PortInUse
from halext.runtime.service import Service
from halext_web import listener
from halext_web.service import WebService

if TYPE_CHECKING:
    from tests.web.conftest import House

CHAT = {"model": "llama3.2:3b", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
PATIENCE_S = 10.0


def test_it_is_a_service() -> None:
    service: Service = WebService()
    assert (service.name, service.extra) == ("web", "web")


async def test_a_port_in_use_is_found_before_anything_begins(house: House) -> None:
    port = int(house.url.rpartition(":")[2])
    house.app.settings = house.app.settings.model_copy(update={"port": port})
    with pytest.raises(PortInUse):
        await WebService().run(house.app, pytest.fail)


class Running:
    """A second door to the same house, which the test may stop."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.lines: list[str] = []
        self.ready = asyncio.Event()

    async def __aenter__(self) -> Self:
        def ready(line: str) -> None:
            self.lines.append(line)
            self.ready.set()

        self.task = asyncio.get_running_loop().create_task(WebService().run(self.house.app, ready))
        async with asyncio.timeout(PATIENCE_S):
            await self.ready.wait()
        self.house.url = self.house.app.base_url
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def test_it_says_where_it_listens_and_leaves_signals_alone(house: House) -> None:
    before = signal.getsignal(signal.SIGTERM)
    async with Running(house) as running:
        assert running.lines == [house.app.base_url]
        assert signal.getsignal(signal.SIGTERM) is before
        async with house.client() as client:
            assert (await client.get("/healthz")).status_code == 200
    with socket.create_server(("127.0.0.1", int(house.url.rpartition(":")[2]))):
        pass  # the port is free again


async def test_stopping_lets_an_answer_finish(house: House) -> None:
    gate = house.script.hold(1)
    async with Running(house) as running, house.client() as client:
        async with client.stream("POST", "/api/chat", json=CHAT) as answer:
            lines = answer.aiter_lines()
            assert json.loads(await anext(lines))["message"]["content"] == "Hel"
            running.task.cancel()
            gate.set()
            rest = [json.loads(line) async for line in lines]
        assert [line["done"] for line in rest] == [False, True]
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(running.task, PATIENCE_S)


async def test_stopping_ends_an_endless_answer_with_a_last_word(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "DRAIN_S", 0.2)
    house.script.hold(1)  # never let go
    async with Running(house) as running, house.client() as client:
        async with client.stream("POST", "/api/chat", json=CHAT) as answer:
            lines = answer.aiter_lines()
            await anext(lines)
            running.task.cancel()
            (last,) = [json.loads(line) async for line in lines]
        assert (last["code"], last["halext"]["outcome"]) == ("interrupted", "cancelled")
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(running.task, PATIENCE_S)
    assert house.script.closed.is_set()
