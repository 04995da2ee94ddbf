"""The Discord bot as a part of `halext up`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from halext.runtime.app import App
from halext.runtime.service import pip_line
from halext_bots.shared.keeping import Connected, Keeper


class DiscordService:
    """Runs the bot whenever there is a token. Its library is loaded with the first one: it costs 25 MB."""

    name = "discord"
    extra = "discord"

    async def run(self, app: App, ready: Callable[[str], None]) -> None:
        """Serve people on Discord until cancelled."""

        async def bot(token: str, connected: Connected) -> None:
            # In a thread: it takes a second or two, and the other doors open meanwhile.
            run = await asyncio.to_thread(_load)
            await run(app, token, connected)

        await Keeper(app, self.name, ready).run(bot)


def _load() -> Callable[[App, str, Connected], Awaitable[None]]:
    with pip_line("discord"):
        from halext_bots.discord.bot import run
    return run
