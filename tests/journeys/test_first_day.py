"""From `halext up` on a fresh machine to an answer of the real built-in model, in every way that people ask."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import ollama
import openai
import pytest

from halext.hosts.lock import is_locked
from halext.runtime.connect import find_running

from .conftest import House, Up

MODEL = "smollm2:135m"
PASSWORD = "correct horse battery staple"
HELLO: Any = [{"role": "user", "content": "Say hello."}]


def token(house: House) -> str:
    """Become the first admin through the one-time link, and make an API token."""
    with httpx.Client(base_url=house.url) as browser:
        browser.headers["Origin"] = house.url
        form = {"code": house.first_admin_code, "name": "Ada", "password": PASSWORD}
        browser.post("/hx/first-admin", json=form).raise_for_status()
        browser.post("/hx/session", json={"name": "Ada", "password": PASSWORD}).raise_for_status()
        made: str = browser.post("/hx/tokens", json={"name": "clients"}).raise_for_status().json()["token"]
        again = browser.post("/hx/first-admin", json=form)
        assert again.status_code == 403
    return made


@pytest.fixture
def house(up: Up) -> House:
    return up()


def test_openais_client_gets_answers_from_the_built_in_model(house: House) -> None:
    with openai.OpenAI(base_url=f"{house.url}/v1", api_key=token(house), max_retries=0) as client:
        assert [model.id for model in client.models.list()] == [MODEL]
        whole = client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=12)
        assert whole.choices[0].message.content
        assert whole.usage is not None
        assert whole.usage.completion_tokens > 0
        stream = client.chat.completions.create(
            model=MODEL, messages=HELLO, max_tokens=12, stream=True, stream_options={"include_usage": True}
        )
        chunks = list(stream)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert chunks[-1].usage is not None
        vectors = client.embeddings.create(model=MODEL, input=["a lighthouse", "a harbour"])
        assert {len(item.embedding) for item in vectors.data} == {576}
        with pytest.raises(openai.NotFoundError) as missing:
            client.chat.completions.create(model="nobody:1b", messages=HELLO)
        assert missing.value.code == "unknown_model"
    with (
        openai.OpenAI(base_url=f"{house.url}/v1", api_key="hx_wrong", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError),
    ):
        stranger.models.list()


def test_ollamas_client_gets_answers_from_the_built_in_model(house: House) -> None:
    with ollama.Client(host=house.url, headers={"Authorization": f"Bearer {token(house)}"}) as client:
        assert [model.model for model in client.list().models] == [MODEL]
        assert [model.model for model in client.ps().models] == [MODEL]
        assert "completion" in (client.show(MODEL).capabilities or [])
        short = {"num_predict": 12}
        assert client.chat(MODEL, HELLO, options=short).message.content
        pieces = list(client.chat(MODEL, HELLO, stream=True, options=short))
        assert pieces[-1].done
        assert "".join(piece.message.content or "" for piece in pieces)
        assert client.generate(MODEL, "Once upon a time", options=short).response
        assert len(client.embed(MODEL, ["a lighthouse"]).embeddings[0]) == 576
        with pytest.raises(ollama.ResponseError) as absent:
            client.chat("nobody:1b", HELLO)
        assert absent.value.status_code == 404


def test_the_terminal_gets_answers_and_ctrl_c_leaves_nothing(
    house: House, halext: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    asked = halext("ask", "Say hello.", "--why", data=house.data)
    assert asked.returncode == 0
    assert asked.stdout.strip()
    assert "chose builtin" in asked.stderr
    (child,) = house.children()
    assert house.stop() == 0
    assert "halext has stopped" in house.said
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    assert not is_locked(house.data)
    assert not (house.data / "run.json").exists()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_the_child_never_outlives_the_house(up: Up, how: signal.Signals) -> None:
    house = up()
    (child,) = house.children()
    gone = threading.Event()

    def watch() -> None:
        pidfd = os.pidfd_open(child)
        select.select([pidfd], [], [], 20)
        os.close(pidfd)
        gone.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    house.stop(how)
    watcher.join(25)
    assert gone.is_set()
    assert not is_locked(house.data)
    assert find_running(house.data) is None


def test_the_next_start_finds_what_the_last_one_left(
    up: Up, halext: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    first = up("--no-demo")
    token(first)
    assert halext("key", "set", "discord", data=first.data, stdin="a secret\n").returncode == 0
    first.stop(signal.SIGKILL)
    second = up("--no-demo", data=first.data)
    assert "/welcome" not in second.said
    listed = halext("key", "list", data=second.data)
    assert "discord" in listed.stdout
    assert "a secret" not in listed.stdout
    refused = halext("up", data=second.data)
    assert refused.returncode == 1
    assert "Another halext is running" in refused.stderr
    port = second.url.rsplit(":", 1)[1]
    taken = halext("up", "--port", port, "--no-demo", data=tmp_path / "other")
    assert taken.returncode == 1
    assert f"port {port}" in taken.stderr
    assert second.stop() == 0
