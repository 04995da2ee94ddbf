"""Jobs over HTTP, done by a real worker beside the door."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from sqlalchemy import text

from halext.runtime.worker_service import WorkerService
from tests.web.conftest import PATIENCE_S, House

BATCH_LIMIT = 16 * 1024 * 1024


@asynccontextmanager
async def working(house: House) -> AsyncIterator[None]:
    """A worker in this process."""
    task = asyncio.get_running_loop().create_task(WorkerService().run(house.app, lambda line: None))
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def ended(client: httpx.AsyncClient, job: int) -> Any:
    while True:
        found = (await client.get(f"/hx/jobs/{job}")).json()
        if found["state"] not in {"queued", "running"}:
            return found
        await asyncio.sleep(0.01)


async def test_a_question_is_answered_while_nobody_waits(house: House, member: httpx.AsyncClient) -> None:
    house.script.say("4", "2")
    added = (await member.post("/hx/jobs", json={"prompt": "6 x 7?", "key": "k", "options": {"seed": 1}})).json()
    assert (added["state"], added["answer"]) == ("queued", None)
    again = (await member.post("/hx/jobs", json={"prompt": "6 x 7?", "key": "k", "options": {"seed": 1}})).json()
    assert again["id"] == added["id"]
    other = await member.post("/hx/jobs", json={"prompt": "6 x 8?", "key": "k"})
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    async with working(house):
        done = await ended(member, added["id"])
    assert (done["state"], done["answer"]["text"], done["answer"]["node"]) == ("done", "42", "mac")
    assert done["answer"]["completion_tokens"] == 2
    (usage,) = (await member.get("/hx/usage")).json()
    assert (usage["user"], usage["requests"]) == ("Mia", 1)


async def test_cancelled_its_node_stops(house: House, member: httpx.AsyncClient) -> None:
    house.script.hold(1)
    async with working(house):
        job = (await member.post("/hx/jobs", json={"prompt": "x"})).json()["id"]
        await house.script.began.wait()
        await member.post(f"/hx/jobs/{job}/cancel")
        assert (await ended(member, job))["state"] == "cancelled"
        await house.script.closed.wait()
    assert (await member.delete(f"/hx/jobs/{job}")).status_code == 200
    assert (await member.get(f"/hx/jobs/{job}")).status_code == 404


async def test_somebody_who_is_shut_out_has_nothing_done(house: House, member: httpx.AsyncClient) -> None:
    job = (await member.post("/hx/jobs", json={"prompt": "x"})).json()["id"]
    await house.app.people.set_disabled("Mia", disabled=True)
    async with working(house):
        await idle(house)
    await house.app.people.set_disabled("Mia", disabled=False)
    found = (await member.get(f"/hx/jobs/{job}")).json()
    assert (found["state"], found["error"]["message"]) == ("failed", "Its owner is shut out, so it was not done.")
    assert house.script.requests == []


async def idle(house: House) -> None:
    """Wait until nothing is left to do."""
    left = text("SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')")
    while True:
        async with house.app.database.reader.connect() as connection:
            if not (await connection.execute(left)).scalar_one():
                return
        await asyncio.sleep(0.01)


async def test_ten_thousand_at_once_and_no_more(member: httpx.AsyncClient) -> None:
    prompts = [f"{number} " + "x" * 200 for number in range(10_000)]  # more than other addresses take
    sent = await member.post("/hx/jobs/batch", json={"name": "many", "prompts": prompts})
    assert sent.json() == {"name": "many", "new": 10_000, "known": 0}
    page = (await member.get("/hx/jobs", params={"name": "many", "limit": 500})).json()
    assert [row["key"] for row in page] == [f"many/{number}" for number in range(9_999, 9_499, -1)]
    following = (await member.get("/hx/jobs", params={"after": page[-1]["id"], "limit": 1})).json()
    assert following[0]["key"] == "many/9499"
    refused = await member.post("/hx/jobs/batch", json={"name": "more", "prompts": ["x"] * 10_001})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_input")
    refused = await member.post("/hx/jobs/batch", content=b"x" * (BATCH_LIMIT + 1))
    assert refused.status_code == 413
    refused = await member.post("/hx/jobs", content=b"x" * (1024 * 1024 + 1))
    assert refused.status_code == 413
    assert (await member.post("/hx/jobs/cancel", json={"name": "many"})).json() == {"cancelled": 10_000}
