"""The Discord bot, as people see it: an unmodified library, a fake Discord and a fake Ollama on real sockets."""

from __future__ import annotations

from halext.testing.discord import FakeDiscord
from halext_bots.discord.service import DiscordService
from tests.bots.conftest import Furnish


async def test_somebody_links_asks_and_sees_the_answer_grow(furnish: Furnish) -> None:
    async with FakeDiscord() as discord:
        house = await furnish(
            discord_token=discord.token, discord_api_base=discord.api_base, discord_gateway=discord.gateway_url
        )
        code = await house.code(await house.member())
        ada = discord.user("Ada")
        room = discord.channel(discord.guild("Home", ada), "general")
        async with house.running(DiscordService()) as told:
            assert told == ["people write to halext"]
            ada.slash("ask", channel=room, question="hello")
            (stranger,) = await discord.until(lambda: discord.answers(room))
            assert "don't know you" in stranger.text
            assert stranger.only_for is not None
            ada.slash("link", channel=room, code=code)
            await discord.until(lambda: any("Hello Ada" in m.text for m in discord.answers(room)))
            ada.slash("ask", channel=room, question="Why is the sky blue?")
            (answer,) = await discord.until(lambda: [m for m in discord.answers(room) if "Regenerate" in m.buttons])
            assert "llama3.2:3b on mac" in answer.text
            assert answer.only_for is None
            ada.click(answer, "Why")
            await discord.until(lambda: any("chose mac" in m.text for m in discord.answers(room)))
            discord.assert_nobody_pinged()
