"""`map`, both ways and both styles: order, shape, failures, going on, stopping."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd  # type: ignore[import-untyped]  # it brings no types along
import pytest

from halext.client.aio import AsyncClient
from halext.client.job import AsyncJob, Job
from halext.client.outcome import Failure
from halext.client.sync import Client
from halext.errors import BadAnswer, InvalidInput, RequestRefused, Stopped
from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama

if TYPE_CHECKING:
    from tests.halext.client.conftest import Place

MODEL = "llama3.2:3b"


@dataclass
class Mood:
    mood: Literal["good", "bad"]


def prompts(*servers: FakeOllama) -> Counter[str]:
    """What was asked, and how often."""
    bodies = (r.json() for server in servers for r in server.requests if r.path == "/api/chat")
    return Counter(body["messages"][0]["content"] for body in bodies)


async def test_values_come_in_the_order_of_the_items(hx: Client, place: Place, tmp_path: Path) -> None:
    def use() -> Job:
        job = hx.map((f"r{n}" for n in range(70)), "About {}", model=MODEL, folder=tmp_path, system="Be brief.")
        assert job.result() == ["Hello there"] * 70
        return job

    job = await asyncio.to_thread(use)
    assert (len(job), job.is_running, job.failures) == (70, False, [])
    assert prompts(*place.ollamas) == Counter({"Be brief.": 70})
    assert set(job.progress.nodes) == set(place.nodes)
    assert all(server.timeline.of("done") for server in place.servers)


async def test_a_series_keeps_its_index(hx: Client, tmp_path: Path) -> None:
    frame = pd.DataFrame({"text": ["a", "b"]}, index=["first", "second"])

    def use() -> None:
        job = hx.map(frame["text"], "{}", model=MODEL, folder=tmp_path)
        frame["answer"] = job.result(errors="keep")
        rows = hx.map(frame, "{text} and {answer}", model=MODEL, folder=tmp_path)
        assert list(rows.df.index) == ["first", "second"]
        assert list(rows.df["value"]) == ["Hello there"] * 2

    await asyncio.to_thread(use)
    assert dict(frame["answer"]) == {"first": "Hello there", "second": "Hello there"}


async def test_iterating_gives_values_as_they_come(fleet: Place, hx: Client, tmp_path: Path) -> None:
    def use() -> list[str]:
        values = iter(hx.map([f"r{n}" for n in range(30)], "{}", model=MODEL, folder=tmp_path))
        return [next(values), *values]

    assert await asyncio.to_thread(use) == ["Hello there"] * 30


async def test_schema_answers_are_values(tmp_path: Path) -> None:
    async with FakeOllama([FakeModel(MODEL)]) as ollama, AsyncClient(ollama.url) as hx:
        values = await hx.map(["a", "b"], "{}", schema=Mood, folder=tmp_path).result()
    assert {type(value) for value in values} == {Mood}
    body, _ = [r.json() for r in ollama.requests if r.path == "/api/chat"]
    assert body["format"]["properties"]["mood"]["enum"] == ["bad", "good"]


async def test_failures_are_values(tmp_path: Path) -> None:
    async with FakeOllama([FakeModel(MODEL)]) as ollama, AsyncClient(ollama.url) as hx:
        unknown = {"type": "object", "properties": {}, "required": ["mood"]}
        job = hx.map(["a", "b"], "{}", schema=unknown, folder=tmp_path)
        kept = await job.result(errors="keep")
        assert all(isinstance(value, Failure) for value in kept)
        assert [(value.index, value.error.code, value.attempts, value.text) for value in kept] == [
            (0, "bad_answer", 2, "{}"),
            (1, "bad_answer", 2, "{}"),
        ]
        assert await job.result(errors="none") == [None, None]
        with pytest.raises(BadAnswer, match="does not fit") as caught:
            await job.result()
        assert "and 1 more" in caught.value.__notes__[0]
        assert [failure.index for failure in await job.failures] == [0, 1]
        assert list((await job.df)["error"]) == ["bad_answer"] * 2
        with pytest.raises(InvalidInput, match="'keep'"):
            await job.result(errors="all")  # type: ignore[arg-type]  # the mistake is the test


async def test_running_it_again_asks_only_what_failed_or_is_missing(hx: Client, place: Place, tmp_path: Path) -> None:
    def run(count: int) -> Job:
        job = hx.map([f"r{n}" for n in range(count)], "{}", model=MODEL, job="x", folder=tmp_path)
        job.wait()
        return job

    for server in place.servers:
        server.faults.at("head", "error", status=400)
    first = await asyncio.to_thread(run, 10)
    assert {failure.error.code for failure in first.failures} == {RequestRefused.code}
    failed = len(first.failures)
    before = place.asked()
    second = await asyncio.to_thread(run, 12)
    assert second.failures == []
    assert place.asked() - before == failed + 2
    assert (second.progress.hits, second.progress.done) == (10 - failed, 12)
    assert list(second.df["known_before"]).count(True) == 10 - failed


@pytest.mark.parametrize(("cache", "asked_again"), [("read", 0), ("refresh", 4), ("off", 4)])
async def test_without_a_name_answers_are_known_by_what_was_asked(
    cache: Literal["read", "refresh", "off"], asked_again: int, hx: Client, place: Place, tmp_path: Path
) -> None:
    def run(cache: Literal["read", "refresh", "off"]) -> list[str]:
        values: list[str] = hx.map(["a", "b", "a", "c"], "{}", model=MODEL, folder=tmp_path, cache=cache).result()
        return values

    await asyncio.to_thread(run, "read")
    assert place.asked() == 4
    await asyncio.to_thread(run, cache)
    assert place.asked() == 4 + asked_again


async def test_the_model_counts_and_not_its_name(tmp_path: Path) -> None:
    async with FakeOllama([FakeModel(MODEL, script=["old"])]) as ollama:
        async with AsyncClient(ollama.url) as hx:
            assert await hx.map(["a"], "{}", model=MODEL, folder=tmp_path).result() == ["old"]
        ollama.add(FakeModel(MODEL, script=["new"], digest="ab" * 32))
        async with AsyncClient(ollama.url) as hx:
            await hx.map(["b"], "{}", model=MODEL, folder=tmp_path).result()
            await hx.map(["a"], "{}", model=MODEL, folder=tmp_path).result()
    assert prompts(ollama) == Counter(a=2, b=1)


async def test_cancelling_keeps_what_has_come_and_stops_the_nodes(fleet: Place, hx: Client, tmp_path: Path) -> None:
    def items() -> Iterator[str]:
        for number in range(1_000_000):
            read.append(number)
            yield str(number)

    read: list[int] = []
    for server in fleet.servers:
        server.faults.at(2, "stall", times=None, model=None) if server is fleet.servers[0] else None
    job = hx.map(items(), "{}", model=MODEL, job="x", folder=tmp_path)
    await fleet.servers[1].timeline.wait_for("done", count=25)
    await asyncio.to_thread(job.cancel)
    await fleet.servers[0].timeline.wait_for("cancelled")
    assert not job.is_running
    assert job.progress.state == "stopped"
    assert "run it again to go on" in repr(job)
    assert len(read) < 2_000, "only a window is read"
    with pytest.raises(Stopped, match="run the cell to go on"):
        job.result()
    kept = job.result(errors="keep")
    assert len([value for value in kept if value]) == job.progress.done >= 24
    assert {value.error.code for value in kept if not value} == {"stopped"}
    assert sum(1 for _ in job) == len(kept)


async def test_the_same_job_begun_again_takes_over(fleet: Place, hx: Client, tmp_path: Path) -> None:
    fleet.servers[0].faults.at(2, "stall", times=4)
    first = hx.map([f"r{n}" for n in range(40)], "{}", model=MODEL, job="x", folder=tmp_path)
    await fleet.servers[1].timeline.wait_for("done", count=5)
    second = hx.map([f"r{n}" for n in range(40)], "{}", model=MODEL, job="x", folder=tmp_path)
    assert await asyncio.to_thread(second.result) == ["Hello there"] * 40
    assert first.progress.state == "stopped"
    assert second.progress.hits >= 1


async def test_a_node_that_dies_loses_nothing(fleet: Place, hx: Client, tmp_path: Path) -> None:
    job = hx.map([f"r{n}" for n in range(120)], "{}", model=MODEL, folder=tmp_path)
    await fleet.servers[0].timeline.wait_for("done", count=10)
    await fleet.servers[0].kill()
    assert await asyncio.to_thread(job.result) == ["Hello there"] * 120
    await fleet.servers[0].start()


async def test_wait_with_a_time_stops_nothing(fleet: Place, tmp_path: Path) -> None:
    for server in fleet.servers:
        server.faults.at(2, "stall", times=None)
    async with AsyncClient(*fleet.urls) as hx:
        job = hx.map(["a"], "{}", model=MODEL, folder=tmp_path)
        assert not await job.wait(0.05)
        assert job.is_running
        await job.cancel()
        assert await job.wait()


async def test_cancelling_who_waits_stops_the_job(fleet: Place, tmp_path: Path) -> None:
    for server in fleet.servers:
        server.faults.at(2, "stall", times=None)
    async with AsyncClient(*fleet.urls) as hx:
        job = hx.map(["a"], "{}", model=MODEL, folder=tmp_path)
        waiting = asyncio.get_running_loop().create_task(job.result())
        await fleet.wait_for("first_token")
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await fleet.wait_for("cancelled")
        assert await job.wait(5)


async def test_async_iteration(fleet: Place, tmp_path: Path) -> None:
    async with AsyncClient(*fleet.urls) as hx:
        job = hx.map(range(5), "{}", model=MODEL, folder=tmp_path)
        assert [value async for value in job] == ["Hello there"] * 5
        assert len(job) == 5


async def test_closing_the_client_ends_the_job_and_keeps_what_came(fleet: Place, tmp_path: Path) -> None:
    fleet.servers[0].faults.at(2, "stall", times=None)
    hx = Client(*fleet.urls)
    job = hx.map(range(1_000_000), "{}", model=MODEL, job="x", folder=tmp_path)
    await fleet.servers[1].timeline.wait_for("done", count=5)
    await asyncio.to_thread(hx.close)
    assert not job.is_running
    assert len([value for value in job.result("none")[:1_000] if value]) >= 4


async def test_a_generator_that_fails_is_the_jobs_error(hx: Client, tmp_path: Path) -> None:
    def items() -> Iterator[str]:
        yield "a"
        raise OSError("the file is gone")

    job = hx.map(items(), "{}", model=MODEL, folder=tmp_path)
    with pytest.raises(OSError, match="the file is gone"):
        await asyncio.to_thread(job.result)


def test_both_have_the_same_names_and_parameters() -> None:
    sync, awaited = (
        {name: member for name, member in vars(kind).items() if not name.startswith("_")} for kind in (Job, AsyncJob)
    )
    assert set(sync) == set(awaited)
    for name, member in sync.items():
        assert isinstance(member, property) == isinstance(awaited[name], property)
        if callable(member):
            assert inspect.signature(member).parameters == inspect.signature(awaited[name]).parameters


def test_mistakes_are_said_before_anything_is_begun() -> None:
    hx = Client("http://127.0.0.1:9")
    with pytest.raises(InvalidInput, match="no place"):
        hx.map(["a"], "Classify")
    with pytest.raises(TypeError, match="did you mean 'temperature'"):
        hx.map(["a"], "{}", temprature=1)  # type: ignore[call-arg]  # the mistake is the test


# --- in a process of its own ---

SCRIPT = """
import json, sys, halext
url, folder, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
hx = halext.Client(url)
job = hx.map((f"r{n}" for n in range(count)), "{}", model="llama3.2:3b", job="x", folder=folder)
print(json.dumps([job.result(), job.progress.hits]))
"""


async def start(ollama: FakeOllama, folder: Path, count: int) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    words = (sys.executable, "-c", SCRIPT, ollama.url, str(folder), str(count))
    return await asyncio.create_subprocess_exec(*words, stdout=pipe, stderr=pipe)


async def said(child: asyncio.subprocess.Process) -> tuple[str, str]:
    async with asyncio.timeout(60):
        out, err = await child.communicate()
    return out.decode(), err.decode()


def known(folder: Path) -> int:
    with sqlite3.connect(folder / "x.job") as database:
        (count,) = database.execute("SELECT count(*) FROM answers WHERE code = ''").fetchone()
    database.close()
    return int(count)


async def test_after_a_kill_only_the_missing_ones_are_asked_again(tmp_path: Path) -> None:
    async with FakeOllama([FakeModel(MODEL, script=["hi"], load_s=0.1)], slots=2) as ollama:
        child = await start(ollama, tmp_path, 400)
        await ollama.timeline.wait_for("done", count=150, timeout_s=60)
        child.kill()
        await said(child)
        kept, before = known(tmp_path), prompts(ollama)
        assert 100 <= kept <= sum(before.values()) < 400
        child = await start(ollama, tmp_path, 400)
        out, err = await said(child)
        assert (child.returncode, err) == (0, "")
        values, hits = json.loads(out)
        again = prompts(ollama) - before
    assert values == ["hi"] * 400
    assert (hits, sum(again.values())) == (kept, 400 - kept)
    assert set(again.values()) == {1}
    assert set(prompts(ollama)) == {f"r{number}" for number in range(400)}


@pytest.mark.skipif(os.name == "nt", reason="SIGINT can't be sent to a child there")
async def test_ctrl_c_stops_the_nodes_keeps_what_came_and_says_how_to_go_on(tmp_path: Path) -> None:
    async with FakeOllama([FakeModel(MODEL, script=["a", "b"], load_s=0.1)]) as ollama:
        child = await start(ollama, tmp_path, 400)
        await ollama.timeline.wait_for("done", count=30, timeout_s=60)
        ollama.faults.at(2, "stall", times=None)
        arrived = len(ollama.timeline.of("first_token"))
        await ollama.timeline.wait_for("first_token", count=arrived + 1)
        child.send_signal(signal.SIGINT)
        await ollama.timeline.wait_for("cancelled")
        _, err = await said(child)
    assert child.returncode != 0
    assert f"KeyboardInterrupt: {known(tmp_path)} done; run the cell to go on" in err
    assert known(tmp_path) == len(ollama.timeline.of("done"))
    assert "never" not in err
