"""The studio with real drivers, against fake web UIs on real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, cast

import pytest

from halext.accounts.quotas.types import Amounts, Measure, Reservation
from halext.accounts.types import LOCAL, Caller, Role, UsageEntry
from halext.errors import (
    AllBusy,
    BadAnswer,
    Cancelled,
    HalextError,
    Interrupted,
    InvalidInput,
    ModelMissing,
    NoNodeHasModel,
    NoNodeMakesPictures,
    NotFound,
    QuotaSpent,
    UnknownModel,
    UnknownNode,
    Unreachable,
)
from halext.gateway.records import Records
from halext.images import shelf as shelf_file
from halext.images import studio as studio_file
from halext.images.inscription import recipe_of
from halext.images.shelf import Shelf
from halext.images.studio import Studio
from halext.images.types import Job, JobState
from halext.nodes.prober import Prober
from halext.nodes.registry import Registry
from halext.nodes.types import Cordon, Node
from halext.pictures import Recipe
from halext.runtime.background import Background
from halext.testing.automatic1111 import FakeAutomatic1111, FakeCheckpoint
from halext.testing.clock import ScaledClock
from halext.testing.ollama import FakeOllama
from halext.types import EndpointId, Kind, ModelName, NodeName, RequestId
from halext.upstream import Endpoint, Stopping
from halext.upstreams.automatic1111 import Automatic1111Painter
from halext.upstreams.http import Door
from halext.upstreams.kinds import drivers, painters

Start = Callable[..., Awaitable[FakeAutomatic1111]]
WISH = Recipe("a lighthouse", width=64, height=64, steps=4, seed=7)
LONG = replace(WISH, steps=150, width=2048, height=2048)
"""Some seconds of real time, unless it is stopped."""
ANN = Caller("ann", Role.MEMBER, "token", None)


@dataclass
class House:
    """A studio, the nodes that it knows, and what it wrote down."""

    registry: Registry
    prober: Prober
    studio: Studio
    records: Records
    used: list[UsageEntry]
    ordered: int = 0

    async def add(self, name: str, url: str, kind: Kind = "automatic1111") -> None:
        endpoint = Endpoint(EndpointId(name), NodeName(name), kind, url, cidrs=("127.0.0.0/8",))
        await self.registry.add(Node(NodeName(name), (endpoint,)))
        await self.prober.look(endpoint.id)

    def order(self, wish: Recipe = WISH, caller: Caller = LOCAL) -> RequestId:
        self.ordered += 1
        return self.studio.begin(caller, wish, RequestId(f"r-{self.ordered}")).id

    async def make(self, wish: Recipe = WISH) -> Job:
        async with asyncio.timeout(10):
            return await self.studio.finished(LOCAL, self.order(wish))

    async def until(self, job: RequestId, reached: Callable[[Job], bool]) -> Job:
        seen = -1
        async with asyncio.timeout(10):
            while not reached(found := await self.studio.wait(LOCAL, job, seen, 5)):
                assert not found.state.is_end, found
                seen = found.revision
        return found


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    door = Door()
    yield door
    await door.aclose()


@pytest.fixture
async def background(door: Door) -> AsyncIterator[Background]:
    async with Background() as running:
        yield running


@pytest.fixture
async def house(door: Door, background: Background) -> House:
    clock = ScaledClock(50)
    registry = Registry(records=None, clock=clock, publish=lambda _: None)
    records, entries = Records(), list[UsageEntry]()
    studio = Studio(
        registry=registry,
        painters=painters(door, clock),
        clock=clock,
        spawn=background.spawn,
        records=records,
        new_id=(RequestId(f"new-{number}") for number in count()).__next__,
        ledger=Book(entries),
    )
    return House(registry, Prober(registry, drivers(door), clock), studio, records, entries)


@dataclass
class Book:
    """A ledger that is a list."""

    entries: list[UsageEntry]

    def record(self, entry: UsageEntry) -> None:
        self.entries.append(entry)


@pytest.fixture
async def pc(house: House, fake_automatic1111: Start) -> FakeAutomatic1111:
    fake = await fake_automatic1111(["dreamshaper_8", "second"])
    await house.add("pc", fake.url)
    return fake


async def test_a_picture_with_its_recipe_inside(house: House, pc: FakeAutomatic1111) -> None:
    job = await house.make(replace(WISH, n=2))
    assert (job.state, job.node, job.model, job.step, job.of) == (JobState.DONE, "pc", "dreamshaper_8", job.step, 8)
    first, second = (recipe_of(picture.png) for picture in job.pictures)
    assert first == replace(WISH, model=ModelName("dreamshaper_8"), sampler="DPM++ 2M")
    assert second == replace(first, seed=8)
    assert pc.machine.finished[0] == "halext-r-1"


async def test_what_was_made_is_in_the_ledger_and_in_the_records(house: House, pc: FakeAutomatic1111) -> None:
    await house.make()
    (entry,) = house.used
    assert (entry.request_id, entry.model, entry.node, entry.outcome) == ("r-1", "dreamshaper_8", "pc", "done")
    assert entry.total_s > 0
    record = house.records.find(RequestId("r-1"))
    assert record is not None
    assert (record.kind, record.node, record.outcome) == ("image", "pc", "done")


async def test_steps_are_told_as_they_happen(house: House, pc: FakeAutomatic1111) -> None:
    job = house.order(replace(LONG, width=1024, height=1024))
    seen = await house.until(job, lambda found: found.step > 0)
    assert (seen.state, seen.of, seen.node) == (JobState.RUNNING, 150, "pc")
    assert seen.eta_s is not None
    later = await house.until(job, lambda found: found.step > seen.step)
    assert later.revision > seen.revision
    assert await house.studio.stop(LOCAL, job) == "stopping"


async def test_the_node_that_a_caller_insists_on(
    house: House,
    pc: FakeAutomatic1111,
    fake_automatic1111: Start,
    fake_ollama: Callable[..., Awaitable[FakeOllama]],
) -> None:
    await house.add("mac", (await fake_automatic1111(["dreamshaper_8"])).url)
    await house.add("nas", (await fake_ollama()).url, "ollama")
    busy = house.studio.begin(LOCAL, LONG, node=NodeName("pc")).id
    await pc.timeline.wait_for("first_token")
    waits = house.studio.begin(LOCAL, WISH, node=NodeName("pc")).id
    passes = house.order()  # another node is free for it
    assert (await house.studio.finished(LOCAL, passes)).node == "mac"
    assert house.studio.job(LOCAL, waits).place == 1
    await house.studio.stop(LOCAL, busy)
    assert (await house.studio.finished(LOCAL, waits)).node == "pc"
    with pytest.raises(UnknownNode):
        house.studio.begin(LOCAL, WISH, node=NodeName("nowhere"))
    with pytest.raises(NoNodeMakesPictures, match="The node nas makes no pictures"):
        house.studio.begin(LOCAL, WISH, node=NodeName("nas"))


async def test_nobody_makes_pictures(house: House, fake_ollama: Callable[..., Awaitable[FakeOllama]]) -> None:
    with pytest.raises(NoNodeMakesPictures, match="halext node add"):
        house.order()
    await house.add("mac", (await fake_ollama()).url, "ollama")
    with pytest.raises(NoNodeMakesPictures, match="halext node add"):
        house.order()
    assert house.used == []


async def test_a_model_that_nobody_has_and_one_that_is_closed(house: House, pc: FakeAutomatic1111) -> None:
    with pytest.raises(UnknownModel, match="dreamshaper_8; second"):
        house.order(replace(WISH, model=ModelName("third")))
    await house.registry.set_cordon("pc", Cordon.CORDONED)
    with pytest.raises(NoNodeHasModel, match="pc is cordoned"):
        house.order(replace(WISH, model=ModelName("second")))
    with pytest.raises(NoNodeMakesPictures, match="pc is cordoned"):
        house.order()


async def test_a_wish_that_can_not_be_made_never_reaches_a_node(house: House, pc: FakeAutomatic1111) -> None:
    with pytest.raises(InvalidInput, match="multiples of 8"):
        house.order(replace(WISH, width=65))
    assert pc.timeline.of("arrival") == []


async def test_one_job_at_a_time_and_everyone_knows_their_place(house: House, pc: FakeAutomatic1111) -> None:
    first = house.order(LONG)
    await pc.timeline.wait_for("first_token")
    second, third = house.order(), house.order()
    assert [house.studio.job(LOCAL, job).place for job in (first, second, third)] == [None, 1, 2]
    assert house.studio.job(LOCAL, third).state is JobState.WAITING
    assert len(pc.timeline.of("arrival")) == 1  # the line is ours, where places are exact
    await house.studio.stop(LOCAL, first)
    await house.until(third, lambda found: found.place == 1)
    await house.until(third, lambda found: found.state is JobState.DONE)


async def test_two_nodes_share_the_line(house: House, pc: FakeAutomatic1111, fake_automatic1111: Start) -> None:
    mac = await fake_automatic1111(["dreamshaper_8"])
    await house.add("mac", mac.url)
    jobs = [house.order() for _ in range(4)]
    nodes = {(await house.studio.finished(LOCAL, job)).node for job in jobs}
    assert nodes == {"pc", "mac"}


async def test_a_job_in_line_is_cancelled_for_certain(house: House, pc: FakeAutomatic1111) -> None:
    first = house.order(LONG)
    await pc.timeline.wait_for("first_token")
    second = house.order()
    at_once = house.order()
    assert await house.studio.stop(LOCAL, at_once) == "dequeued"
    assert await house.studio.stop(LOCAL, second) == "dequeued"
    for job in (second, at_once):
        with pytest.raises(Cancelled):
            await house.studio.finished(LOCAL, job)
        assert await house.studio.stop(LOCAL, job) == "too_late"
    await house.studio.stop(LOCAL, first)
    with pytest.raises(Cancelled):
        await house.studio.finished(LOCAL, first)
    assert len(pc.timeline.of("arrival")) == 1
    assert {entry.outcome for entry in house.used} == {"cancelled"}


async def test_a_job_that_runs_is_stopped_and_its_half_picture_dropped(house: House, pc: FakeAutomatic1111) -> None:
    job = house.order(LONG)
    await pc.timeline.wait_for("first_token")
    assert await house.studio.stop(LOCAL, job) == "stopping"
    with pytest.raises(Cancelled):
        await house.studio.finished(LOCAL, job)
    found = house.studio.job(LOCAL, job)
    assert (found.state, found.pictures) == (JobState.CANCELLED, ())
    assert (await house.make()).state is JobState.DONE


async def test_a_job_that_waits_at_its_server_is_stopped_as_soon_as_it_begins(
    house: House, pc: FakeAutomatic1111
) -> None:
    other = await house_guest(pc)
    job = house.order(replace(LONG, steps=149))
    waiting = await house.until(job, lambda found: found.state is JobState.WAITING and found.node == "pc")
    assert waiting.place == 1
    assert await house.studio.stop(LOCAL, job) == "stopping"
    assert not pc.machine.state.interrupted  # the other's job is not ours to stop
    pc.machine.state.interrupted = True
    with pytest.raises(Cancelled):
        await house.studio.finished(LOCAL, job)
    other.cancel()


async def house_guest(fake: FakeAutomatic1111) -> asyncio.Future[None]:
    """Somebody uses the server's own page."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(fake.url.rpartition(":")[2]))
    body = b'{"steps": 150, "width": 2048, "height": 2048, "force_task_id": "guest"}'
    head = f"POST /sdapi/v1/txt2img HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await fake.timeline.wait_for("first_token")

    async def leave_at_the_end() -> None:
        try:
            await reader.read()
        finally:
            writer.close()

    return asyncio.ensure_future(leave_at_the_end())


