"""What every driver promises, tried on each against a server on a real socket that misbehaves to order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from io import StringIO
from typing import Any, cast

import pytest

from halext.errors import (
    BadAnswer,
    Interrupted,
    KeyRefused,
    ModelMissing,
    RateLimited,
    RequestRefused,
    TimedOut,
    Unreachable,
    UpstreamError,
)
from halext.messages import ChatChunk, ChatRequest, CompletionRequest, EmbedRequest, Message, TextRequest
from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama
from halext.testing.openai import FakeOpenAI
from halext.types import EndpointId, Kind, ModelName, NodeName, SecretRef
from halext.upstream import Driver, Endpoint
from halext.upstreams import streaming
from halext.upstreams.http import STREAM, Door
from halext.upstreams.kinds import drivers

MODEL = ModelName("llama3.2:3b")
SCRIPT = ["Grüße", " aus", " Köln", "!"]
ASKED = ChatRequest(MODEL, (Message("user", "hello"),))
KEY = ("authorization", "Bearer secret")


@dataclass(frozen=True)
class Rig:
    """A driver, and the server that it speaks to."""

    driver: Driver
    endpoint: Endpoint
    fake: FakeOllama | FakeOpenAI

    async def ask(self, request: TextRequest = ASKED) -> list[ChatChunk]:
        return [chunk async for chunk in self.driver.generate(self.endpoint, request)]

    async def ask_until_it_fails(self) -> tuple[str, UpstreamError]:
        """The text that came, and the error that ended it."""
        text = StringIO()
        with pytest.raises(UpstreamError) as caught:
            await self._collect(text)
        return text.getvalue(), caught.value

    async def _collect(self, text: StringIO) -> None:
        async for chunk in self.driver.generate(self.endpoint, ASKED):
            text.write(chunk.text)


async def reveal(_: SecretRef) -> Mapping[str, str]:
    return dict([KEY])


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    door = Door(reveal=reveal)
    yield door
    await door.aclose()


Start = Callable[..., Awaitable[Any]]


@pytest.fixture(params=["ollama", "ollama 0.9", "llama.cpp", "openai"])
async def rig(request: pytest.FixtureRequest, door: Door, fake_ollama: Start, fake_openai: Start) -> Rig:
    model = FakeModel(MODEL, capabilities=("completion", "insert"), script=SCRIPT, load_s=0.0)
    kind: Kind = "ollama" if request.param.startswith("ollama") else "openai"
    if kind == "ollama":
        fake = await fake_ollama([model], version="0.9.0" if request.param.endswith("0.9") else "0.33.0")
    else:
        fake = await fake_openai([model], flavour="plain" if request.param == "openai" else "llama.cpp")
    endpoint = Endpoint(EndpointId(f"mac/{kind}"), NodeName("mac"), kind, fake.url, cidrs=("127.0.0.0/8",))
    return Rig(drivers(door)(kind), endpoint, fake)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines that a test can wait for."""
    monkeypatch.setattr(streaming, "STREAM", replace(STREAM, first_byte_s=0.2, gap_s=0.2))


def check_names(error: UpstreamError, *, began: bool) -> None:
    assert (error.node, error.began) == ("mac", began)
    assert error.endpoint.startswith("mac/")


async def test_an_answer_comes_in_pieces_and_ends_once(rig: Rig) -> None:
    chunks = await rig.ask()
    assert [chunk.text for chunk in chunks if chunk.text] == SCRIPT
    done = chunks[-1].done
    assert done is not None
    assert (done.reason, done.usage.completion_tokens) == ("stop", len(SCRIPT))
    assert all(chunk.done is None for chunk in chunks[:-1])


async def test_a_text_is_continued(rig: Rig) -> None:
    chunks = await rig.ask(CompletionRequest(MODEL, "def f(", suffix="return"))
    assert "".join(chunk.text for chunk in chunks) == "".join(SCRIPT)
    assert chunks[-1].done is not None


@pytest.mark.parametrize("manner", ["drip", "split", "glue"])
async def test_how_the_bytes_come_does_not_matter(rig: Rig, manner: Any) -> None:
    rig.fake.faults.at("first_token", manner)
    chunks = await rig.ask()
    assert "".join(chunk.text for chunk in chunks) == "".join(SCRIPT)
    assert chunks[-1].done is not None


