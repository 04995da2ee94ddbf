"""One house, every door: what begins on Discord goes on in Telegram, on the page and in a notebook."""

from __future__ import annotations

import ast
import asyncio
import json
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from halext.testing.automatic1111 import FakeAutomatic1111
from halext.testing.discord import Channel, FakeDiscord
from halext.testing.discord import Message as DiscordMessage
from halext.testing.discord import Person as DiscordPerson
from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama
from halext.testing.telegram import FakeTelegram
from halext.testing.telegram import Message as TelegramMessage
from halext.testing.telegram import Person as TelegramPerson

from .conftest import House, Up, environment
from .test_tunnel import free_port, has_ssh, pasted, until_healthy

__all__ = ["has_ssh"]
PASSWORD = "correct horse battery staple"
MODEL = "llama3.2:3b"
WORDS = ("Blue", " light", " scatters", " most", ".")
PATIENCE_S = 40.0
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

    def on_discord(self, says: str) -> list[DiscordMessage]:
        """What the bot says in the room, with these words in it or on a button."""
        return [m for m in self.discord.answers(self.room) if says in m.text or says in m.buttons]

    def on_telegram(self, says: str) -> list[TelegramMessage]:
        """What the bot says to Ada, with these words in it or on a button."""
        return [m for m in self.telegram.answers(self.ada_too.chat) if says in m.text or says in " ".join(m.buttons)]


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


async def test_the_whole_story(world: World, halext: Run, tmp_path: Path) -> None:
    await world.discord.until(lambda: world.ada.commands(world.room), timeout_s=PATIENCE_S)
    await asyncio.to_thread(halext, "node", "add", "pc", world.pc.url, data=world.house.data)
    joined = await asyncio.to_thread(halext, "node", "join", "mac", "--json", data=world.house.data)
    line: str = json.loads(joined.stdout)["unix"]
    with pasted(line, tmp_path / "home", world.mac) as send:
        await asyncio.to_thread(until_healthy, halext, world.house.data, "mac")
        await link(world)
        await ask_while_a_node_dies(world, halext, send)
    await alerts_are_told_and_resolved(world, halext, line, tmp_path / "home")
    await the_conversation_goes_on_everywhere(world, tmp_path)
    await a_picture_is_made(world, halext)
    await a_task_is_suggested_and_accepted(world)
    world.discord.assert_nobody_pinged()


async def link(world: World) -> None:
    """Ada shows on both platforms who she is."""
    world.ada.slash("link", channel=world.room, code=await code(world))
    await world.discord.until(lambda: world.on_discord("Hello Ada"), timeout_s=PATIENCE_S)
    world.ada_too.command("link", await code(world))
    await world.telegram.until(lambda: world.on_telegram("Hello Ada"), timeout_s=PATIENCE_S)


async def code(world: World) -> str:
    made: str = (await world.page.post("/hx/links/code", json={})).json()["code"]
    return made


async def ask_while_a_node_dies(world: World, halext: Run, send: Callable[[signal.Signals], None]) -> None:
    """She asks on Discord; the mac, which is first choice, dies before its first word, and the pc answers."""
    warm = await asyncio.to_thread(halext, "ask", "warm up", "--node", "mac", data=world.house.data)
    assert warm.returncode == 0, warm.stderr
    world.mac.faults.at("first_token", "stall")
    arrivals = len(world.mac.timeline.of("arrival"))
    world.ada.slash("ask", channel=world.room, question="Why is the sky blue?")
    await world.mac.timeline.wait_for("arrival", count=arrivals + 1, timeout_s=PATIENCE_S)
    await asyncio.to_thread(send, signal.SIGKILL)
    await world.mac.kill()
    (answer,) = await world.discord.until(lambda: world.on_discord("Regenerate"), timeout_s=PATIENCE_S)
    assert "".join(WORDS) in answer.text
    assert "on pc" in answer.text
    assert len(answer.revisions) > 2, "it was not seen to grow"


