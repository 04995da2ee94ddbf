"""Questions in the background: halext is killed in the middle of a batch, and comes back."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet

from halext.storage.schema import upgrade
from halext.testing.clock import ScaledClock
from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama
from halext.testing.server import in_thread
from tests.conftest import Postgres, opened

from .conftest import House, Up

QUESTIONS = [f"What is {number}?" for number in range(12)]
PATIENCE_S = 60.0


@pytest.fixture
def node() -> Iterator[FakeOllama]:
    """A node that takes half a second for an answer."""
    model = FakeModel("m", script=("It", " is", " a", " number", "."), tokens_per_s=10, load_s=0.1)
    with in_thread(FakeOllama([model], clock=ScaledClock(1), keep_alive_s=1e7, slots=2)) as fake:
        assert isinstance(fake, FakeOllama)
        yield fake


def door(house: House) -> httpx.Client:
    """This machine's own way in."""
    headers = {"Authorization": f"Bearer {house.told['token']}"}
    return httpx.Client(base_url=house.url, headers=headers, timeout=PATIENCE_S)


def until(client: httpx.Client, wanted: Callable[[list[str]], bool]) -> list[str]:
    """The states of the jobs, once they are as wanted."""
    found: list[str] = []
    for _ in range(int(PATIENCE_S / 0.05)):
        found = [row["state"] for row in client.get("/hx/jobs", params={"name": "numbers", "user": "Ann"}).json()]
        if wanted(found):
            return found
        threading.Event().wait(0.05)
    raise AssertionError(found)


def test_killed_in_the_middle_of_a_batch(up: Up, node: FakeOllama, halext: Callable[..., Any]) -> None:
    house = up("--no-demo")
    assert "worker" in house.said
    with door(house) as client:
        client.post("/hx/nodes", json={"name": "mac", "urls": [node.url]}).raise_for_status()
        client.post("/hx/admin/users", json={"name": "Ann"}).raise_for_status()
        asked = {"name": "numbers", "prompts": QUESTIONS, "user": "Ann"}
        assert client.post("/hx/jobs/batch", json=asked).json() == {"name": "numbers", "new": 12, "known": 0}
        before = until(client, lambda found: "done" in found)
    house.stop(signal.SIGKILL)
    assert before != ["done"] * 12, "the kill is to come in the middle"

    again = up("--no-demo", data=house.data)
    with door(again) as client:
        until(client, lambda found: found == ["done"] * 12)
    results = halext("job", "results", "numbers", "--user", "Ann", "--json", data=again.data)
    rows = [json.loads(line) for line in results.stdout.splitlines()]
    assert [row["prompt"] for row in rows] == QUESTIONS, "in their order"
    assert {row["answer"]["text"] for row in rows} == {"It is a number."}
    assert sum(row["attempts"] for row in rows) <= 12 + 2, "no more was done again than was under way"
    assert again.stop(signal.SIGTERM) == 0


async def test_a_worker_in_a_process_of_its_own(up: Up, node: FakeOllama, postgres: Postgres, tmp_path: Path) -> None:
    name = await postgres.create()
    async with opened(postgres.url(name)) as database:
        await upgrade(database)
    shared = {"HALEXT_DATABASE_URL": postgres.url(name), "HALEXT_MASTER_KEY": Fernet.generate_key().decode()}
    web = up("--no-demo", "web", data=tmp_path / "web", **shared)
    with door(web) as client:
        client.post("/hx/nodes", json={"name": "mac", "urls": [node.url]}).raise_for_status()
        client.post("/hx/admin/users", json={"name": "Ann"}).raise_for_status()
        worker = up("--no-demo", "worker", data=tmp_path / "worker", **shared)
        client.post("/hx/jobs/batch", json={"name": "numbers", "prompts": QUESTIONS[:4], "user": "Ann"})
        until(client, lambda found: "running" in found)
        assert worker.stop(signal.SIGTERM) == 0
        assert "running" not in until(client, lambda found: "done" in found), "what it had is back in line, or done"
        up("--no-demo", "worker", data=tmp_path / "worker", **shared)
        until(client, lambda found: found == ["done"] * 4)
