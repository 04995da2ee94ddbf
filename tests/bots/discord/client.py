"""The library alone, logged in at a fake Discord: for the parts of the bot that only send."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import discord
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from halext.testing.discord import FakeDiscord


@asynccontextmanager
async def connected(fake: FakeDiscord) -> AsyncIterator[discord.Client]:
    """A client that can call the fake's REST API; it hears of nothing."""
    before = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY
    Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = fake.api_base, yarl.URL(fake.gateway_url)
    try:
        async with discord.Client(
            intents=discord.Intents.none(), allowed_mentions=discord.AllowedMentions.none()
        ) as client:
            await client.login(fake.token)
            yield client
    finally:
        Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = before
