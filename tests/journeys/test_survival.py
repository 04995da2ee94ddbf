"""halext is killed in the middle of an answer, and comes back."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

from halext.testing.clock import ScaledClock
from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama
from halext.testing.server import in_thread

from .conftest import House, Up

SCRIPT = ("First.\n\n", *(f"w{i} " for i in range(60)), "\n\nEnd.")
PATIENCE_S = 30.0


@pytest.fixture
def node() -> Iterator[FakeOllama]:
    """A slow node: twenty pieces a second."""
    model = FakeModel("m", script=SCRIPT, tokens_per_s=20, load_s=0.1)
    with in_thread(FakeOllama([model], clock=ScaledClock(1), keep_alive_s=1e7)) as fake:
        assert isinstance(fake, FakeOllama)
        yield fake


def door(house: House, token: str) -> httpx.Client:
    """A client of the house."""
    return httpx.Client(base_url=house.url, headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE_S)


def follow(client: httpx.Client, answer: int, until: Callable[[str, Any], bool]) -> Any:
    """Read an answer's events until one is as wanted; its data."""
    kind = ""
    with client.stream("GET", f"/hx/answers/{answer}") as stream:
        for line in stream.iter_lines():
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            if line.startswith("data: ") and until(kind, data := json.loads(line.removeprefix("data: "))):
                return data
    return None


def member(up: Up, node: FakeOllama, halext: Callable[..., Any]) -> tuple[House, str]:
    house = up("--no-demo")
    assert halext("node", "add", "mac", node.url, data=house.data).returncode == 0
    assert halext("user", "add", "Ann", "--no-password", data=house.data).returncode == 0
    made = halext("token", "create", "t", "--user", "Ann", data=house.data)
    return house, made.stdout.strip()


def test_what_was_shown_is_kept_and_said_to_be_cut_off(up: Up, node: FakeOllama, halext: Callable[..., Any]) -> None:
    house, token = member(up, node, halext)
    with closing(door(house, token)) as client:
        asked = client.post("/hx/conversations", json={"text": "go"}).json()
        follow(client, asked["answer"], lambda kind, data: kind == "tail" and "w3" in data["text"])
    house.stop(signal.SIGKILL)
    again = up("--no-demo", data=house.data)
    with closing(door(again, token)) as client:
        turn = follow(client, asked["answer"], lambda kind, _data: kind == "done")
        assert (turn["state"], turn["text"]) == ("interrupted", "First.\n\n")
        more = client.post(f"/hx/conversations/{asked['conversation']['id']}/ask", json={"text": "and?"})
        assert more.status_code == 200


def test_what_nobody_had_seen_is_answered_by_itself(up: Up, node: FakeOllama, halext: Callable[..., Any]) -> None:
    house, token = member(up, node, halext)
    node.faults.at("head", "stall", seconds=3600)
    with closing(door(house, token)) as client:
        asked = client.post("/hx/conversations", json={"text": "go"}).json()
    arrived = threading.Event()
    while not node.timeline.of("arrival"):
        arrived.wait(0.02)  # the timeline is the thread's; nothing in it can wake us
    house.stop(signal.SIGKILL)
    again = up("--no-demo", data=house.data)
    with closing(door(again, token)) as client:
        turn = follow(client, asked["answer"], lambda kind, _data: kind == "done")
    assert (turn["state"], turn["text"]) == ("done", "".join(SCRIPT))
