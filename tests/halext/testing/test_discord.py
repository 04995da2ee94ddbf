"""An unmodified discord.py against the fake, and the fake by hand."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import discord
import httpx
import pytest
from discord import app_commands

from halext.testing.clock import ScaledClock
from halext.testing.discord import Channel, FakeDiscord, Person, RateRules, Rule, UnknownRoutes
from halext.testing.discordapi.things import Revision
from tests.halext.testing.discordapi.client import Bot, Interaction, answer, online

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (320).to_bytes(4, "big") + (200).to_bytes(4, "big")


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


async def test_menus_of_messages_and_people(fake: FakeDiscord, ada: Person, room: Channel) -> None:
    bot, home = Bot(), discord.Object(room.guild.id if room.guild else 0)

    @bot.tree.context_menu(name="Explain this")
    async def explain(interaction: Interaction, message: discord.Message) -> None:
        await interaction.response.send_message(f"It says {message.content}")

    @bot.tree.context_menu(name="Greet", guild=home)
    async def greet(interaction: Interaction, member: discord.Member) -> None:
        await interaction.response.send_message(f"Hello {member.display_name}")

    async with online(fake, bot):
        await bot.tree.sync(guild=home)
        ada.menu("Explain this", ada.say("E = mc²", channel=room))
        await answer(fake, room, "It says E = mc²")
        ada.menu("Greet", ada, channel=room)
        await answer(fake, room, "Hello Ada")
        with pytest.raises(LookupError, match="no command 'Greet' here"):
            ada.menu("Greet", ada)


async def test_a_form_is_shown_filled_in_and_sent(fake: FakeDiscord, ada: Person, room: Channel) -> None:
    bot = Bot()

    class Persona(discord.ui.Modal, title="Persona"):
        words: discord.ui.Label[Any] = discord.ui.Label(text="Words", component=discord.ui.TextInput(max_length=10))
        tone: discord.ui.TextInput[Any] = discord.ui.TextInput(label="Tone", custom_id="tone", required=False)

        async def on_submit(self, interaction: Interaction) -> None:
            assert isinstance(self.words.component, discord.ui.TextInput)
            await interaction.response.send_message(f"{self.words.component.value}/{self.tone.value}", ephemeral=True)

    @bot.tree.command(description="Choose")
    async def persona(interaction: Interaction) -> None:
        await interaction.response.send_modal(Persona())

    async with online(fake, bot):
        asked = ada.slash("persona", channel=room)
        await fake.until(lambda: asked.modal)
        with pytest.raises(ValueError, match="takes 0 to 10 characters"):
            ada.submit(asked, {"Words": "x" * 11})
        sent = ada.submit(asked, {"Words": "terse"}, tone="dry")
        private = await answer(fake, room, "terse/dry")
    assert sent.reply is private
    assert private.only_for is ada.user


async def test_buttons_of_an_earlier_life(fake: FakeDiscord, ada: Person, room: Channel) -> None:
    class Stop(discord.ui.DynamicItem[discord.ui.Button[Any]], template=r"stop:(?P<job>\d+)"):
        def __init__(self, job: int) -> None:
            super().__init__(discord.ui.Button(label="Stop", custom_id=f"stop:{job}"))
            self.job = job

        @classmethod
        async def from_custom_id(cls, _: Interaction, __: Any, match: Any, /) -> Stop:
            return cls(int(match["job"]))

        async def callback(self, interaction: Interaction) -> None:
            await interaction.response.edit_message(content=f"Stopped {self.job}", view=None)

    async with online(fake, Bot()) as first:
        view = discord.ui.View(timeout=None).add_item(Stop(7))
        await first.get_partial_messageable(room.id).send("Working", view=view)
    second = Bot()
    second.add_dynamic_items(Stop)
    async with online(fake, second):
        ada.click(fake.answers(room)[0], "Stop")
        stopped = await answer(fake, room, "Stopped 7")
    assert stopped.buttons == []


async def test_threads_on_messages_and_bare(fake: FakeDiscord, ada: Person, room: Channel) -> None:
    async with online(fake, Bot()) as bot:
        question = ada.say("why?", channel=room)
        await fake.until(lambda: bot.heard)
        thread = await bot.heard[0].create_thread(name="Rain")
        place = fake.world.channel(thread.id)
        assert question.thread is place
        ada.say("and then?", channel=place)
        await fake.until(lambda: len(bot.heard) == 2)
        assert isinstance(bot.heard[1].channel, discord.Thread)
        await bot.heard[1].channel.send("Snow")
        text = bot.get_channel(room.id)
        assert isinstance(text, discord.TextChannel)
        bare = await text.create_thread(name="Bare", type=discord.ChannelType.public_thread)
        await bare.send("First")
        await bare.edit(archived=True)
        hers = ada.thread("Hers", room)
        await fake.until(lambda: bot.get_channel(hers.id))
    assert place.texts == ["and then?", "Snow"]
    assert {user.name for user in place.people} == {"halext", "Ada"}
    assert fake.world.channel(bare.id).is_archived


async def test_files_go_both_ways(fake: FakeDiscord, ada: Person, room: Channel) -> None:
    bot = Bot()

    @bot.tree.command(description="Look")
    async def look(interaction: Interaction, picture: discord.Attachment) -> None:
        data = await picture.read()
        file = discord.File(io.BytesIO(data[::-1]), "back.png", description="turned")
        await interaction.response.send_message("Turned", file=file)

    async with online(fake, bot):
        ada.say("see", channel=room, files=[("notes.txt", b"a\r\n--b\0c"), ("große.png", PNG)])
        await fake.until(lambda: bot.heard)
        notes, picture = bot.heard[0].attachments
        assert (notes.filename, await notes.read()) == ("notes.txt", b"a\r\n--b\0c")
        assert (picture.content_type, await picture.read()) == ("image/png", PNG)
        ada.slash("look", channel=room, picture=("up.png", b"abc"))
        turned = await answer(fake, room, "Turned")
        assert [(one.name, one.data, one.description) for one in turned.attachments] == [("back.png", b"cba", "turned")]
        mine = await bot.get_partial_messageable(room.id).fetch_message(turned.id)
        await mine.add_files(discord.File(io.BytesIO(b"two"), "two.txt"))
        assert [one.name for one in turned.attachments] == ["back.png", "two.txt"]
        await mine.edit(attachments=[])
        assert [one.attachments for one in turned.revisions][-1] == []
        big = discord.File(io.BytesIO(b"x" * (10 * 2**20 + 1)), "big.bin")
        with pytest.raises(discord.HTTPException, match="40005"):
            await mine.channel.send(file=big)
    assert [one.data for one in fake.uploads[:2]] == [b"cba", b"two"]


async def test_the_edit_that_empties_a_bucket_returns_after_its_reset() -> None:
    """In real time, on a smaller bucket: five edits in a window of 0.4 s."""
    rates = RateRules(routes={"edit_message": Rule(5, 0.4)})
    async with FakeDiscord(scale=1, rates=rates) as fake:
        room = fake.channel(fake.guild("Home", fake.user("Ada")), "general")
        async with online(fake, Bot()) as bot:
            sent = await bot.get_partial_messageable(room.id).send("0")
            for number in range(1, 7):
                await sent.edit(content=str(number))
        [message] = fake.answers(room)
        at = {revision.text: revision.at for revision in message.revisions}
    assert at["5"] - at["1"] < 0.4 <= at["6"] - at["1"]
    assert fake.refused == 0


async def test_a_dropped_connection_is_taken_up_again_and_nothing_is_missed(
    fake: FakeDiscord, ada: Person, room: Channel
) -> None:
    async with online(fake, Bot()) as bot:
        for number, drop in enumerate((lambda: fake.gateway.close(4000), fake.gateway.cut, fake.gateway.reconnect), 1):
            ada.say(f"before {number}", channel=room)
            drop()
            ada.say(f"meanwhile {number}", channel=room)
            await fake.until(lambda number=number: fake.gateway.resumed == number)  # type: ignore[misc]
        await fake.until(lambda: len(bot.heard) == 6)
    assert [message.content for message in bot.heard] == [
        f"{when} {number}" for number in (1, 2, 3) for when in ("before", "meanwhile")
    ]
    assert fake.gateway.identified == 1


async def test_a_revoked_token_ends_the_bot(fake: FakeDiscord) -> None:
    async def live() -> None:
        async with online(fake, Bot()):
            fake.revoke_token()
            await fake.until(lambda: not fake.gateway.is_connected)

    with pytest.raises(discord.ConnectionClosed, match="4004"):
        await live()
    with pytest.raises(discord.LoginFailure):
        async with online(fake, Bot()):
            pass


async def test_a_nonce_sends_once(fake: FakeDiscord, room: Channel) -> None:
    async with online(fake, Bot()) as bot:
        place = bot.get_partial_messageable(room.id)
        first, again = await place.send("once", nonce="answer-7"), await place.send("once", nonce="answer-7")
        other = await place.send("once")
    assert first.id == again.id != other.id
    assert len(fake.answers(room)) == 2


async def test_edits_deletions_reactions_and_pings(fake: FakeDiscord, ada: Person, room: Channel) -> None:
    bot = Bot(allowed_mentions=None)
    async with online(fake, bot):
        place = bot.get_partial_messageable(room.id)
        loud = await place.send(f"{ada.mention} @everyone `@here`", silent=True)
        quiet = await place.send(f"{ada.mention}", allowed_mentions=discord.AllowedMentions.none())
        assert [user.id for user in loud.mentions] == [ada.id]
        await loud.add_reaction("👀")
        said = ada.say("one", channel=room)
        ada.edit(said, "two")
        ada.react(said, "👍")
        ada.unreact(said, "👍")
        ada.type(room)
        ada.delete(said)
        await loud.remove_reaction("👀", bot.user or discord.Object(0))
        await fake.until(lambda: "raw_message_delete" in bot.events)
        await quiet.delete()
    for event in ("message_edit", "reaction_add", "reaction_remove", "typing", "message_delete"):
        assert event in bot.events
    [message] = fake.answers(room)
    assert message.now.pinged == {str(ada.id), "@everyone"}
    assert message.reactions == {}
    with pytest.raises(AssertionError, match="pings"):
        fake.assert_nobody_pinged()


async def test_faults_strike_the_request_they_were_ordered_for(fake: FakeDiscord, ada: Person, room: Channel) -> None:
    async with online(fake, Bot()) as bot:
        place = bot.get_partial_messageable(room.id)
        fake.faults.at("send_message", nth=2, status=503, text="upstream connect error")
        await place.send("one")
        with pytest.raises(discord.DiscordServerError, match="upstream connect error"):
            await place.send("two")
        for cut in ("before", "after"):
            fake.faults.at("send_message", cut=cut, delay_s=0.1)
            with pytest.raises(aiohttp.ClientError):
                await place.send(cut)
        ada.say("see", channel=room, files=[("a.txt", b"a")])
        await fake.until(lambda: bot.heard)
        fake.faults.at("file", status=503)
        with pytest.raises(discord.HTTPException, match="503"):
            await bot.heard[0].attachments[0].read()
        assert await bot.heard[0].attachments[0].read() == b"a"
    assert [message.text for message in fake.answers(room)] == ["one", "after"]


async def test_unknown_routes_come_out_at_the_end() -> None:
    fake = FakeDiscord()
    await fake.start()
    async with online(fake, Bot()) as bot:
        with pytest.raises(discord.NotFound):
            await bot.fetch_premium_sticker_packs()
    with pytest.raises(UnknownRoutes, match="GET /sticker-packs"):
        await fake.close()


async def test_power_cuts_keep_what_was_written(fake: FakeDiscord, ada: Person, room: Channel) -> None:
    async with online(fake, Bot()) as bot:
        url = fake.url
        ada.say("hello", channel=room)
        await fake.kill()
        async with httpx.AsyncClient(verify=False) as http:
            with pytest.raises(httpx.ConnectError):
                await http.get(url)
            await fake.start()
            shown = await http.get(url)
        assert (fake.url, shown.headers["content-type"].partition(";")[0]) == (url, "text/html")
        assert "hello" in shown.text
        ada.say("again", channel=room)
        await fake.until(lambda: len(bot.heard) == 2, timeout_s=10)
    assert fake.gateway.resumed == 1


async def test_waiting_for_what_never_comes_ends(fake: FakeDiscord) -> None:
    with pytest.raises(TimeoutError):
        await fake.until(lambda: False, timeout_s=0.01)


async def test_the_fixture(fake_discord: Callable[..., Awaitable[FakeDiscord]]) -> None:
    one, two = await fake_discord(), await fake_discord(clock=ScaledClock(5), username="other")
    assert one.url != two.url
    async with online(two, Bot()) as bot:
        assert bot.user
        assert bot.user.name == "other"


def test_by_hand_it_prints_its_settings_and_ends_cleanly() -> None:
    command = [sys.executable, "-W", "error", "-m", "halext.testing.discord", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        url = process.stdout.readline().strip()
        settings = dict(process.stdout.readline().strip().split("=") for _ in range(3))
        with httpx.Client(verify=False) as http:
            base, token = settings["HALEXT_DISCORD_API_BASE"], settings["HALEXT_DISCORD_TOKEN"]
            me = http.get(f"{base}/users/@me", headers={"Authorization": f"Bot {token}"}).json()
            assert me["bot"] is True
            assert settings["HALEXT_DISCORD_GATEWAY"] == url.replace("http", "ws") + "/gateway"
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        assert process.stderr.read() == ""


def test_addresses_are_looked_up_unless_a_message_says_not_to(fake: FakeDiscord, room: Channel) -> None:
    world = fake.world
    quiet = world.add_message(room, world.bot, Revision("https://a.example/x and <https://b.example>"), flags=1 << 2)
    world.revise(quiet, Revision("https://a.example/y"))
    fake.assert_nothing_previewed()
    loud = world.add_message(room, world.bot, Revision("<https://b.example>"))
    fake.assert_nothing_previewed()
    world.revise(loud, Revision("see https://c.example/z"))
    assert world.previewed == ["https://c.example/z"]
    with pytest.raises(AssertionError, match=r"c\.example"):
        fake.assert_nothing_previewed()