async def test_where_nothing_can_be_stopped_that_is_said(house: House, fake_automatic1111: Start) -> None:
    bare = await fake_automatic1111(nowebui=True)
    await house.add("pc", bare.url)
    job = house.order(replace(WISH, steps=100, width=1024, height=1024))
    await bare.timeline.wait_for("first_token")
    assert await house.studio.stop(LOCAL, job) == "too_late"
    async with asyncio.timeout(10):
        assert (await house.studio.finished(LOCAL, job)).pictures


async def test_a_node_that_is_gone_before_it_began_is_passed_over(
    house: House, pc: FakeAutomatic1111, fake_automatic1111: Start
) -> None:
    await house.add("spare", (await fake_automatic1111(["dreamshaper_8", "second"])).url)
    await house.registry.set_cordon("spare", Cordon.CORDONED)
    job = house.order(LONG)  # so that the next one waits for pc
    await pc.timeline.wait_for("first_token")
    second = house.order()
    await house.registry.set_cordon("spare", Cordon.OPEN)
    assert (await house.studio.finished(LOCAL, second)).node == "spare"
    await pc.kill()
    with pytest.raises((Interrupted, Unreachable)):
        await house.studio.finished(LOCAL, job)
    again = await house.make()
    assert again.node == "spare"


async def test_a_failure_before_the_start_is_not_seen(
    house: House, pc: FakeAutomatic1111, fake_automatic1111: Start
) -> None:
    pc.faults.at("head", "page", times=5)
    await house.add("spare", (await fake_automatic1111([FakeCheckpoint("dreamshaper_8")])).url)
    jobs = [house.order(), house.order()]
    assert {(await house.studio.finished(LOCAL, job)).node for job in jobs} == {"spare"}
    failures = [record.failures for job in jobs if (record := house.records.find(job)) and record.failures]
    assert len(failures) == 1
    assert failures[0][0].startswith("pc: ")


