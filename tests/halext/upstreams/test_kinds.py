from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from halext.errors import BadAnswer, KeyRefused, Unreachable, UpstreamError
from halext.testing.clock import ManualClock
from halext.testing.server import Exchange, HttpServer
from halext.types import EndpointId, Kind, NodeName
from halext.upstream import Endpoint
from halext.upstreams.automatic1111 import Automatic1111Driver, Automatic1111Painter
from halext.upstreams.http import Door
from halext.upstreams.kinds import detect, drivers, painters
from halext.upstreams.ollama import OllamaDriver
from halext.upstreams.openai import OpenAIDriver

Start = Callable[..., Awaitable[Any]]


def on(url: str) -> Endpoint:
    return Endpoint(EndpointId("mac/auto"), NodeName("mac"), "ollama", url, cidrs=("127.0.0.0/8",))


def always(status: int, body: bytes, **headers: str) -> HttpServer:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(status, body, headers=headers)

    return HttpServer(answer)


@pytest.mark.parametrize("version", ["0.9.0", "0.33.0"])
async def test_ollama_is_known(door: Door, fake_ollama: Start, version: str) -> None:
    fake = await fake_ollama([], version=version)
    assert await detect(door, on(fake.url)) == "ollama"


@pytest.mark.parametrize("flavour", ["llama.cpp", "plain"])
async def test_openai_like_servers_are_known(door: Door, fake_openai: Start, flavour: str) -> None:
    fake = await fake_openai(flavour=flavour)
    assert await detect(door, on(fake.url)) == "openai"


@pytest.mark.parametrize("flavour", ["a1111", "forge"])
async def test_stable_diffusion_is_known(door: Door, fake_automatic1111: Start, flavour: str) -> None:
    fake = await fake_automatic1111(flavour=flavour)
    assert await detect(door, on(fake.url)) == "automatic1111"
    fake.require_header = ("authorization", "Basic b25lOnR3bw==")
    with pytest.raises(KeyRefused):
        await detect(door, on(fake.url))


async def test_another_halext_is_known_by_its_mark_before_its_ollama_routes(door: Door) -> None:
    headers = {"X-Halext-Request": "r1"}

    async def answer(exchange: Exchange) -> None:
        if exchange.request.path == "/hx/me":
            await exchange.send(401, b'{"code":"unauthenticated"}', headers=headers)
        else:
            await exchange.send(200, b'{"version":"0.33.0"}', headers=headers)

    async with HttpServer(answer) as server:
        assert await detect(door, on(server.url)) == "halext"


async def test_nothing_that_makes_a_model_work_is_asked(door: Door, fake_openai: Start) -> None:
    fake = await fake_openai(flavour="plain")
    await detect(door, on(fake.url))
    assert [(request.method, request.path) for request in fake.requests] == [
        ("GET", "/hx/me"),
        ("GET", "/sdapi/v1/options"),
        ("GET", "/api/version"),
        ("GET", "/v1/models"),
    ]


@pytest.mark.parametrize(
    ("status", "body", "error", "sentence"),
    [
        (200, b"<html>my printer</html>", BadAnswer, "neither as Ollama nor as an OpenAI-like server.*status 200"),
        (200, b'{"status":"ok"}', BadAnswer, "neither as Ollama"),
        (404, b"", BadAnswer, "neither as Ollama.*status 404"),
        (500, b'{"error":"broken"}', BadAnswer, "neither as Ollama"),
        (401, b'{"error":{"message":"no key"}}', KeyRefused, "no key"),
        (403, b"", KeyRefused, "--header Host=localhost:11434"),
    ],
)
async def test_a_stranger_is_named(
    door: Door, status: int, body: bytes, error: type[UpstreamError], sentence: str
) -> None:
    async with always(status, body) as server:
        with pytest.raises(UpstreamError, match=sentence) as caught:
            await detect(door, on(server.url))
    assert type(caught.value) is error
    assert (caught.value.node, caught.value.endpoint) == ("mac", "mac/auto")


async def test_nothing_answers(door: Door, fake_ollama: Start) -> None:
    fake = await fake_ollama()
    await fake.kill()
    with pytest.raises(Unreachable) as caught:
        await detect(door, on(fake.url))
    assert caught.value.node == "mac"


@pytest.mark.parametrize(
    ("kind", "driver"),
    [
        ("ollama", OllamaDriver),
        ("halext", OllamaDriver),
        ("openai", OpenAIDriver),
        ("automatic1111", Automatic1111Driver),
    ],
)
def test_every_kind_has_its_driver(kind: Kind, driver: type) -> None:
    find = drivers(Door(reveal=None))
    assert type(find(kind)) is driver
    assert find(kind) is find(kind)


def test_only_some_kinds_make_pictures(manual_clock: ManualClock) -> None:
    found = painters(Door(reveal=None), manual_clock)
    assert {kind: type(painter) for kind, painter in found.items()} == {"automatic1111": Automatic1111Painter}