@pytest.mark.parametrize(
    ("step", "fault", "error"),
    [
        ("connect", {"kind": "reset"}, Unreachable),
        ("head", {"kind": "reset"}, Unreachable),
        ("head", {"kind": "page"}, Unreachable),
        ("head", {"kind": "page", "status": 502}, Unreachable),
        ("head", {"kind": "error", "status": 400}, RequestRefused),
        ("head", {"kind": "error", "status": 404}, ModelMissing),
        ("head", {"kind": "error", "status": 500}, BadAnswer),
        ("head", {"kind": "error", "status": 503}, RateLimited),
        ("first_token", {"kind": "reset"}, Unreachable),
        ("first_token", {"kind": "eof"}, BadAnswer),
        ("first_token", {"kind": "garbage"}, BadAnswer),
        ("first_token", {"kind": "huge", "size": 9_000_000}, BadAnswer),
        ("first_token", {"kind": "error", "status": 500}, BadAnswer),
    ],
)
async def test_before_the_first_piece_a_failure_keeps_its_kind(
    rig: Rig, step: Any, fault: dict[str, Any], error: type[UpstreamError]
) -> None:
    rig.fake.faults.at(step, **fault)
    text, found = await rig.ask_until_it_fails()
    assert (text, type(found)) == ("", error)
    check_names(found, began=False)
    assert (await rig.ask())[-1].done is not None  # the next request is none the worse


@pytest.mark.parametrize(
    ("step", "fault", "kept"),
    [
        (3, {"kind": "eof"}, 2),
        (3, {"kind": "garbage"}, 2),
        (3, {"kind": "error", "status": 500}, 2),
        (3, {"kind": "error", "status": 404}, 2),
        (3, {"kind": "huge", "size": 9_000_000}, 2),
        ("before_done", {"kind": "eof"}, 4),
    ],
)
async def test_after_the_first_piece_every_failure_is_an_interruption(
    rig: Rig, step: Any, fault: dict[str, Any], kept: int
) -> None:
    rig.fake.faults.at(step, **fault)
    text, error = await rig.ask_until_it_fails()
    assert (text, type(error)) == ("".join(SCRIPT[:kept]), Interrupted)
    check_names(error, began=True)


@pytest.mark.parametrize("step", [2, 3, "before_done"])
async def test_a_reset_in_mid_line_never_shows_half_a_piece(rig: Rig, step: Any) -> None:
    rig.fake.faults.at(step, "reset")
    text, error = await rig.ask_until_it_fails()
    # A reset overtakes what the client has not read yet, so how many pieces came is not certain.
    assert text in {"".join(SCRIPT[:kept]) for kept in range(5)}
    assert type(error) is (Interrupted if text else Unreachable)
    check_names(error, began=bool(text))


async def test_a_long_piece_passes(rig: Rig) -> None:
    rig.fake.faults.at(2, "huge", size=1_000_000)
    chunks = await rig.ask()
    assert max(len(chunk.text) for chunk in chunks) == 1_000_000
    assert chunks[-1].done is not None


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("step", "error", "kept"), [("head", TimedOut, 0), (3, Interrupted, 2)])
async def test_silence_ends(rig: Rig, step: Any, error: type[UpstreamError], kept: int) -> None:
    rig.fake.faults.at(step, "stall")
    text, found = await rig.ask_until_it_fails()
    assert (text, type(found)) == ("".join(SCRIPT[:kept]), error)
    check_names(found, began=kept > 0)
    await rig.fake.timeline.wait_for("cancelled")


async def test_silence_behind_the_end_does_not_matter(rig: Rig) -> None:
    rig.fake.faults.at("after_done", "stall")
    async with asyncio.timeout(5):
        chunks = await rig.ask()
    assert "".join(chunk.text for chunk in chunks) == "".join(SCRIPT)
    assert chunks[-1].done is not None


async def test_closing_the_answer_stops_the_work(rig: Rig) -> None:
    rig.fake.faults.at(2, "stall")
    async with aclosing(rig.driver.generate(rig.endpoint, ASKED)) as chunks:
        assert (await anext(chunks)).text == SCRIPT[0]
    await rig.fake.timeline.wait_for("cancelled")


async def test_cancelling_the_reader_stops_the_work(rig: Rig) -> None:
    rig.fake.faults.at("head", "stall")
    async with asyncio.TaskGroup() as group:
        reader = group.create_task(rig.ask())
        await rig.fake.timeline.wait_for("fault")
        reader.cancel()
    await rig.fake.timeline.wait_for("cancelled")