async def test_a_node_that_dies_while_it_works_interrupts_the_job(house: House, pc: FakeAutomatic1111) -> None:
    job = house.order(LONG)
    await house.until(job, lambda found: found.step > 0)
    await pc.kill()
    with pytest.raises(Interrupted, match="pc stopped in the middle of the pictures; ask again"):
        await house.studio.finished(LOCAL, job)
    found = house.studio.job(LOCAL, job)
    assert (found.state, found.error is not None) == (JobState.FAILED, True)
    assert house.used[0].outcome == "interrupted"


async def test_another_model_that_was_taken_in_silence_is_noticed(
    house: House, pc: FakeAutomatic1111, fake_automatic1111: Start
) -> None:
    pc.machine.checkpoints = pc.machine.checkpoints[:1]  # “second” is listed, and not there any more
    wish = replace(WISH, model=ModelName("second"))
    with pytest.raises(ModelMissing, match="pc used dreamshaper_8 in place of second"):
        await house.make(wish)
    await house.add("spare", (await fake_automatic1111(["second"])).url)
    assert (await house.make(wish)).node == "spare"


async def test_out_of_memory_says_what_helps(house: House, pc: FakeAutomatic1111) -> None:
    pc.faults.at(2, "oom")
    with pytest.raises(BadAnswer, match="ran out of memory; ask for a smaller picture"):
        await house.make(replace(WISH, steps=100, width=1024, height=1024))


