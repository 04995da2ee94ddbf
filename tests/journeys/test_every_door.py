"""One house, every door: what begins on Discord goes on in Telegram, on the page and in the library."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

import halext as library
from halext.testing.automatic1111 import FakeAutomatic1111
from halext.testing.discord import Channel, FakeDiscord
from halext.testing.discord import Person as DiscordPerson
from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama
from halext.testing.telegram import FakeTelegram
from halext.testing.telegram import Person as TelegramPerson

from .conftest import House, Up
from .test_tunnel import free_port, has_ssh, pasted

__all__ = ["has_ssh"]
PASSWORD = "correct horse battery staple"
MODEL = "llama3.2:3b"
WORDS = ("Blue", " light", " scatters", " most", ".")
PATIENCE_S = 40.0
Found = TypeVar("Found")
Run = Callable[..., subprocess.CompletedProcess[str]]


@dataclass
class World:
    """Everyone who is there."""

    house: House
    page: httpx.AsyncClient
    discord: FakeDiscord
    telegram: FakeTelegram
    mac: FakeOllama
    pc: FakeOllama
    painter: FakeAutomatic1111
    room: Channel
    alerts: Channel
    ada: DiscordPerson
    ada_too: TelegramPerson
    family: Any
    """The Telegram group where alerts are told."""

    async def until(self, condition: Callable[[], Found]) -> Found:
        """What the condition gives as soon as that is true, whoever changed it."""
        async with asyncio.timeout(PATIENCE_S):
            while not (found := condition()):
                await asyncio.sleep(0.05)
        return found

    async def node_is(self, name: str, status: str) -> None:
        """Wait until everyone is told that a node is so."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                nodes = (await self.page.get("/hx/nodes")).json()
                if any(node["name"] == name and node["status"] == status for node in nodes):
                    return
                await asyncio.sleep(0.1)


@pytest.fixture
async def world(up: Up, halext: Run, tmp_path: Path) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        discord = await stack.enter_async_context(FakeDiscord(scale=4))
        telegram = await stack.enter_async_context(FakeTelegram(scale=4))
        models = [FakeModel(MODEL, script=WORDS, tokens_per_s=0.03)]  # on a clock that is 100 times as fast
        mac, pc = [await stack.enter_async_context(FakeOllama(models, keep_alive_s=1e7)) for _ in range(2)]
        painter = await stack.enter_async_context(FakeAutomatic1111(["dreamshaper_8"]))
        ada, ada_too = discord.user("Ada"), telegram.user("Ada")
        guild = discord.guild("Home", ada)
        room, alerts = discord.channel(guild, "general"), discord.channel(guild, "alerts")
        family = telegram.group("Family", ada_too)
        house = await asyncio.to_thread(
            up,
            "--no-demo",
            HALEXT_DISCORD_TOKEN=discord.token,
            HALEXT_DISCORD_API_BASE=discord.api_base,
            HALEXT_DISCORD_GATEWAY=discord.gateway_url,
            HALEXT_DISCORD_ALERT_CHANNEL=str(alerts.id),
            HALEXT_TELEGRAM_TOKEN=telegram.token,
            HALEXT_TELEGRAM_API_BASE=telegram.url,
            HALEXT_TELEGRAM_ALERT_CHAT=str(family.id),
            HALEXT_ALERT_OFFLINE_S="1",
            HALEXT_PROBE_INTERVAL_S="0.5",
            HALEXT_TUNNEL_HOST="127.0.0.1",
            HALEXT_TUNNEL_PORT=str(free_port()),
        )
        page = await stack.enter_async_context(httpx.AsyncClient(base_url=house.url, headers={"Origin": house.url}))
        form = {"code": house.first_admin_code, "name": "Ada", "password": PASSWORD}
        (await page.post("/hx/first-admin", json=form)).raise_for_status()
        (await page.post("/hx/session", json={"name": "Ada", "password": PASSWORD})).raise_for_status()
        yield World(house, page, discord, telegram, mac, pc, painter, room, alerts, ada, ada_too, family)


async def link(world: World) -> None:
    """Ada shows on both platforms who she is."""
    for _ in range(2):
        code = (await world.page.post("/hx/links/code", json={})).json()["code"]
        if not any("Hello Ada" in message.text for message in world.discord.answers(world.room)):
            world.ada.slash("link", channel=world.room, code=code)
            await world.until(lambda: [m for m in world.discord.answers(world.room) if "Hello Ada" in m.text])
        else:
            world.ada_too.command("link", code)
            await world.until(lambda: [m for m in world.telegram.answers(world.ada_too.chat) if "Hello Ada" in m.text])


