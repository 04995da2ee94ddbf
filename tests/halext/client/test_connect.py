"""One line to a client, and the same one when a cell is run again."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

from halext.client.connect import connect
from halext.errors import InvalidInput
from halext.testing.ollama import FakeModel, FakeOllama


def test_the_same_arguments_give_the_same_client_until_it_is_closed() -> None:
    first = connect("http://mac:11434", token="hx_a")
    assert connect("http://mac:11434", token="hx_a") is first
    assert connect("http://mac:11434", token="hx_b") is not first
    assert connect("http://pc:11434", token="hx_a") is not first
    first.close()
    assert connect("http://mac:11434", token="hx_a") is not first


def test_nothing_is_opened_yet() -> None:
    assert repr(connect()) == "<Client of what this machine offers>"
    with pytest.raises(InvalidInput):
        connect("http://host/path")


FORGETFUL = """
import halext, os, sys
hx = halext.connect(sys.argv[1])
print(hx.ask("hi").text, hx.stream("more").__iter__().__next__(), flush=True)
if hasattr(os, "fork"):
    child = os.fork()
    if child == 0:
        print(hx.ask("in the child").text, flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


async def test_a_script_that_closes_nothing_ends_cleanly_and_may_fork() -> None:
    async with FakeOllama([FakeModel("m:1b", script=["a", "b"])], slots=4) as ollama:
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-W",
            "error",
            "-W",
            "ignore::DeprecationWarning",
            "-c",
            FORGETFUL,
            ollama.url,
            stdout=pipe,
            stderr=pipe,
        )
        async with asyncio.timeout(60):
            out, err = await child.communicate()
    assert err.decode() == ""
    assert out.decode().split() == ["ab", "a"] + ["ab"] * hasattr(os, "fork")
    assert child.returncode == 0
