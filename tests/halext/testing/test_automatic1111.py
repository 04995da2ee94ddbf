"""The fake web UI, asked with a plain HTTP client as the real one would be."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from halext.testing.automatic1111 import FakeAutomatic1111, FakeCheckpoint
from halext.testing.clock import ManualClock, ScaledClock
from halext.testing.pictures import texts_of

Start = Callable[..., Awaitable[FakeAutomatic1111]]
WISH = {"prompt": "a lighthouse", "seed": 7, "steps": 4, "width": 64, "height": 64}
MODELS = [FakeCheckpoint("first", load_s=1), FakeCheckpoint("second", load_s=1)]


@pytest.fixture
async def fake(fake_automatic1111: Start) -> FakeAutomatic1111:
    return await fake_automatic1111(MODELS, clock=ScaledClock(1000))


@pytest.fixture
async def http(fake: FakeAutomatic1111) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=fake.url, verify=False) as client:
        yield client


async def paint(http: httpx.AsyncClient, **fields: Any) -> httpx.Response:
    return await http.post("/sdapi/v1/txt2img", json=WISH | fields)


async def progress(http: httpx.AsyncClient, task: str, **fields: Any) -> dict[str, Any]:
    body: dict[str, Any] = (await http.post("/internal/progress", json={"id_task": task, **fields})).json()
    return body


def pictures(answer: httpx.Response) -> list[bytes]:
    return [base64.b64decode(image) for image in answer.json()["images"]]


async def test_a_picture_with_its_parameters_inside(http: httpx.AsyncClient) -> None:
    answer = await paint(http, negative_prompt="fog")
    (png,) = pictures(answer)
    info = json.loads(answer.json()["info"])
    assert texts_of(png)["parameters"] == info["infotexts"][0]
    assert info["infotexts"][0].startswith("a lighthouse\nNegative prompt: fog\nSteps: 4, Sampler: DPM++ 2M, CFG")
    assert (info["all_seeds"], info["sd_model_hash"]) == ([7], MODELS[0].hash)
    told = await http.post("/sdapi/v1/png-info", json={"image": base64.b64encode(png).decode()})
    assert told.json()["info"] == info["infotexts"][0]
    assert (await http.post("/sdapi/v1/png-info", json={"image": "AAAA"})).status_code == 500


async def test_several_pictures_and_their_grid(http: httpx.AsyncClient) -> None:
    plain = await paint(http, n_iter=2)
    assert len(pictures(plain)) == 2
    saved = await paint(http, n_iter=2, save_images=True)
    assert len(pictures(saved)) == 3
    assert json.loads(saved.json()["info"])["index_of_first_image"] == 1
    assert pictures(saved)[1:] == pictures(plain)


async def test_lists(http: httpx.AsyncClient, fake: FakeAutomatic1111) -> None:
    rows = (await http.get("/sdapi/v1/sd-models")).json()
    assert [(row["model_name"], row["hash"]) for row in rows] == [(model.name, model.hash) for model in MODELS]
    assert "Euler a" in [row["name"] for row in (await http.get("/sdapi/v1/samplers")).json()]
    assert (await http.get("/sdapi/v1/options")).json()["sd_model_checkpoint"] == MODELS[0].title
    assert (await http.post("/sdapi/v1/options", json={"sd_model_checkpoint": "second"})).status_code == 200
    assert fake.machine.loaded.name == "second"
    assert (await http.get("/sdapi/v1/memory")).json()["cuda"]["events"]["oom"] == 0


async def test_progress_of_ones_own_job_and_of_nobody(fake_automatic1111: Start, manual_clock: ManualClock) -> None:
    fake = await fake_automatic1111(clock=manual_clock, step_s=1, prepare_s=1)
    async with httpx.AsyncClient(base_url=fake.url, verify=False) as http, asyncio.TaskGroup() as group:
        for task in ("one", "two"):
            group.create_task(paint(http, force_task_id=task, steps=20, width=512, height=512))
            await fake.timeline.wait_for("arrival", count=1 if task == "one" else 2)
        await fake.timeline.wait_for("wait")
        assert (await http.get("/sdapi/v1/progress")).json()["progress"] == 0.01
        assert (await progress(http, "two"))["textinfo"] == "In queue: 1/1"
        assert (await progress(http, "nobody"))["textinfo"] == "Waiting..."
        assert (await http.get("/internal/pending-tasks")).json() == {"size": 1, "tasks": ["two"]}
        await manual_clock.advance(11.5)
        told = await progress(http, "one")
        assert (told["active"], told["progress"], told["completed"]) == (True, 0.5, False)
        assert told["eta"] == pytest.approx(11, abs=1)
        assert told["live_preview"].startswith("data:image/png;base64,")
        assert (await progress(http, "one", id_live_preview=1))["live_preview"] is None
        whole = (await http.get("/sdapi/v1/progress")).json()
        assert (whole["progress"], whole["state"]["sampling_step"]) == (0.51, 10)
        await manual_clock.advance(100)
        assert (await progress(http, "one"))["completed"] is True
    assert (await fake.timeline.wait_for("done", count=2)).kind == "done"


async def test_an_interrupt_stops_whoever_runs_and_is_lost_on_who_waits(
    fake_automatic1111: Start, manual_clock: ManualClock
) -> None:
    fake = await fake_automatic1111(clock=manual_clock, step_s=1, prepare_s=1)
    async with httpx.AsyncClient(base_url=fake.url, verify=False) as http, asyncio.TaskGroup() as group:
        assert (await http.post("/sdapi/v1/interrupt")).json() == {}  # nobody runs: lost
        first = group.create_task(paint(http, n_iter=3))
        await fake.timeline.wait_for("arrival")
        second = group.create_task(paint(http))
        await fake.timeline.wait_for("wait")
        await manual_clock.advance(1.01)
        await http.post("/sdapi/v1/interrupt")
        await manual_clock.advance(100)
    assert first.result().status_code == 200
    assert len(pictures(first.result())) == 1
    assert pictures(first.result()) != pictures(second.result())


async def test_a_job_goes_on_when_its_client_leaves(http: httpx.AsyncClient, fake: FakeAutomatic1111) -> None:
    with pytest.raises(httpx.TimeoutException):
        await http.post("/sdapi/v1/txt2img", json=WISH | {"steps": 5000}, timeout=0.05)
    await fake.timeline.wait_for("cancelled")
    assert fake.machine.is_busy
    await http.post("/sdapi/v1/interrupt")
    await fake.timeline.wait_for("done")


async def test_a_job_that_failed_looks_active_until_the_next_one(
    http: httpx.AsyncClient, fake: FakeAutomatic1111
) -> None:
    fake.faults.at(2, "oom")
    answer = await paint(http, force_task_id="mine")
    assert answer.status_code == 500
    assert answer.json()["error"] == "OutOfMemoryError"
    assert "CUDA out of memory" in answer.json()["errors"]
    assert (await progress(http, "mine"))["active"] is True
    assert (await http.get("/sdapi/v1/memory")).json()["cuda"]["events"]["oom"] == 1
    assert (await paint(http)).status_code == 200
    assert (await progress(http, "mine"))["active"] is False


async def test_faults_of_the_connection(http: httpx.AsyncClient, fake: FakeAutomatic1111) -> None:
    fake.faults.at(2, "reset")
    with pytest.raises(httpx.TransportError):
        await paint(http)
    await fake.timeline.wait_for("done")  # the job did not mind
    fake.faults.at("before_done", "reset")
    with pytest.raises(httpx.TransportError):
        await paint(http)
    fake.faults.at("head", "page")
    assert (await paint(http)).status_code == 530
    fake.faults.at(1, "eof")
    assert (await paint(http)).content == b""
    assert (await paint(http)).status_code == 200


async def test_what_is_wrong_is_refused(http: httpx.AsyncClient) -> None:
    wrong = await paint(http, steps="many")
    assert (wrong.status_code, wrong.json()["detail"][0]["loc"]) == (422, ["body", "steps"])
    assert (await paint(http, sampler_name="magic")).json() == {"detail": "Sampler not found"}
    assert (await http.get("/api/version")).json() == {"detail": "Not Found"}
    assert (await http.get("/sdapi/v1/txt2img")).status_code == 405
    assert (await http.post("/sdapi/v1/options", json={"sd_model_checkpoint": "x"})).status_code == 500


async def test_a_password_guards_only_the_api(http: httpx.AsyncClient, fake: FakeAutomatic1111) -> None:
    fake.require_header = ("authorization", "Basic b25lOnR3bw==")
    assert (await http.get("/sdapi/v1/options")).status_code == 401
    assert (await http.post("/internal/progress", json={"id_task": "x"})).status_code == 200
    assert (await http.get("/sdapi/v1/options", auth=("one", "two"))).status_code == 200


async def test_forge_and_a_server_without_its_page(fake_automatic1111: Start) -> None:
    forge = await fake_automatic1111(flavour="forge", clock=ScaledClock(1000))
    bare = await fake_automatic1111(nowebui=True)
    async with httpx.AsyncClient(verify=False) as http:
        assert (await http.get(f"{forge.url}/sdapi/v1/sd-modules")).status_code == 200
        forge.faults.at("head", "error")
        failed = await http.post(f"{forge.url}/sdapi/v1/txt2img", json=WISH)
        assert (failed.status_code, failed.text) == (500, "Internal Server Error")
        assert (await http.get(f"{bare.url}/sdapi/v1/sd-modules")).status_code == 404
        assert (await http.post(f"{bare.url}/internal/progress", json={})).status_code == 404


async def test_the_power_goes_and_comes_back(http: httpx.AsyncClient, fake: FakeAutomatic1111) -> None:
    waiting = asyncio.ensure_future(http.post("/sdapi/v1/txt2img", json=WISH | {"steps": 50_000}))
    await fake.timeline.wait_for("first_token")
    await fake.kill()
    with pytest.raises(httpx.TransportError):
        await waiting
    await fake.start()
    assert not fake.machine.is_busy
    assert (await paint(http)).status_code == 200
