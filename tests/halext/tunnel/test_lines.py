"""The pasted lines: the Unix one is run by a shell, the Windows one is read."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from halext.testing.ollama import FakeOllama
from halext.tunnel.lines import Way, unix, windows

from .conftest import CODE, PATIENCE_S, Server, endpoint, port_of

WAY = Way("mac", "ai.example.org", 2222, "ssh-ed25519 AAAA9", CODE, [11434])


async def test_the_line_for_unix_joins_and_dials_in_again(
    server: Server, tmp_path: Path, fake_ollama: Callable[..., Awaitable[FakeOllama]]
) -> None:
    fake = await fake_ollama(["m:1b"])
    await server.invite()
    way = Way("mac", "127.0.0.1", server.port, server.key.public, CODE, [11434])
    line = unix(way).replace(":127.0.0.1:11434", f":127.0.0.1:{port_of(fake)}").replace("sleep 2", "sleep 0.1")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    process = await asyncio.create_subprocess_shell(
        line, env=environment, stdin=subprocess.DEVNULL, start_new_session=True
    )
    try:
        await server.watch.up()
        answer = await server.door.request(endpoint(), "GET", "/api/tags")
        assert b"m:1b" in answer.body
        server.tunnels.hang_up(endpoint().node)
        await server.watch.until(lambda: server.watch.told[-2:] == [("mac", False), ("mac", True)])
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_S):
            await process.wait()
    assert {path.name for path in (tmp_path / ".halext").iterdir()} == {"mac.key", "mac.key.pub", "mac.host"}


@pytest.mark.parametrize("line", [unix(WAY), windows(WAY)])
def test_what_every_line_says(line: str) -> None:
    assert "\n" not in line
    for part in (
        f"join-{CODE}",
        "[ai.example.org]:2222 ssh-ed25519 AAAA9",
        "StrictHostKeyChecking=yes",
        "IdentitiesOnly=yes",
        "ExitOnForwardFailure=yes",
        "-R 127.0.0.1:11434:127.0.0.1:11434",
    ):
        assert part in line, part
    assert line.count(CODE) == 1, "a second call uses the key"


def test_the_known_host_on_ports_of_both_sorts() -> None:
    assert Way("mac", "h", 22, "K", CODE, []).known_host == "h K"
    assert Way("mac", "fd00::1", 2222, "K", CODE, []).known_host == "[fd00::1]:2222 K"


def test_every_port_is_offered() -> None:
    line = unix(Way("pc", "h", 2222, "K", CODE, [11434, 8080]))
    assert line.count("-R 127.0.0.1:") == 2


def test_a_key_that_ends_in_a_digit_is_written_whole_on_windows() -> None:
    assert "(>mac.host echo [ai.example.org]:2222 ssh-ed25519 AAAA9)" in windows(WAY)
