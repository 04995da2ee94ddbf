"""The driver against the fake web UI on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from halext.errors import BadAnswer, KeyRefused, ModelMissing, RequestRefused, Unreachable, UpstreamError
from halext.messages import ChatRequest, EmbedRequest, Message
from halext.pictures import Picture, Progress, Recipe, Started, Step, Waiting
from halext.testing.automatic1111 import FakeAutomatic1111, FakeCheckpoint
from halext.testing.clock import ScaledClock
from halext.testing.pictures import texts_of
from halext.types import EndpointId, ModelName, NodeName, RequestId, SecretRef
from halext.upstream import Endpoint
from halext.upstreams.automatic1111 import Automatic1111Driver, Automatic1111Painter, largest_answer
from halext.upstreams.http import Door

Start = Callable[..., Awaitable[FakeAutomatic1111]]
FIRST, SECOND = FakeCheckpoint("first", load_s=0.1), FakeCheckpoint("second", load_s=0.1)
WISH = Recipe("a lighthouse", model=ModelName("first"), width=64, height=64, steps=4, seed=7)
JOB = RequestId("job-1")
KEY = ("authorization", "Basic b25lOnR3bw==")


async def reveal(_: SecretRef) -> Mapping[str, str]:
    return dict([KEY])


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    door = Door(reveal=reveal)
    yield door
    await door.aclose()


@pytest.fixture
async def fake(fake_automatic1111: Start) -> FakeAutomatic1111:
    return await fake_automatic1111([FIRST, SECOND], clock=ScaledClock(1000))


@pytest.fixture
def painter(door: Door) -> Automatic1111Painter:
    return Automatic1111Painter(door, ScaledClock(100))


def on(fake: FakeAutomatic1111) -> Endpoint:
    return Endpoint(EndpointId("pc/2"), NodeName("pc"), "automatic1111", fake.url, cidrs=("127.0.0.0/8",))


def deaf(_: Progress) -> None:
    """Nobody listens."""


class Listener(list[Progress]):
    """Remembers what it is told."""

    def __call__(self, progress: Progress) -> None:
        self.append(progress)


async def begun(fake: FakeAutomatic1111, work: Awaitable[tuple[Picture, ...]]) -> asyncio.Future[tuple[Picture, ...]]:
    """A job that the server works on."""
    future = asyncio.ensure_future(work)
    await fake.timeline.wait_for("first_token")
    return future


async def test_pictures_and_what_was_used(painter: Automatic1111Painter, fake: FakeAutomatic1111) -> None:
    made = await painter.paint(on(fake), replace(WISH, n=2), JOB, deaf)
    assert [picture.recipe.seed for picture in made] == [7, 8]
    assert all(texts_of(picture.png)["parameters"].startswith("a lighthouse") for picture in made)
    assert (made[0].node, made[0].model, made[0].recipe.sampler) == ("pc", "first", "DPM++ 2M")
    assert fake.machine.finished[0] == "halext-job-1"


async def test_another_model_for_one_job(painter: Automatic1111Painter, fake: FakeAutomatic1111) -> None:
    (picture,) = await painter.paint(on(fake), replace(WISH, model=ModelName("second")), JOB, deaf)
    assert picture.model == "second"
    assert f"Model hash: {SECOND.hash}" in texts_of(picture.png)["parameters"]
    assert fake.machine.loaded is FIRST


async def test_progress_of_our_job_only(door: Door, fake_automatic1111: Start) -> None:
    fake = await fake_automatic1111(step_s=1, prepare_s=1, clock=ScaledClock(30))
    clock = ScaledClock(50)  # a look each 10 ms, a step each 33 ms
    painter, wish = (
        Automatic1111Painter(door, clock),
        replace(WISH, model=ModelName("dreamshaper_8"), width=512, height=512),
    )
    foreign, ours = Listener(), Listener()
    first = await begun(fake, painter.paint(on(fake), replace(wish, steps=3), RequestId("other"), foreign))
    second = asyncio.ensure_future(painter.paint(on(fake), wish, JOB, ours))
    await asyncio.gather(first, second)
    assert ours[0] == Waiting(1)
    assert Started() in ours
    steps = [event for event in ours if isinstance(event, Step)]
    assert [event.n for event in steps] == sorted(event.n for event in steps)
    assert {event.of for event in steps} == {4}
    assert {event.of for event in foreign if isinstance(event, Step)} == {3}


async def test_a_model_that_is_gone(painter: Automatic1111Painter, fake: FakeAutomatic1111) -> None:
    with pytest.raises(ModelMissing, match="does not list") as caught:
        await painter.paint(on(fake), replace(WISH, model=ModelName("third")), JOB, deaf)
    assert (caught.value.node, caught.value.endpoint) == ("pc", "pc/2")
    fake.machine.checkpoints = [FIRST]  # listed still, and dropped in silence when it is asked for
    with pytest.raises(ModelMissing, match="pc used first in place of second"):
        await painter.paint(on(fake), replace(WISH, model=ModelName("second")), JOB, deaf)


@pytest.mark.parametrize(
    ("step", "fault", "error"),
    [
        ("connect", {"kind": "reset"}, Unreachable),
        ("head", {"kind": "page"}, Unreachable),
        (2, {"kind": "reset"}, Unreachable),
        (2, {"kind": "oom"}, BadAnswer),
        (2, {"kind": "error"}, BadAnswer),
        (2, {"kind": "eof"}, BadAnswer),
        ("before_done", {"kind": "reset"}, Unreachable),
    ],
)
async def test_failures_keep_their_kind(
    painter: Automatic1111Painter, fake: FakeAutomatic1111, step: Any, fault: dict[str, Any], error: type[UpstreamError]
) -> None:
    fake.faults.at(step, times=1 if step != "connect" else 5, **fault)
    with pytest.raises(UpstreamError) as caught:
        await painter.paint(on(fake), WISH, JOB, deaf)
    fake.faults.clear()
    assert (type(caught.value), caught.value.node) == (error, "pc")
    assert await painter.paint(on(fake), WISH, RequestId("job-2"), deaf)


async def test_a_job_is_never_sent_twice(painter: Automatic1111Painter, fake: FakeAutomatic1111) -> None:
    """The list of models has left a connection that is kept alive, and it is cut after the job has gone out on it."""
    fake.faults.at(2, "reset")
    with pytest.raises(Unreachable):
        await painter.paint(on(fake), replace(WISH, steps=50), JOB, deaf)
    assert len(fake.timeline.of("arrival")) == 1
    sent = [request.path for request in fake.requests]
    assert sent.count("/sdapi/v1/txt2img") == 1
    assert sent[0] == "/sdapi/v1/sd-models"


async def test_what_the_server_refuses(painter: Automatic1111Painter, fake: FakeAutomatic1111) -> None:
    with pytest.raises(RequestRefused, match="Sampler not found"):
        await painter.paint(on(fake), replace(WISH, sampler="magic"), JOB, deaf)


async def test_a_stop_ends_our_job_after_its_step(painter: Automatic1111Painter, fake: FakeAutomatic1111) -> None:
    work = await begun(fake, painter.paint(on(fake), replace(WISH, steps=50_000), JOB, deaf))
    assert await painter.stop(on(fake), JOB) == "stopping"
    async with asyncio.timeout(5):
        assert len(await work) == 1


async def test_a_stop_never_hits_anothers_job(painter: Automatic1111Painter, fake: FakeAutomatic1111) -> None:
    running = await begun(fake, painter.paint(on(fake), replace(WISH, steps=50_000), RequestId("other"), deaf))
    assert await painter.stop(on(fake), JOB) == "gone"
    waiting = asyncio.ensure_future(painter.paint(on(fake), WISH, JOB, deaf))
    await fake.timeline.wait_for("wait")
    assert await painter.stop(on(fake), JOB) == "not_begun"
    assert not fake.machine.state.interrupted
    assert await painter.stop(on(fake), RequestId("other")) == "stopping"
    await asyncio.gather(running, waiting)


async def test_without_the_page_nobody_knows_whose_job_runs(
    painter: Automatic1111Painter, fake_automatic1111: Start
) -> None:
    fake = await fake_automatic1111([FIRST], nowebui=True, step_s=0.5, clock=ScaledClock(10))
    heard = Listener()
    work = await begun(fake, painter.paint(on(fake), replace(WISH, width=512, height=512), JOB, heard))
    assert await painter.stop(on(fake), JOB) == "cannot"
    assert len(await work) == 1
    assert heard == []  # what everyone's progress says may be about anybody's job


async def test_the_power_goes_in_the_middle(painter: Automatic1111Painter, fake: FakeAutomatic1111) -> None:
    work = await begun(fake, painter.paint(on(fake), replace(WISH, steps=50_000), JOB, deaf))
    await fake.kill()
    with pytest.raises(Unreachable):
        await work


async def test_a_dead_server_that_keeps_the_connection_open_is_noticed(
    painter: Automatic1111Painter, fake: FakeAutomatic1111
) -> None:
    fake.faults.at(2, "stall")
    fake.faults.at("head", "page", path="/internal/progress", times=None)  # nobody is behind the tunnel any more
    with pytest.raises(Unreachable):
        await painter.paint(on(fake), WISH, JOB, deaf)


async def test_a_server_that_can_not_tell_for_a_while_is_waited_for(
    painter: Automatic1111Painter, fake: FakeAutomatic1111
) -> None:
    fake.faults.at("head", "error", path="/internal/progress", times=5)
    assert await painter.paint(on(fake), replace(WISH, steps=300), JOB, deaf)


async def test_a_look(door: Door, fake: FakeAutomatic1111, painter: Automatic1111Painter) -> None:
    driver = Automatic1111Driver(door)
    idle = await driver.look(on(fake))
    assert [(model.name, model.digest) for model in idle.models] == [(each.name, each.sha256) for each in fake.models]
    assert [model.name for model in idle.running] == ["first"]
    assert (idle.slots, idle.slots_busy) == (1, 0)
    work = await begun(fake, painter.paint(on(fake), replace(WISH, steps=50_000), JOB, deaf))
    assert (await driver.look(on(fake))).slots_busy == 1
    await painter.stop(on(fake), JOB)
    await work


async def test_a_password(door: Door, fake: FakeAutomatic1111) -> None:
    driver = Automatic1111Driver(door)
    fake.require_header = KEY
    with pytest.raises(KeyRefused):
        await driver.look(on(fake))
    opened = replace(on(fake), id=EndpointId("pc/3"), secret=SecretRef("pc"))
    assert (await driver.look(opened)).models


async def test_it_is_no_server_for_texts(door: Door, fake: FakeAutomatic1111) -> None:
    driver = Automatic1111Driver(door)
    assert (await driver.show(on(fake), ModelName("first"))).info.capabilities == {"image"}
    with pytest.raises(RequestRefused, match="first on pc makes pictures"):
        await anext(driver.generate(on(fake), ChatRequest(ModelName("first"), (Message("user", "hi"),))))
    with pytest.raises(RequestRefused) as caught:
        await driver.embed(on(fake), EmbedRequest(ModelName("first"), ("a",)))
    assert caught.value.node == "pc"
    await driver.unload(on(fake), ModelName("first"))
    assert [request.path for request in fake.requests] == ["/sdapi/v1/sd-models"]


def test_an_answer_may_be_as_long_as_its_pictures() -> None:
    assert largest_answer(replace(WISH, n=2, width=1024, height=1024)) > 2 * 1024 * 1024 * 3 * 4 / 3