async def test_the_whole_story(world: World, halext: Run, tmp_path: Path) -> None:
    discord, telegram = world.discord, world.telegram
    await world.until(lambda: world.ada.commands(world.room))

    # A node is added, another one dials in.
    await asyncio.to_thread(halext, "node", "add", "pc", world.pc.url, data=world.house.data)
    joined = await asyncio.to_thread(halext, "node", "join", "mac", "--json", data=world.house.data)
    line: str = httpx.Response(200, text=joined.stdout).json()["unix"]
    with pasted(line, tmp_path / "home", world.mac) as send:
        await world.node_is("mac", "healthy")
        await link(world)

        # She asks on Discord and sees the answer come; the mac, which is first choice, dies before its first word.
        warm = await asyncio.to_thread(halext, "ask", "warm up", "--node", "mac", data=world.house.data)
        assert warm.returncode == 0, warm.stderr
        world.mac.faults.at("first_token", "stall")
        arrivals = len(world.mac.timeline.of("arrival"))
        world.ada.slash("ask", channel=world.room, question="Why is the sky blue?")
        await world.mac.timeline.wait_for("arrival", count=arrivals + 1, timeout_s=PATIENCE_S)
        await asyncio.to_thread(send, signal.SIGSTOP)
        await asyncio.to_thread(send, signal.SIGKILL)
        await world.mac.kill()
        (answer,) = await world.until(lambda: [m for m in discord.answers(world.room) if "Regenerate" in m.buttons])
        assert "".join(WORDS) in answer.text
        assert "on pc" in answer.text
        assert len(answer.revisions) > 2  # it was seen to grow

    # The alert appears in both chats, and is over in the same messages when the mac is back.
    (there,) = await world.until(lambda: discord.answers(world.alerts))
    (here,) = await world.until(lambda: telegram.answers(world.family))
    assert "mac" in there.text
    assert "mac" in here.text
    await world.mac.start()
    with pasted(line, tmp_path / "home", world.mac):
        await world.node_is("mac", "healthy")
        await world.until(lambda: "✅" in there.text and "✅" in here.text)
        assert len(discord.answers(world.alerts)) == len(telegram.answers(world.family)) == 1

        # The same conversation goes on in Telegram, on the page and in the library.
        (kept,) = (await world.page.get("/hx/conversations")).json()
        world.ada_too.command("chat", f"open {kept['id']}")
        await world.until(lambda: [m for m in telegram.answers(world.ada_too.chat) if "Here goes on" in m.text])
        world.ada_too.say("And at sunset?")
        await world.until(lambda: [m for m in telegram.answers(world.ada_too.chat) if "Regenerate" in m.buttons])
        shown = (await world.page.get(f"/c/{kept['id']}")).text
        assert "Why is the sky blue?" in shown
        assert "And at sunset?" in shown
        token = (await world.page.post("/hx/tokens", json={"name": "notebook"})).json()["token"]
        told = await asyncio.to_thread(in_the_library, world.house.url, token, kept["id"])
        assert told == ["Why is the sky blue?", "And at sunset?", "And at night?"]
        shown = (await world.page.get(f"/c/{kept['id']}")).text
        assert "And at night?" in shown

        # A picture is made.
        await asyncio.to_thread(halext, "node", "add", "pc", world.painter.url, data=world.house.data)
        world.ada.slash("imagine", channel=world.room, prompt="a prism on a windowsill", steps="4")
        (painted,) = await world.until(lambda: [m for m in discord.answers(world.room) if m.attachments])
        assert "on pc · 512×512 · 4 steps" in painted.text

        # A task is suggested and accepted; what the fake model writes is only ever made for the form it has to have.
        world.ada_too.command("task", "suggest We need a prism for Friday")
        (found,) = await world.until(
            lambda: [m for m in telegram.answers(world.ada_too.chat) if any("Accept" in label for label in m.buttons)]
        )
        assert (await world.page.get("/hx/tasks", params={"states": "open"})).json() == []
        world.ada_too.press(found, next(label for label in found.buttons if "Accept" in label))
        async with asyncio.timeout(PATIENCE_S):
            while not (tasks := (await world.page.get("/hx/tasks", params={"states": "open"})).json()):
                await asyncio.sleep(0.1)
        assert tasks[0]["title"] in found.text
    discord.assert_nobody_pinged()


def in_the_library(url: str, token: str, number: int) -> list[str]:
    """Go on with a conversation; what was asked in it."""
    with library.connect(url, token=token) as hx:
        chat = hx.conversation(number)
        reply = chat("And at night?", stream=False)
        assert reply.text == "".join(WORDS)
        return [turn.text for turn in chat.turns if turn.role == "user"]
