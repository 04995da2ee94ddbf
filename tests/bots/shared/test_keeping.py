from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from halext.errors import KeyRefused, UnknownSecret, VaultError
from halext.testing.clock import ManualClock
from halext_bots.shared.keeping import FIRST_DELAY_S, LONGEST_DELAY_S, LOOK_S, STEADY_S, Connected, Keeper

OFF = "off; `halext key set telegram` or HALEXT_TELEGRAM_TOKEN gives it a token"
REFUSED = "not connected: The key is no good. It is tried again by itself."


class Vault:
    """A vault with one secret, or trouble."""

    def __init__(self) -> None:
        self.holds: str | Exception = UnknownSecret()

    async def reveal(self, ref: str, *, purpose: str) -> str:
        """As the real one."""
        assert (ref, purpose) == ("telegram", "connecting the bot")
        if isinstance(self.holds, Exception):
            raise self.holds
        return self.holds


class Bot:
    """Remembers the tokens that it was started with."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.ends: Exception | None = None
        self.lives_s = 0.0
        self.clock: ManualClock | None = None

    async def run(self, token: str, connected: Connected) -> None:
        """Connect, live and end."""
        self.tokens.append(token)
        if self.ends is None:
            connected("people write to @bot")
            await asyncio.Event().wait()
        if self.lives_s and self.clock:
            connected("people write to @bot")
            await self.clock.sleep(self.lives_s)
        assert self.ends
        raise self.ends


Told = list[str]


@asynccontextmanager
async def kept(
    clock: ManualClock, vault: Vault, bot: Callable[[str, Connected], Awaitable[None]], setting: str | None = None
) -> AsyncIterator[Told]:
    told: Told = []
    settings = SimpleNamespace(telegram_token=None if setting is None else SecretStr(setting))
    app: Any = SimpleNamespace(clock=clock, vault=vault, settings=settings)
    task = asyncio.get_running_loop().create_task(Keeper(app, "telegram", told.append).run(bot))
    await clock.advance(0)
    yield told
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_without_a_token_it_waits_for_one(manual_clock: ManualClock) -> None:
    vault, bot = Vault(), Bot()
    async with kept(manual_clock, vault, bot.run, setting=" ") as told:
        assert told == [OFF]
        vault.holds = " 1:new\n"
        await manual_clock.advance(LOOK_S)
        assert bot.tokens == ["1:new"]


async def test_the_setting_goes_before_the_vault(manual_clock: ManualClock) -> None:
    vault, bot = Vault(), Bot()
    vault.holds = "1:vault"
    async with kept(manual_clock, vault, bot.run, setting="1:set") as told:
        assert (bot.tokens, told) == (["1:set"], ["people write to @bot"])


@pytest.mark.parametrize("trouble", [VaultError("The vault is shut."), RuntimeError("secret")])
async def test_a_vault_in_trouble_is_said_once(
    manual_clock: ManualClock, caplog: pytest.LogCaptureFixture, trouble: Exception
) -> None:
    caplog.set_level(logging.INFO, "halext")
    vault, bot = Vault(), Bot()
    vault.holds = trouble
    async with kept(manual_clock, vault, bot.run) as told:
        await manual_clock.advance(10 * LOOK_S)
        assert len(told) == 1
        assert told[0].startswith("off: ")
        assert "secret" not in told[0]
        assert caplog.messages == []
        vault.holds = "1:new"
        await manual_clock.advance(LOOK_S)
        assert (bot.tokens, caplog.messages) == (["1:new"], ["people write to @bot"])


async def test_a_refused_token_is_said_once_and_the_next_one_is_tried_at_once(
    manual_clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    vault, bot = Vault(), Bot()
    vault.holds, bot.ends = "1:old", KeyRefused("The key is no good.")
    async with kept(manual_clock, vault, bot.run) as told:
        await manual_clock.advance(10 * LONGEST_DELAY_S)
        tries = len(bot.tokens)
        assert 10 < tries < 20  # the pauses have become as long as they get
        assert told == [REFUSED]
        assert caplog.messages == []
        vault.holds, bot.ends = "1:new", None
        await manual_clock.advance(LOOK_S)
        assert bot.tokens[tries:] == ["1:new"]


async def test_after_a_steady_connection_the_pause_is_short_again(manual_clock: ManualClock) -> None:
    vault, bot = Vault(), Bot()
    vault.holds, bot.ends = "1:x", KeyRefused("The key is no good.")
    async with kept(manual_clock, vault, bot.run):
        await manual_clock.advance(3 * LONGEST_DELAY_S)
        bot.clock, bot.lives_s = manual_clock, STEADY_S + 1
        await manual_clock.advance(LONGEST_DELAY_S)
        tries = len(bot.tokens)
        await manual_clock.advance(STEADY_S + 2 + FIRST_DELAY_S)
        assert len(bot.tokens) > tries


async def test_a_fault_in_the_bot_is_logged_and_it_is_tried_again(
    manual_clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    vault, bot = Vault(), Bot()
    vault.holds, bot.ends = "1:x", RuntimeError("a bug")
    async with kept(manual_clock, vault, bot.run) as told:
        await manual_clock.advance(FIRST_DELAY_S)
        assert len(bot.tokens) == 2
        assert told[0].startswith("not connected: ")
        assert "the bot stopped by a fault" in caplog.messages
