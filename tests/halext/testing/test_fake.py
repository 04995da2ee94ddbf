from __future__ import annotations

import asyncio
import gc

import httpx
import pytest

from halext.testing.clock import ScaledClock
from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama
from halext.testing.server import in_thread


async def test_what_becomes_of_a_request_stands_in_the_timeline() -> None:
    async with (
        FakeOllama([FakeModel("m", script=["x"])], clock=ScaledClock(1000)) as fake,
        httpx.AsyncClient(base_url=fake.url, verify=False) as http,
    ):
        await http.get("/api/tags")
        assert fake.open_connections == 1
        await http.post("/api/generate", json={"model": "M", "prompt": "hi"})
        await http.post("/api/generate", json={"model": "x", "prompt": "hi"})
        kinds = ["arrival", "wait", "load_start", "load_end", "first_token", "done", "arrival", "error"]
        assert [entry.kind for entry in fake.timeline] == kinds
        assert {entry.request for entry in fake.timeline.of("arrival", "done", "error")} == {2, 3}
        assert fake.timeline[-1].detail == "404 model 'x' not found"
        times = [entry.at for entry in fake.timeline]
        assert times == sorted(times)
        assert [request.path for request in fake.requests] == ["/api/tags", "/api/generate", "/api/generate"]


async def test_nothing_stays_behind() -> None:
    stuck = FakeModel("m", load_s=1e6)
    fake = FakeOllama([stuck, "n"], clock=ScaledClock(1000))
    async with fake, httpx.AsyncClient(base_url=fake.url, verify=False) as http:
        await http.post("/api/generate", json={"model": "n"})  # leaves a keep-alive timer
        asked = asyncio.create_task(http.post("/api/generate", json={"model": "m"}))
        await fake.timeline.wait_for("load_start", model="m")
        await fake.kill()
        with pytest.raises(httpx.TransportError):
            await asked
    assert asyncio.all_tasks() == {asyncio.current_task()}
    gc.collect()  # an unclosed socket would warn, and warnings are errors


async def test_a_bug_in_a_background_task_comes_out_at_the_end() -> None:
    fake = FakeOllama()
    await fake.start()

    async def broken() -> None:
        raise KeyError("a bug")

    fake._spawn(broken())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    with pytest.raises(KeyError, match="a bug"):
        await fake.close()


async def test_head_faults_reach_probes_that_are_named() -> None:
    async with FakeOllama() as fake, httpx.AsyncClient(base_url=fake.url, verify=False) as http:
        fake.faults.at("head", "error", path="/api/ps", status=500, text="torn down")
        assert (await http.get("/api/tags")).status_code == 200
        assert (await http.get("/api/ps")).json() == {"error": "torn down"}
        assert (await http.get("/api/ps")).status_code == 200


def test_it_serves_those_who_are_not_async() -> None:
    with in_thread(FakeOllama(["m"])) as fake, httpx.Client(base_url=fake.url, verify=False) as http:
        assert [model["name"] for model in http.get("/api/tags").json()["models"]] == ["m:latest"]
