"""A fleet without a house: what speaks at each URL, who gets which secret, and looks that are neither old nor slow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

import pytest

from halext.errors import InvalidInput, KeyRefused, NoNodeMakesPictures, NoNodeOnline, Unreachable
from halext.hosts import llama
from halext.messages import ChatRequest, Message
from halext.runtime import local
from halext.runtime.control import Control
from halext.runtime.local import Access, FleetControl, endpoints_of, open_default, open_fleet
from halext.runtime.shapes import Nothing
from halext.runtime.shapes_images import FollowImages, ImageJobRef, Imagine
from halext.runtime.verbs.images import cancel_images, follow_images, imagine
from halext.runtime.verbs.nodes import list_nodes
from halext.testing.automatic1111 import FakeAutomatic1111
from halext.testing.clock import ScaledClock
from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama
from halext.testing.openai import FakeOpenAI
from halext.types import ModelName

MODEL = FakeModel("m:1b", script=["a", "b"])
ASK = ChatRequest(ModelName(""), (Message("user", "hi"),))

StartOllama = Callable[..., Awaitable[FakeOllama]]
StartAutomatic1111 = Callable[..., Awaitable[FakeAutomatic1111]]
StartOpenAI = Callable[..., Awaitable[FakeOpenAI]]


async def text_of(control: Control) -> str:
    return "".join([chunk.text async for chunk in control.generate(ASK)])


async def status_of(control: Control) -> dict[str, str]:
    return {node.name: node.status for node in await control.call(list_nodes, Nothing())}


# --- URLs ---


@pytest.mark.parametrize(
    ("urls", "names"),
    [
        (["http://mac.local:11434"], ["mac.local"]),
        (["mac", "http://pc:8080"], ["mac", "pc"]),
        (["http://pc:11434", "http://pc:8080"], ["pc-11434", "pc-8080"]),
        (["http://[fd00::1]:11434"], ["fd00--1"]),
    ],
)
def test_nodes_are_named_like_their_hosts(urls: list[str], names: list[str]) -> None:
    assert [endpoint.node for endpoint in endpoints_of(urls, Access()).values()] == names


def test_the_same_server_twice_is_refused() -> None:
    with pytest.raises(InvalidInput, match="same server"):
        endpoints_of(["mac", "http://mac:11434/"], Access())


def test_headers_for_nobody_are_refused_without_being_told() -> None:
    with pytest.raises(InvalidInput, match="not among the URLs") as caught:
        endpoints_of(["mac"], Access(headers={"http://pc": {"authorization": "hidden"}}))
    assert "hidden" not in str(caught.value)
    assert "hidden" not in repr(Access(token="hidden", headers={"x": {"a": "hidden"}}))


# --- kinds ---


async def test_kinds_are_found_out(fake_ollama: StartOllama, fake_openai: StartOpenAI) -> None:
    ollama, openai = await fake_ollama([MODEL]), await fake_openai([FakeModel("n:1b")])
    async with open_fleet([ollama.url, openai.url]) as control:
        nodes = await control.call(list_nodes, Nothing())
    assert sorted(endpoint.kind for node in nodes for endpoint in node.endpoints) == ["ollama", "openai"]
    assert {node.status for node in nodes} == {"healthy"}


async def test_a_single_server_must_answer() -> None:
    async with FakeOllama() as gone:
        url = gone.url
    with pytest.raises(Unreachable):
        async with open_fleet([url]):
            pass


async def test_several_may_come_later(fake_ollama: StartOllama) -> None:
    here = await fake_ollama([MODEL])
    async with FakeOpenAI([FakeModel("n:1b")]) as late:
        port = int(late.url.rpartition(":")[2])
        late_url = late.url
    async with open_fleet([here.url, late_url]) as control:
        assert isinstance(control, FleetControl)
        looker = control._looker
        assert await text_of(control) == "ab"
        assert "healthy" in (await status_of(control)).values()
        assert set((await status_of(control)).values()) != {"healthy"}
        async with FakeOpenAI([FakeModel("n:1b")], port=port):
            looker._looked_at.clear()  # a second later
            nodes = await control.call(list_nodes, Nothing())
            assert {node.status for node in nodes} == {"healthy"}
            assert sorted(e.kind for node in nodes for e in node.endpoints) == ["ollama", "openai"]


async def test_a_node_that_is_silent_delays_nobody(fake_ollama: StartOllama) -> None:
    here, silent = await fake_ollama([MODEL]), await fake_ollama([MODEL])
    silent.faults.at("connect", "stall", times=None)
    async with open_fleet([here.url, silent.url]) as control, asyncio.timeout(local.PATIENCE_S + 2):
        assert await text_of(control) == "ab"


async def test_many_questions_share_one_look(fake_ollama: StartOllama) -> None:
    ollama = await fake_ollama([MODEL], slots=4)
    async with open_fleet([ollama.url]) as control:
        assert await asyncio.gather(*(text_of(control) for _ in range(8))) == ["ab"] * 8
    assert sum(request.path == "/api/tags" for request in ollama.requests) == 1


@pytest.mark.parametrize("together", [False, True])
async def test_pictures_wait_for_a_look_at_those_who_make_them(
    fake_ollama: StartOllama, fake_automatic1111: StartAutomatic1111, *, together: bool
) -> None:
    """Another node has answered its look already when the one with Stable Diffusion begins to."""
    pc = await fake_automatic1111(clock=ScaledClock(1))
    pc.prepare_s = pc.step_s = 0.0
    pc._boot()
    pc.faults.at("head", "stall", path="/sdapi/v1/sd-models", seconds=2 * local.PATIENCE_S)
    urls = [(await fake_ollama([MODEL])).url, pc.url] if together else [pc.url]
    async with open_fleet(urls) as control:
        job = await control.call(imagine, Imagine(prompt="a lighthouse", width=64, height=64, steps=1))
        assert (job.state, len(job.pictures)) == ("done", 1)


async def test_a_job_under_way_is_followed_and_stopped_without_a_look(fake_automatic1111: StartAutomatic1111) -> None:
    pc = await fake_automatic1111()
    async with open_fleet([pc.url]) as control:
        job = await control.call(imagine, Imagine(prompt="x", width=2048, height=2048, steps=150, wait=False))
        await pc.timeline.wait_for("first_token")
        pc.faults.at("head", "stall", path="/sdapi/v1/sd-models", times=None)
        async with asyncio.timeout(4):
            assert (await control.call(cancel_images, ImageJobRef(id=job.id))).outcome == "stopping"
            while job.state in {"waiting", "running"}:
                job = await control.call(follow_images, FollowImages(id=job.id, seen=job.revision))
        assert job.state == "cancelled"


async def test_a_fleet_without_stable_diffusion_makes_no_pictures(fake_ollama: StartOllama) -> None:
    async with open_fleet([(await fake_ollama([MODEL])).url]) as control:
        with pytest.raises(NoNodeMakesPictures):
            await control.call(imagine, Imagine(prompt="x"))


async def test_an_answer_that_nobody_waits_for_ends_at_the_node(fake_ollama: StartOllama) -> None:
    ollama = await fake_ollama([MODEL])
    ollama.faults.at(2, "stall")
    async with open_fleet([ollama.url]) as control:

        async def first() -> str:
            async for chunk in control.generate(ASK):
                return chunk.text
            return ""

        assert await first() == "a"
        await ollama.timeline.wait_for("cancelled")


async def test_the_default_model(fake_ollama: StartOllama) -> None:
    ollama = await fake_ollama([MODEL, FakeModel("z:9b", script=["z"])])
    async with open_fleet([ollama.url], Access(default_model="z:9b")) as control:
        assert await text_of(control) == "z"


# --- secrets ---


async def test_headers_go_to_their_server_only(fake_ollama: StartOllama) -> None:
    shut = await fake_ollama([MODEL], require_header=("x-key", "secret"))
    plain = await fake_ollama([MODEL])
    async with open_fleet([shut.url, plain.url], Access(headers={shut.url: {"X-Key": "secret"}})) as control:
        assert set((await status_of(control)).values()) == {"healthy"}
    assert not any("x-key" in request.headers for request in plain.requests)


async def test_a_server_that_wants_a_key_says_so(fake_ollama: StartOllama) -> None:
    shut = await fake_ollama([MODEL], require_header=("authorization", "Bearer right"))
    with pytest.raises(KeyRefused):
        async with open_fleet([shut.url], Access(token="right")):
            pass
    assert not any("authorization" in request.headers for request in shut.requests)


# --- nothing named ---


@asynccontextmanager
async def _default(monkeypatch: pytest.MonkeyPatch, here: str, **settings: str) -> AsyncIterator[Control]:
    monkeypatch.setattr(local, "OLLAMA_HERE", here)
    for name in ("URL", "TOKEN", "DEFAULT_MODEL"):
        monkeypatch.delenv(f"HALEXT_{name}", raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(f"HALEXT_{name}", value)
    async with open_default() as control:
        yield control


async def test_first_what_the_settings_say(fake_ollama: StartOllama, monkeypatch: pytest.MonkeyPatch) -> None:
    told, here = await fake_ollama([MODEL]), await fake_ollama([MODEL])
    async with _default(monkeypatch, here.url, URL=told.url, DEFAULT_MODEL="m:1b") as control:
        assert await text_of(control) == "ab"
    assert not here.requests


async def test_then_an_ollama_on_this_machine(fake_ollama: StartOllama, monkeypatch: pytest.MonkeyPatch) -> None:
    here = await fake_ollama([MODEL])
    async with _default(monkeypatch, here.url) as control:
        assert await text_of(control) == "ab"


async def test_then_words_when_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llama, "builtin_missing", lambda: "It is not installed.")
    with pytest.raises(NoNodeOnline, match=r"No HALEXT_URL is set.*start Ollama.*It is not installed"):
        async with _default(monkeypatch, "http://127.0.0.1:9"):
            pass


@pytest.mark.skipif(llama.builtin_missing() is not None, reason=str(llama.builtin_missing()))
async def test_then_the_built_in_model(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _default(monkeypatch, "http://127.0.0.1:9") as control:
        request = ChatRequest(ModelName(""), (Message("user", "Say hi."),))
        async with aclosing(control.generate(request).__aiter__()) as chunks:  # type: ignore[type-var]  # a generator
            assert (await anext(chunks)).done is None
        (node,) = await control.call(list_nodes, Nothing())
        assert node.endpoints[0].models == [llama.MODEL]


async def test_one_ollama_is_a_fleet_of_one(fake_ollama: StartOllama) -> None:
    ollama = await fake_ollama([MODEL])
    async with open_fleet([ollama.url]) as control:
        assert isinstance(control, FleetControl)
