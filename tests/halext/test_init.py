"""The front door: everything on it is there, and nothing is loaded before it is used."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys

import pytest

import halext

HEAVY = {
    *("httpx", "aiohttp", "sqlalchemy", "alembic", "pydantic", "pydantic_settings", "starlette", "uvicorn", "asyncio"),
    *("discord", "telegram", "redis", "numpy", "pandas", "IPython", "PIL", "typer", "rich", "msgspec", "structlog"),
}
SERVER_ONLY = {"sqlalchemy", "alembic", "starlette", "uvicorn", "pydantic", "apscheduler", "cryptography", "structlog"}

ASK_A_FLEET = """
import asyncio, json, sys
from halext.testing.ollama import FakeModel, FakeOllama

async def main():
    async with FakeOllama([FakeModel("m:1b", script=["a", "b"])]) as first, FakeOllama(["m:1b"]) as second:
        import halext
        async with halext.AsyncClient(first.url, second.url) as hx:
            reply = await hx.ask("hello")
            table = await hx.nodes
            return [reply.model, len(table)]

print(json.dumps([asyncio.run(main()), sorted({name.partition(".")[0] for name in sys.modules})]))
"""


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_import_loads_nothing_heavy() -> None:
    loaded = set(run("import sys, halext; print(*sys.modules)").split())
    assert "halext" in loaded
    assert not HEAVY & loaded


def test_asking_a_fleet_loads_nothing_of_a_server() -> None:
    told, loaded = json.loads(run(ASK_A_FLEET))
    assert told == ["m:1b", 2]
    assert not SERVER_ONLY & set(loaded)


def test_all_is_sorted_and_resolves() -> None:
    assert sorted(halext.__all__) == halext.__all__
    for name in halext.__all__:
        assert getattr(halext, name) is not None
    assert set(dir(halext)) == set(halext.__all__)


def test_every_name_is_seen_by_a_type_checker_too() -> None:
    source = inspect.getsource(halext)
    block = source[source.index("if TYPE_CHECKING:") : source.index("__all__")]
    for name in set(halext.__all__) - {"__version__"}:
        assert name in block, name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'konnect'"):
        halext.konnect  # noqa: B018 - looking is the test


def test_errors_are_reachable_from_the_front_door() -> None:
    assert issubclass(halext.errors.AllBusy, halext.HalextError)
    assert issubclass(halext.Interrupted, halext.errors.UpstreamError)
