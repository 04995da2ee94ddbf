"""Kinds of servers from other packages: a distribution that is really found, a server that really answers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from halext.client.aio import AsyncClient
from halext.errors import BadAnswer, MissingExtra, RequestRefused, Unreachable
from halext.messages import ChatRequest, EmbedRequest
from halext.testing.ollama import FakeOllama
from halext.testing.server import Exchange, HttpServer
from halext.types import EndpointId, ModelName, NodeName
from halext.upstream import Endpoint
from halext.upstreams import custom
from halext.upstreams.http import Door
from halext.upstreams.kinds import detect, drivers

EXAMPLES = Path(__file__).parents[3] / "examples"
Install = Callable[..., None]


def forget() -> None:
    custom._points.cache_clear()
    custom.find.cache_clear()


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution with these kinds, as pip would leave it behind."""

    def put(**kinds: str) -> None:
        lines = "\n".join(f"{name} = {value}" for name, value in kinds.items())
        info = tmp_path / "megaphone-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: megaphone\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{custom.GROUP}]\n{lines}\n")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.syspath_prepend(EXAMPLES)
        forget()

    yield put
    sys.modules.pop("custom_node_kind", None)
    forget()


@pytest.fixture
def shout(install: Install) -> None:
    install(shout="custom_node_kind:ShoutKind")


async def megaphone(exchange: Exchange) -> None:
    if exchange.request.path == "/megaphone":
        await exchange.send(200, b"megaphone")
    elif exchange.request.path == "/shout":
        await exchange.send(200, exchange.request.json()["text"].upper().encode())
    else:
        await exchange.send(404, b"?")


def at(url: str, kind: str = "shout") -> Endpoint:
    endpoint = Endpoint(EndpointId("megaphone"), NodeName("megaphone"), "ollama", url, cidrs=("127.0.0.0/8",))
    object.__setattr__(endpoint, "kind", kind)
    return endpoint


@pytest.mark.usefixtures("shout")
async def test_such_a_server_is_found_out_and_used_like_any_other() -> None:
    async with (
        HttpServer(megaphone) as server,
        FakeOllama(["llama3.2:3b"]) as ollama,
        AsyncClient(server.url, ollama.url) as hx,
    ):
        reply = await hx.ask("hello", model="shout:1")
        kinds = {endpoint.kind: endpoint.slots for node in await hx.nodes for endpoint in node.endpoints}
        assert (await hx.ask("hello", model="llama3.2:3b")).outcome == "done"
    assert reply.text == "HELLO"
    assert kinds == {"shout": 2, "ollama": 1}


@pytest.mark.usefixtures("shout")
async def test_nothing_but_what_it_names_goes_through_the_door(door: Door) -> None:
    assert custom.may_send("shout", "POST", "/shout")
    assert custom.may_send("shout", "GET", "/megaphone")
    for method, path in [("POST", "/megaphone"), ("GET", "/shout"), ("POST", "/api/pull"), ("POST", "/shout/../x")]:
        assert not custom.may_send("shout", method, path)
    async with HttpServer(megaphone) as server:
        with pytest.raises(ValueError, match="never sends"):
            await door.request(at(server.url), "POST", "/api/pull")


@pytest.mark.usefixtures("shout")
async def test_its_failures_are_those_of_a_node(door: Door) -> None:
    driver = drivers(door)(at("").kind)
    with pytest.raises(RequestRefused):
        await driver.embed(at(""), EmbedRequest(ModelName("shout:1"), ("a",)))
    async with HttpServer(megaphone) as server:
        gone = server.url
    with pytest.raises(Unreachable):
        await driver.look(at(gone))


async def test_without_the_package_the_node_says_what_is_missing(door: Door) -> None:
    assert custom.names() == []
    with pytest.raises(MissingExtra, match="'shout'"):
        custom.find("shout")
    assert not custom.may_send("shout", "GET", "/megaphone")
    driver, request = drivers(door)(at("").kind), ChatRequest(ModelName("m"), ())
    for work in (
        driver.look(at("")),
        driver.show(at(""), ModelName("m")),
        anext(driver.generate(at(""), request)),
        driver.embed(at(""), EmbedRequest(ModelName("m"), ())),
        driver.unload(at(""), ModelName("m")),
    ):
        with pytest.raises(Unreachable, match="not installed"):
            await work
    async with HttpServer(megaphone) as server:
        with pytest.raises(BadAnswer):
            await detect(door, at(server.url))


async def test_one_that_can_not_be_loaded_keeps_nobody_from_using_the_others(install: Install, door: Door) -> None:
    install(broken="no_such_module:Kind", shout="custom_node_kind:ShoutKind")
    assert custom.names() == ["broken", "shout"]
    with pytest.raises(MissingExtra, match="no_such_module"):
        custom.find("broken")
    async with HttpServer(megaphone) as server, FakeOllama() as ollama:
        assert str(await detect(door, at(server.url))) == "shout"
        assert await detect(door, at(ollama.url)) == "ollama"


@pytest.mark.usefixtures("shout")
def test_nothing_of_it_is_loaded_before_it_is_needed() -> None:
    assert custom.names() == ["shout"]
    assert "custom_node_kind" not in sys.modules


def test_a_process_finds_it_by_itself(install: Install, tmp_path: Path) -> None:
    install(shout="custom_node_kind:ShoutKind")
    places = [str(tmp_path), str(EXAMPLES)]
    code = f"import sys; sys.path[:0] = {places!r}; from halext.upstreams import custom"
    code += "; print(custom.find('shout').question)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("/megaphone\n", "")
