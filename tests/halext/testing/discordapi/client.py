"""A bot on an unmodified discord.py, for tests that need a whole one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import discord
import pytest
import yarl
from discord import app_commands
from discord.gateway import DiscordWebSocket
from discord.http import Route

from halext.testing.discord import Channel, FakeDiscord, Message

Interaction = discord.Interaction[Any]


class Bot(discord.Client):
    """A client that syncs its tree at log-in, and keeps what people say and the names of other events."""

    def __init__(self, intents: discord.Intents | None = None, **options: Any) -> None:
        usual = discord.Intents(guilds=True, messages=True, message_content=True, reactions=True, typing=True)
        options.setdefault("allowed_mentions", discord.AllowedMentions.none())
        super().__init__(intents=intents or usual, guild_ready_timeout=0.02, **options)
        self.tree = app_commands.CommandTree(self)
        self.is_up = asyncio.Event()
        self.heard: list[discord.Message] = []
        self.events: list[str] = []

    def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        self.events.append(event)
        super().dispatch(event, *args, **kwargs)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Begin a new session at once: the library would wait 5 s."""

    async def on_ready(self) -> None:
        self.is_up.set()

    async def on_message(self, message: discord.Message) -> None:
        if message.author != self.user:
            self.heard.append(message)

    async def setup_hook(self) -> None:
        if any(self.tree.get_commands(type=kind) for kind in discord.AppCommandType):
            await self.tree.sync()


@asynccontextmanager
async def online(fake: FakeDiscord, bot: Bot, token: str = "") -> AsyncIterator[Bot]:
    """The bot, logged in; what ends it comes out here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Route, "BASE", fake.api_base)
        patch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(fake.gateway_url))
        running = asyncio.get_running_loop().create_task(bot.start(token or fake.token))
        up = asyncio.get_running_loop().create_task(bot.is_up.wait())
        try:
            async with asyncio.timeout(5):
                await asyncio.wait([running, up], return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                yield bot
        finally:
            up.cancel()
            await bot.close()
            await running


async def answer(fake: FakeDiscord, channel: Channel, text: str) -> Message:
    """The bot's message that says this, once it is there."""
    found = await fake.until(lambda: next((one for one in fake.answers(channel) if one.text == text), None))
    assert found
    return found
