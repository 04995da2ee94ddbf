"""Every example runs, against two fake computers."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama

EXAMPLES = Path(__file__).parents[2] / "examples"

EXPECTED = {
    "script.py": (["Why?"], ["Because", "it scatters.", "tokens/s", "chose 127.0.0.1"]),
    "async_script.py": ([], ["Lisbon (127.0.0.1", "Oslo (", "Kyoto (", "Quito (", "Because it scatters."]),
}


def test_every_example_is_run() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
async def test_it_runs(name: str, fake_ollama: Callable[..., Awaitable[FakeOllama]]) -> None:
    words, expected = EXPECTED[name]
    model = FakeModel("llama3.2:3b", script=["Because", " it", " scatters."], load_s=0.1)
    urls = [(await fake_ollama([model], slots=2)).url for _ in range(2)]
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        sys.executable, EXAMPLES / name, *words, *urls, stdout=pipe, stderr=pipe
    )
    async with asyncio.timeout(60):
        out, err = await child.communicate()
    assert (child.returncode, err.decode()) == (0, "")
    for text in expected:
        assert text in out.decode()
