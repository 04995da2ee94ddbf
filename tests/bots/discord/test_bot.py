"""The Discord bot, as people see it: an unmodified library, a fake Discord and a fake Ollama on real sockets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from halext.testing.discord import FakeDiscord
from halext_bots.discord.service import DiscordService
from tests.bots.conftest import Furnish

FakeDiscords = Callable[..., Awaitable[FakeDiscord]]


async def test_somebody_links_asks_and_sees_the_answer_grow(furnish: Furnish) -> None:
    async with FakeDiscord() as discord:
        house = await furnish(
            discord_token=discord.token, discord_api_base=discord.api_base, discord_gateway=discord.gateway_url
        )
        code = await house.code(await house.member())
        ada = discord.user("Ada")
        room = discord.channel(discord.guild("Home", ada), "general")
        async with house.running(DiscordService()) as told:
            print(told)
            ada.slash("ask", channel=room, question="hello")
            stranger = await discord.until(lambda: discord.answers(room))
            print(stranger)
            ada.slash("link", channel=room, code=code)
            await discord.until(lambda: len(discord.answers(room)) > 1)
            print(discord.answers(room)[-1])
            ada.slash("ask", channel=room, question="Why is the sky blue?")
            answer = await discord.until(lambda: [m for m in discord.answers(room) if "Regenerate" in str(m)])
            print(answer)