async def alerts_are_told_and_resolved(world: World, halext: Run, line: str, home: Path) -> None:
    """Both chats hear of the mac, once, and the same messages say when it is back."""
    discord, telegram = world.discord, world.telegram
    (there,) = await discord.until(lambda: discord.answers(world.alerts), timeout_s=PATIENCE_S)
    (here,) = await telegram.until(lambda: telegram.answers(world.family), timeout_s=PATIENCE_S)
    assert "mac" in there.text
    assert "mac" in here.text
    await world.mac.start()
    with pasted(line, home, world.mac):
        await asyncio.to_thread(until_healthy, halext, world.house.data, "mac")
        await discord.until(lambda: "✅" in there.text, timeout_s=PATIENCE_S)
        await telegram.until(lambda: "✅" in here.text, timeout_s=PATIENCE_S)
    assert len(discord.answers(world.alerts)) == len(telegram.answers(world.family)) == 1


async def the_conversation_goes_on_everywhere(world: World, home: Path) -> None:
    """What began on Discord goes on in Telegram, on the page and in a notebook."""
    (kept,) = (await world.page.get("/hx/conversations")).json()
    world.ada_too.command("chat", f"open {kept['id']}")
    await world.telegram.until(lambda: world.on_telegram("Going on here"), timeout_s=PATIENCE_S)
    world.ada_too.say("And at sunset?")
    await world.telegram.until(lambda: world.on_telegram("Regenerate"), timeout_s=PATIENCE_S)
    shown = (await world.page.get(f"/c/{kept['id']}")).text
    assert "Why is the sky blue?" in shown
    assert "And at sunset?" in shown
    token = (await world.page.post("/hx/tokens", json={"name": "notebook"})).json()["token"]
    asked = await in_a_notebook(world.house.url, token, kept["id"], home)
    assert asked == ["Why is the sky blue?", "And at sunset?", "And at night?"]
    assert "And at night?" in (await world.page.get(f"/c/{kept['id']}")).text


async def in_a_notebook(url: str, token: str, number: int, home: Path) -> list[str]:
    """Go on with a conversation in a cell of a real kernel; what was asked in it."""
    cell = f"""
import halext
talk = halext.connect({url!r}, token={token!r}).conversation({number})
talk("And at night?", stream=False)
[turn.text for turn in talk.turns if turn.role == "user"]
"""
    book = new_notebook(cells=[new_code_cell(cell)])  # type: ignore[no-untyped-call]  # it brings no types along
    client = NotebookClient(book, timeout=60, kernel_name="python3", resources={"metadata": {"path": str(home)}})
    await client.async_execute(env=environment(IPYTHONDIR=str(home / "ipython")))
    (shown,) = [output for output in book.cells[0].outputs if output["output_type"] == "execute_result"]
    asked: list[str] = ast.literal_eval(shown["data"]["text/plain"])
    return asked


async def a_picture_is_made(world: World, halext: Run) -> None:
    """The pc's Stable Diffusion is one more endpoint of the same node."""
    await asyncio.to_thread(halext, "node", "add", "pc", world.painter.url, data=world.house.data)
    world.ada.slash("imagine", channel=world.room, prompt="a prism on a windowsill", steps="4")
    (painted,) = await world.discord.until(lambda: world.on_discord("512×512 · 4 steps"), timeout_s=PATIENCE_S)
    (picture,) = painted.attachments
    assert picture.name.endswith(".png")


async def a_task_is_suggested_and_accepted(world: World) -> None:
    """What the fake model writes is only ever made for the form it has to have."""
    world.ada_too.command("task", "suggest We need a prism for Friday")
    (found,) = await world.telegram.until(lambda: world.on_telegram("Accept"), timeout_s=PATIENCE_S)
    assert (await world.page.get("/hx/tasks", params={"states": "open"})).json() == []
    press = world.ada_too.press(found, next(label for label in found.buttons if "Accept" in label))
    await world.telegram.until(lambda: press.answer, timeout_s=PATIENCE_S)
    (task,) = (await world.page.get("/hx/tasks", params={"states": "open"})).json()
    assert task["title"] in found.text
