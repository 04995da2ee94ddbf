"""Keeping a bot connected: with a token it runs, without one it waits, and what goes wrong is said once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from halext.errors import HalextError, Internal, UnknownSecret
from halext.runtime.app import App
from halext.types import SecretRef

LOOK_S = 15.0
"""How soon a token is noticed that was put into the vault, and another one in place of it."""
FIRST_DELAY_S = 5.0
LONGEST_DELAY_S = 300.0
PATIENCE_S = 5.0
"""How long the other doors wait for this one before it says that it takes a while."""
STEADY_S = 60.0
"""A bot that was connected for so long begins with the short delay again."""

Connected = Callable[[str], None]
Run = Callable[[str, Connected], Awaitable[None]]
"""(token, connected) → runs until the connection is over for good; calls `connected` once people can write."""


class Keeper:
    """Runs one platform's bot for as long as halext runs."""

    def __init__(self, app: App, platform: str, ready: Callable[[str], None]) -> None:
        self._app = app
        self._platform = platform
        self._ready: Callable[[str], None] | None = ready
        self._log = logging.getLogger(f"halext.{platform}")
        self._said = ""
        self._off = ""
        """Why there is no token."""
        self._connected_at: float | None = None

    async def run(self, bot: Run) -> None:
        """Keep the bot running until cancelled."""
        delay = FIRST_DELAY_S
        while True:
            token = await self._token()
            if not token:
                self._say(self._off, is_trouble=self._off.startswith("off:"))
                await self._app.clock.sleep(LOOK_S)
                continue
            self._connected_at = None
            trouble = await self._attempt(bot, token)
            if self._connected_at is not None and self._app.clock.monotonic() - self._connected_at > STEADY_S:
                delay = FIRST_DELAY_S
            self._say(f"not connected: {trouble} It is tried again by itself.", is_trouble=True)
            await self._pause(delay, token)
            delay = min(delay * 2, LONGEST_DELAY_S)

    async def _attempt(self, bot: Run, token: str) -> str:
        """One connection, from its beginning to what ended it."""
        soon = asyncio.get_running_loop().call_later(PATIENCE_S, self._excuse)
        try:
            await bot(token, self._connected)
        except HalextError as error:
            return error.message
        except Exception:  # noqa: BLE001  (a bug in one bot must not end the others)
            self._log.exception("the bot stopped by a fault")
            return Internal().message
        finally:
            soon.cancel()
        return "The connection has ended."

    def _excuse(self) -> None:
        """Nobody shall wait for a platform that is slow or away: `ready` is said, and what follows goes to the log."""
        if self._ready is not None:
            self._say("connecting; it takes a while")

    def _connected(self, line: str) -> None:
        self._connected_at = self._app.clock.monotonic()
        self._say(line)

    def _say(self, line: str, *, is_trouble: bool = False) -> None:
        """To the owner the first time, to the log later; never the same twice in a row."""
        if line == self._said:
            return
        self._said = line
        if self._ready is not None:
            ready, self._ready = self._ready, None
            ready(line)
        else:
            self._log.log(logging.WARNING if is_trouble else logging.INFO, line)

    async def _pause(self, seconds: float, token: str) -> None:
        """Wait, but not when there is another token to try."""
        until = self._app.clock.monotonic() + seconds
        while (left := until - self._app.clock.monotonic()) > 0:
            await self._app.clock.sleep(min(left, LOOK_S))
            if await self._token() != token:
                return

    async def _token(self) -> str:
        """The token as it is set, else from the vault; "" for none."""
        variable = f"HALEXT_{self._platform.upper()}_TOKEN"
        self._off = f"off; `halext key set {self._platform}` or {variable} gives it a token"
        setting = getattr(self._app.settings, f"{self._platform}_token")
        if setting is not None and (token := str(setting.get_secret_value()).strip()):
            return token
        try:
            return (await self._app.vault.reveal(SecretRef(self._platform), purpose="connecting the bot")).strip()
        except UnknownSecret:
            return ""
        except HalextError as error:
            self._off = f"off: {error.message}"
            return ""
        except Exception as error:  # noqa: BLE001  (a database that is away is back at some time)
            self._off = f"off: its token can't be read now ({type(error).__name__})."
            return ""