async def test_a_server_that_is_off(rig: Rig) -> None:
    await rig.fake.kill()
    for work in (
        rig.driver.look(rig.endpoint),
        rig.driver.show(rig.endpoint, MODEL),
        rig.driver.embed(rig.endpoint, EmbedRequest(MODEL, ("a",))),
        rig.ask(),
    ):
        with pytest.raises(Unreachable) as caught:
            await cast("Awaitable[object]", work)
        check_names(caught.value, began=False)


async def test_the_power_goes_in_the_middle_and_comes_back(rig: Rig) -> None:
    rig.fake.faults.at(2, "stall")
    chunks = rig.driver.generate(rig.endpoint, ASKED)
    assert (await anext(chunks)).text == SCRIPT[0]
    await rig.fake.kill()
    with pytest.raises(Interrupted) as caught:
        await anext(chunks)
    check_names(caught.value, began=True)
    await rig.fake.start()
    assert (await rig.ask())[-1].done is not None


async def test_a_key_opens_the_server_and_nothing_else_does(rig: Rig) -> None:
    rig.fake.require_header = KEY
    with pytest.raises(KeyRefused) as caught:
        await rig.driver.look(rig.endpoint)
    check_names(caught.value, began=False)
    _, error = await rig.ask_until_it_fails()
    assert type(error) is KeyRefused
    with_key = replace(rig, endpoint=replace(rig.endpoint, id=EndpointId("mac/2"), secret=SecretRef("mac")))
    assert (await with_key.driver.look(with_key.endpoint)).models
    assert (await with_key.ask())[-1].done is not None


async def test_a_look_finds_the_models_and_what_they_can_do(rig: Rig) -> None:
    sighting = await rig.driver.look(rig.endpoint)
    assert [model.name for model in sighting.models] == [MODEL]
    assert "chat" in sighting.models[0].capabilities


@pytest.mark.parametrize("status", [500, 503])
async def test_a_look_that_fails_in_part_has_failed(rig: Rig, status: int) -> None:
    path = "/api/ps" if rig.endpoint.kind == "ollama" else "/v1/models"
    rig.fake.faults.at("head", "error", path=path, status=status)
    with pytest.raises(UpstreamError) as caught:
        await rig.driver.look(rig.endpoint)
    check_names(caught.value, began=False)


async def test_show_describes_a_model(rig: Rig) -> None:
    details = await rig.driver.show(rig.endpoint, MODEL)
    assert details.info.name == MODEL
    assert "chat" in details.info.capabilities


async def test_show_says_that_a_model_is_missing(rig: Rig) -> None:
    with pytest.raises(ModelMissing) as caught:
        await rig.driver.show(rig.endpoint, ModelName("nobody:1b"))
    check_names(caught.value, began=False)


async def test_every_text_gets_its_vector(rig: Rig) -> None:
    reply = await rig.driver.embed(rig.endpoint, EmbedRequest(MODEL, ("one", "two three", "one")))
    first, second, third = reply.vectors
    assert first == third != second
    assert reply.usage.prompt_tokens > 0
    assert (await rig.driver.embed(rig.endpoint, EmbedRequest(MODEL, ()))).vectors == ()


@pytest.mark.parametrize(("status", "error"), [(404, ModelMissing), (500, BadAnswer), (503, RateLimited)])
async def test_embedding_can_fail(rig: Rig, status: int, error: type[UpstreamError]) -> None:
    rig.fake.faults.at("head", "error", status=status)
    with pytest.raises(UpstreamError) as caught:
        await rig.driver.embed(rig.endpoint, EmbedRequest(MODEL, ("a",)))
    assert type(caught.value) is error
    check_names(caught.value, began=False)


async def test_unload_is_harmless(rig: Rig) -> None:
    await rig.ask()
    await rig.driver.unload(rig.endpoint, MODEL)
    await rig.driver.unload(rig.endpoint, MODEL)
    assert (await rig.ask())[-1].done is not None


async def test_many_answers_at_once_are_not_mixed(rig: Rig) -> None:
    answers = await asyncio.gather(*(rig.ask() for _ in range(20)))
    assert {"".join(chunk.text for chunk in chunks) for chunks in answers} == {"".join(SCRIPT)}