async def test_everyone_sees_their_own(house: House, pc: FakeAutomatic1111) -> None:
    job = house.order(caller=ANN)
    with pytest.raises(NotFound):
        house.studio.job(LOCAL, job)
    with pytest.raises(NotFound):
        house.studio.follow(LOCAL, job)
    with pytest.raises(NotFound):
        await house.studio.wait(LOCAL, job, -1, 5)
    with pytest.raises(NotFound):
        await house.studio.finished(LOCAL, job)
    with pytest.raises(NotFound):
        await house.studio.stop(LOCAL, job)
    assert (await house.studio.finished(ANN, job)).pictures


async def test_who_leaves_is_not_worked_for(house: House, pc: FakeAutomatic1111) -> None:
    making = asyncio.ensure_future(house.studio.make(LOCAL, LONG, RequestId("gone")))
    await pc.timeline.wait_for("first_token")
    making.cancel()
    await house.until(RequestId("gone"), lambda found: found.state is JobState.CANCELLED)


async def test_the_line_has_an_end(house: House, pc: FakeAutomatic1111, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studio_file, "MOST_WAITING", 1)
    first = house.order(LONG)
    await pc.timeline.wait_for("first_token")
    second = house.order()
    await asyncio.sleep(0)  # it is in line now
    with pytest.raises(AllBusy, match="waiting already"):
        house.order()
    for job in (first, second):
        await house.studio.stop(LOCAL, job)


