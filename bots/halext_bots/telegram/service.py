"""The Telegram bot as a part of `halext up`."""

from __future__ import annotations

from collections.abc import Callable

from halext.runtime.app import App
from halext_bots.shared.keeping import Connected, Keeper


class TelegramService:
    """Runs the bot whenever there is a token. Its library is loaded with the first one: it costs 20 MB."""

    name = "telegram"
    extra = "telegram"

    async def run(self, app: App, ready: Callable[[str], None]) -> None:
        """Serve people on Telegram until cancelled."""

        async def bot(token: str, connected: Connected) -> None:
            from halext_bots.telegram.bot import run

            await run(app, token, connected)

        await Keeper(app, self.name, ready).run(bot)
