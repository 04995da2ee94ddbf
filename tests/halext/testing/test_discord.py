"""An unmodified discord.py against the fake, and the fake by hand."""

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

from halext.testing.discord import Channel, FakeDiscord, Message, Person

Interaction = discord.Interaction[Any]


@pytest.fixture
async def fake() -> AsyncIterator[FakeDiscord]:
    async with FakeDiscord(scale=10) as running:
        yield running


@pytest.fixture
def ada(fake: FakeDiscord) -> Person:
    return fake.user("Ada")


@pytest.fixture
def room(fake: FakeDiscord, ada: Person) -> Channel:
    return fake.channel(fake.guild("Home", ada), "general")


class Bot(discord.Client):
    """A client with a command tree, which is synced when `sync` says where to."""

    def __init__(self, intents: discord.Intents | None = None, **options: Any) -> None:
        usual = discord.Intents(guilds=True, messages=True, message_content=True, reactions=True, typing=True)
        options.setdefault("allowed_mentions", discord.AllowedMentions.none())
        super().__init__(intents=intents or usual, guild_ready_timeout=0.02, **options)
        self.tree = app_commands.CommandTree(self)
        self.is_up = asyncio.Event()
        self.heard: list[discord.Message] = []

    async def on_ready(self) -> None:
        self.is_up.set()

    async def on_message(self, message: discord.Message) -> None:
        if message.author != self.user:
            self.heard.append(message)

    async def setup_hook(self) -> None:
        if self.tree.get_commands() or self.tree.get_commands(type=discord.AppCommandType.message):
            await self.tree.sync()


@asynccontextmanager
async def online(fake: FakeDiscord, bot: Bot, token: str = "") -> AsyncIterator[Bot]:
    """The bot, logged in; what ends its `start` comes out here."""
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


async def test_a_slash_command_deferred_edited_and_followed_up(fake: FakeDiscord, ada: Person, room: Channel) -> None:
    bot = Bot()

    @bot.tree.command(description="Ask a model")
    async def ask(interaction: Interaction, prompt: str, loud: bool = False) -> None:
        await interaction.response.defer(thinking=True)
        await interaction.edit_original_response(content=f"You asked: {prompt}")
        await interaction.edit_original_response(content=f"Because. {loud}")
        await interaction.followup.send("Only you see this", ephemeral=True)

    async with online(fake, bot):
        assert ada.commands(room) == ada.commands() == ["ask"]
        asked = ada.slash("ask", channel=room, prompt="why", loud=True)
        aside = await answer(fake, room, "Only you see this")
    assert asked.reply
    assert [revision.text for revision in asked.reply.revisions] == ["", "You asked: why", "Because. True"]
    assert asked.answer == 5
    assert asked.follow_ups == [aside]
    assert aside.only_for is ada.user
    assert [call.name for call in fake.calls][-4:] == ["callback", "edit_reply", "edit_reply", "send_reply"]


async def test_suggestions_while_typing(fake: FakeDiscord, ada: Person, room: Channel) -> None:
    bot = Bot()
    group = app_commands.Group(name="model", description="Models")

    async def models(_: Interaction, typed: str) -> list[app_commands.Choice[str]]:
        return [app_commands.Choice(name=f"{name} (warm)", value=name) for name in ("llama3", "qwen") if typed in name]

    @group.command(name="set", description="Choose one")
    @app_commands.autocomplete(name=models)
    async def choose(interaction: Interaction, name: str, user: discord.Member | None = None) -> None:
        await interaction.response.send_message(f"{name} for {user}")

    bot.tree.add_command(group)
    async with online(fake, bot):
        typed = ada.complete("model set", "name", "ll", channel=room)
        await fake.until(lambda: typed.choices is not None)
        assert typed.choices == [{"name": "llama3 (warm)", "value": "llama3"}]
        ada.slash("model set", channel=room, name="llama3", user=ada)
        await answer(fake, room, "llama3 for ada")


async def test_buttons_until_they_are_off(fake: FakeDiscord, ada: Person, room: Channel) -> None:
    bot = Bot()

    class Stop(discord.ui.View):
        @discord.ui.button(label="Stop", custom_id="stop", style=discord.ButtonStyle.danger)
        async def stop_it(self, interaction: Interaction, button: discord.ui.Button[Any]) -> None:
            button.disabled = True
            await interaction.response.edit_message(content="Stopped.", view=self)
            await interaction.followup.send("As you wished")

    @bot.tree.command(description="Count")
    async def count(interaction: Interaction) -> None:
        await interaction.response.send_message("Counting", view=Stop())

    async with online(fake, bot):
        ada.slash("count", channel=room)
        counting = await answer(fake, room, "Counting")
        assert counting.buttons == ["Stop"]
        pressed = ada.click(counting, "Stop")
        await answer(fake, room, "As you wished")
    assert counting.text == "Stopped."
    assert pressed.reply is counting
    with pytest.raises(ValueError, match="disabled"):
        ada.click(counting, "Stop")


async def test_direct_messages_mentions_and_replies(fake: FakeDiscord, ada: Person, room: Channel) -> None:
    bot = Bot()

    async def on_message(message: discord.Message) -> None:
        if message.author == bot.user or not (message.guild is None or bot.user in message.mentions):
            return
        async with message.channel.typing():
            await message.reply(f"{message.author.mention} said {message.clean_content}")

    bot.event(on_message)
    async with online(fake, bot):
        hello = ada.say("hello")
        private = await answer(fake, ada.chat, f"{ada.mention} said hello")
        ada.say("not for it", channel=room)
        question = ada.say("why?", channel=room, mention=True)
        public = await answer(fake, room, f"{ada.mention} said @halext why?")
        ada.say("and now?", channel=room, reply_to=public)
        await answer(fake, room, f"{ada.mention} said and now?")
    assert private.reply_to is hello
    assert public.reply_to is question
    assert len(fake.answers(room)) == 2
    assert len(room.typing) == 2
    fake.assert_nobody_pinged()