async def test_old_pictures_make_room(house: House, pc: FakeAutomatic1111, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await house.make()
    monkeypatch.setattr(shelf_file, "KEPT_BYTES", len(first.pictures[0].png))
    second = await house.make()
    with pytest.raises(NotFound, match="ten minutes"):
        house.studio.job(LOCAL, first.id)
    assert house.studio.job(LOCAL, second.id).pictures


async def test_old_pictures_go_by_themselves(
    house: House, pc: FakeAutomatic1111, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studio_file, "SWEEP_S", 0.1)
    monkeypatch.setattr(shelf_file, "KEPT_S", 0.5)
    real, swept = Shelf.sweep, asyncio.Event()

    def sweep(self: Shelf) -> None:
        real(self)
        if not self._entries:
            swept.set()

    await house.make()
    monkeypatch.setattr(Shelf, "sweep", sweep)
    running = asyncio.ensure_future(house.studio.run())
    async with asyncio.timeout(10):
        await swept.wait()  # nobody asks for the job, which would sweep too
    running.cancel()


# --- following ---


async def followed(house: House, job: RequestId) -> list[Job]:
    async with asyncio.timeout(10):
        return [now async for now in house.studio.follow(LOCAL, job)]


async def test_a_follower_hears_of_place_steps_and_end(house: House, pc: FakeAutomatic1111) -> None:
    first = house.order(LONG)
    await pc.timeline.wait_for("first_token")
    job = house.order(replace(WISH, steps=100, width=1024, height=1024))
    async with asyncio.timeout(10):
        seen = []
        async for now in house.studio.follow(LOCAL, job):
            seen.append(now)
            if now.place == 1:
                await house.studio.stop(LOCAL, first)
    assert (seen[0].state, seen[0].place) == (JobState.WAITING, 1)
    steps = [now.step for now in seen if now.state is JobState.RUNNING]
    assert steps == sorted(steps)
    assert max(steps) > 0
    assert any(now.eta_s is not None for now in seen)
    assert [now.state.is_end for now in seen] == [False] * (len(seen) - 1) + [True]
    assert seen[-1].pictures
    assert recipe_of(seen[-1].pictures[0].png) == seen[-1].pictures[0].recipe


async def test_a_follower_that_comes_late_hears_of_the_end(house: House, pc: FakeAutomatic1111) -> None:
    done = await house.make()
    assert await followed(house, done.id) == [done]


async def test_a_follower_that_leaves_changes_nothing(house: House, pc: FakeAutomatic1111) -> None:
    job = house.order(replace(WISH, steps=100, width=512, height=512))
    async for now in house.studio.follow(LOCAL, job):
        if now.step:
            break
    one, other = await asyncio.gather(followed(house, job), followed(house, job))
    assert one[-1] == other[-1]
    assert one[-1].state is JobState.DONE
    assert one[0].step >= now.step


async def test_a_door_needs_no_name_for_its_job(house: House, pc: FakeAutomatic1111) -> None:
    job = house.studio.begin(ANN, WISH)
    assert (await house.studio.finished(ANN, job.id)).pictures
    assert (await house.studio.make(ANN, WISH)).id != job.id


# --- what is left at a server ---


async def test_a_job_whose_connection_broke_is_not_left_at_its_server(house: House, pc: FakeAutomatic1111) -> None:
    pc.faults.at(3, "reset")  # the fake goes on with it, as the real one does
    lost = house.order(LONG)
    with pytest.raises((Interrupted, Unreachable)):
        await house.studio.finished(LOCAL, lost)
    assert len(pc.timeline.of("arrival")) == 1
    await house.prober.look(EndpointId("pc"))
    await house.prober.look(EndpointId("pc"))
    later = house.order()
    async with asyncio.timeout(10):
        assert (await house.studio.finished(LOCAL, later)).pictures
    assert pc.timeline.of("wait") == []  # it did not stand behind the lost one in the server's own line


async def test_when_the_house_closes_its_jobs_are_stopped(
    house: House, pc: FakeAutomatic1111, background: Background
) -> None:
    house.order(LONG)
    await pc.timeline.wait_for("first_token")
    await background.__aexit__(None, None, None)
    async with asyncio.timeout(10):
        await pc.timeline.wait_for("done")
    assert pc.machine.state.interrupted


async def test_pictures_that_somebody_else_stopped_are_no_pictures(house: House, pc: FakeAutomatic1111) -> None:
    job = house.order(replace(LONG, width=512, height=512, n=8))
    await house.until(job, lambda found: found.step > 0)
    pc.machine.state.interrupted = True
    with pytest.raises(Interrupted, match=r"Somebody stopped pc at picture \d of 8"):
        await house.studio.finished(LOCAL, job)


async def test_a_server_that_nobody_can_ask_is_never_said_to_have_begun(
    house: House, fake_automatic1111: Start
) -> None:
    bare = await fake_automatic1111(nowebui=True)
    await house.add("pc", bare.url)
    other = await house_guest(bare)
    job = house.order(replace(WISH, steps=100))
    seen = await house.until(job, lambda found: found.node == "pc")
    assert (seen.state, seen.step) == (JobState.RUNNING, 0)
    bare.machine.state.interrupted = True
    assert {now.step for now in await followed(house, job)} == {0}
    other.cancel()


@pytest.mark.parametrize("outcome", ["not_begun", "gone", "stopping"])
async def test_a_stop_is_repeated_until_the_job_ends(
    house: House, pc: FakeAutomatic1111, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that forgets the first wish, since it came while the job was prepared."""
    real, asked = Automatic1111Painter.stop, list[str]()

    async def forgetful(self: Automatic1111Painter, endpoint: Endpoint, job: RequestId) -> Stopping:
        asked.append(job)
        return await real(self, endpoint, job) if len(asked) > 1 else cast("Stopping", outcome)

    monkeypatch.setattr(Automatic1111Painter, "stop", forgetful)
    job = house.order(LONG)
    await pc.timeline.wait_for("first_token")
    assert await house.studio.stop(LOCAL, job) == "stopping"
    assert await house.studio.stop(LOCAL, job) == "stopping"
    with pytest.raises(Cancelled):
        await house.studio.finished(LOCAL, job)
    assert len(asked) >= 2
    assert house.studio.job(LOCAL, job).pictures == ()


async def test_the_next_job_comes_only_when_no_stop_is_under_way(
    house: House, pc: FakeAutomatic1111, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between "it is ours" and the switch that stops whoever runs, our job may end: the next one must not be hit."""
    real, hold, asking = Automatic1111Painter.stop, asyncio.Event(), asyncio.Event()

    async def slow(self: Automatic1111Painter, endpoint: Endpoint, job: RequestId) -> Stopping:
        said = await real(self, endpoint, job)
        asking.set()
        await hold.wait()
        return said

    loop, made = asyncio.get_running_loop(), asyncio.Event()
    inscribed = studio_file._inscribed

    def finish(*work: Any) -> Any:
        loop.call_soon_threadsafe(made.set)
        return inscribed(*work)

    monkeypatch.setattr(studio_file, "_inscribed", finish)
    monkeypatch.setattr(Automatic1111Painter, "stop", slow)
    job = house.order(LONG)
    await pc.timeline.wait_for("first_token")
    stopping = asyncio.ensure_future(house.studio.stop(LOCAL, job))
    await asking.wait()
    later = house.order()
    await made.wait()
    for _ in range(100):  # time to end, if it were wrong
        await asyncio.sleep(0)
    assert house.studio.job(LOCAL, job).state is JobState.RUNNING
    assert len(pc.timeline.of("arrival")) == 1
    hold.set()
    assert await stopping == "stopping"
    assert (await house.studio.finished(LOCAL, later)).pictures
    assert house.studio.job(LOCAL, job).state is JobState.CANCELLED


@dataclass
class Quotas:
    """A quota that is enough, unless `error` says otherwise, and what was settled."""

    error: HalextError | None = None
    wanted: list[Amounts] = field(default_factory=list)
    settled: list[Amounts] = field(default_factory=list)

    async def reserve(self, caller: Caller, wanted: Amounts) -> Reservation | None:
        if self.error:
            raise self.error
        self.wanted.append(wanted)
        return self

    def settle(self, spent: Amounts) -> None:
        self.settled.append(spent)


@pytest.fixture
def quotas(house: House) -> Quotas:
    house.studio._quota = quotas = Quotas()
    return quotas


async def test_pictures_are_reserved_and_settled(house: House, pc: FakeAutomatic1111, quotas: Quotas) -> None:
    await house.make(replace(WISH, n=2))
    assert quotas.wanted == [{Measure.REQUESTS: 1, Measure.IMAGES: 2, Measure.GPU_SECONDS: 0}]
    (spent,) = quotas.settled
    assert spent[Measure.IMAGES] == 2
    assert spent[Measure.GPU_SECONDS] > 0


async def test_who_has_no_pictures_left_reaches_no_node(house: House, pc: FakeAutomatic1111, quotas: Quotas) -> None:
    quotas.error = QuotaSpent(retry_after_s=9)
    with pytest.raises(QuotaSpent) as refused:
        await house.make()
    assert refused.value.retry_after_s == 9
    assert (quotas.settled, house.used) == ([], [])
    assert [request.path for request in pc.requests if request.path.endswith("txt2img")] == []


async def test_a_job_that_is_stopped_costs_its_time_and_no_picture(
    house: House, pc: FakeAutomatic1111, quotas: Quotas
) -> None:
    running, waiting = house.order(LONG), house.order(LONG)
    await house.until(running, lambda job: job.step > 0)
    for job in (waiting, running):
        await house.studio.stop(LOCAL, job)
        with pytest.raises(Cancelled):
            await house.studio.finished(LOCAL, job)
    dequeued, stopped = quotas.settled
    assert dequeued == {Measure.IMAGES: 0, Measure.GPU_SECONDS: 0}
    assert stopped[Measure.IMAGES] == 0
    assert stopped[Measure.GPU_SECONDS] > 0


async def test_a_job_that_fails_is_settled_once(house: House, pc: FakeAutomatic1111, quotas: Quotas) -> None:
    job = house.order(LONG)
    await house.until(job, lambda found: found.step > 0)
    await pc.kill()
    with pytest.raises(Interrupted):
        await house.studio.finished(LOCAL, job)
    (spent,) = quotas.settled
    assert spent[Measure.IMAGES] == 0
    assert spent[Measure.GPU_SECONDS] > 0
