from __future__ import annotations

import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx

from halext.testing.clock import ManualClock
from halext.testing.ollama import FakeOllama
from halext.testing.openai import FakeOpenAI

A_USERS_TEST = """
async def test_mine(fake_ollama, fake_openai, manual_clock):
    one, two = await fake_ollama(["a"]), await fake_ollama(["b"], slots=2)
    assert one.url != two.url
    assert (await fake_openai()).base_url.endswith("/v1")
    await manual_clock.advance(5)
    assert manual_clock.monotonic() == 5
"""
HEAVY = "{'asyncio', 'halext.testing.server', 'halext.testing.ollama', 'httpx', 'starlette', 'ssl'}"


async def test_each_call_starts_another_server(
    fake_ollama: Callable[..., Awaitable[FakeOllama]], fake_openai: Callable[..., Awaitable[FakeOpenAI]]
) -> None:
    servers = [await fake_ollama(), await fake_ollama(["x"]), await fake_openai(flavour="plain")]
    assert len({server.url for server in servers}) == 3
    async with httpx.AsyncClient(verify=False) as http:
        assert (await http.get(f"{servers[1].url}/api/tags")).json()["models"][0]["name"] == "x:latest"


def test_the_clock_stands_still(manual_clock: ManualClock) -> None:
    assert manual_clock.now() == manual_clock.now()


def test_the_plugin_works_for_users_in_any_asyncio_mode(tmp_path: Path) -> None:
    marked = "import pytest\n\n\n@pytest.mark.asyncio" + A_USERS_TEST
    (tmp_path / "test_mine.py").write_text(marked)
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:xdist", "-c", "none.ini"]
    (tmp_path / "none.ini").write_text("[pytest]\nasyncio_mode = strict\n")
    command = [sys.executable, "-m", "pytest", *options, "test_mine.py"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "1 passed" in ran.stdout


def test_loading_the_plugin_loads_no_server() -> None:
    code = "import sys, pytest, pytest_asyncio; before = set(sys.modules); import halext.testing.fixtures; "
    code += f"print(sorted({HEAVY} & (set(sys.modules) - before)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ran.stdout.strip() == "[]", ran.stderr
