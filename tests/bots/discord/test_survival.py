"""`halext up discord` in a process of its own: nothing else is needed, and killing it loses and doubles nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from halext.accounts.links.types import ChatAccount
from halext.accounts.types import Caller, Role
from halext.runtime.control import LocalControl
from halext.runtime.settings import Settings
from halext.runtime.shapes import AddNode
from halext.runtime.verbs.nodes import add_node
from halext.runtime.wiring import open_app
from halext.testing.clock import ScaledClock
from halext.testing.discord import Channel, FakeDiscord, Message, Person
from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama
from tests.bots.conftest import LOCAL

STOP_S = 20
PATIENCE_S = 20.0
T = TypeVar("T")
SCRIPT = ("First.\n\n", *(f"w{i} " for i in range(60)), "\n\nEnd.")


@dataclass
class Town:
    """A Discord, a node and the data of a halext that knows both."""

    discord: FakeDiscord
    node: FakeOllama
    data: Path
    ada: Person
    room: Channel

    @contextmanager
    def up(self) -> Iterator[subprocess.Popen[bytes]]:
        """`halext up discord` until the block ends."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HALEXT_", "CREDENTIALS_"))}
        told = {
            "HALEXT_DISCORD_TOKEN": self.discord.token,
            "HALEXT_DISCORD_API_BASE": self.discord.api_base,
            "HALEXT_DISCORD_GATEWAY": self.discord.gateway_url,
        }
        command = [sys.executable, "-m", "halext", "--data", str(self.data), "up", "--no-demo", "discord"]
        with (self.data / "said").open("w") as said:
            process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, env=kept | told)
        try:
            yield process
        finally:
            process.kill()
            process.wait(STOP_S)

    async def until(self, condition: Callable[[], T]) -> T:
        """What `condition` returns as soon as that is true; what the program said when it does not come true."""
        try:
            return await self.discord.until(condition, timeout_s=PATIENCE_S)
        except TimeoutError:
            raise AssertionError((self.data / "said").read_text()) from None

    async def until_said(self, words: str) -> Message:
        found = await self.until(lambda: [one for one in self.discord.answers(self.room) if words in one.text])
        return found[-1]


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    model = FakeModel("m", script=SCRIPT, tokens_per_s=20, load_s=0.1)
    async with FakeDiscord(scale=1) as discord, FakeOllama([model], clock=ScaledClock(1), keep_alive_s=1e7) as node:
        ada = discord.user("Ada")
        room = discord.channel(discord.guild("Home", ada), "general")
        async with open_app(Settings(data_dir=tmp_path, port=0)) as app:
            await LocalControl(app, LOCAL).call(add_node, AddNode(name="mac", urls=[node.url]))
            user = await app.people.add_user("Ada", Role.MEMBER)
            code = await app.links.code(Caller(user.name, user.role, "session", user.id))
            await app.links.claim(ChatAccount("discord", str(ada.id), "ada"), code.text)
        yield Town(discord, node, tmp_path, ada, room)
        discord.assert_nobody_pinged()


async def test_killed_in_mid_answer_it_comes_back_and_says_how_it_ended(town: Town) -> None:
    with town.up() as process:
        await town.until(lambda: town.discord.gateway.is_connected and town.discord.made("sync_commands"))
        town.ada.slash("ask", channel=town.room, question="Go on.")
        answer = await town.until_said("w9")
        process.send_signal(signal.SIGKILL)
        process.wait(STOP_S)
    with town.up() as process:
        await town.until(lambda: "Regenerate" in answer.buttons)
        assert answer.text.startswith("First.")
        assert "Interrupted" in answer.text
        assert len(town.discord.answers(town.room)) == 1
        town.ada.click(answer, "Continue")
        await town.until_said("w9")
        process.send_signal(signal.SIGINT)
        assert process.wait(STOP_S) == 0
    said = (town.data / "said").read_text()
    assert "people write to halext" in said
    assert "is ready" in said
    assert "Traceback" not in said
    assert town.discord.token not in said
