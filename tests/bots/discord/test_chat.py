"""A channel as the outbox uses it: a real library, a fake Discord."""

from __future__ import annotations

from collections.abc import AsyncIterator

import discord
import pytest

from halext.commands.types import Button, File
from halext.errors import KeyRefused, Unreachable
from halext.testing.discord import Channel, FakeDiscord, Guild
from halext_bots.discord.chat import DiscordChat
from halext_bots.discord.content import content
from halext_bots.shared.transport import Flooded, Gone, Refused
from tests.bots.discord.client import connected


@pytest.fixture
async def fake() -> AsyncIterator[FakeDiscord]:
    async with FakeDiscord() as running:
        yield running
        running.assert_nobody_pinged()


@pytest.fixture
def guild(fake: FakeDiscord) -> Guild:
    return fake.guild("Home", fake.user("Ada"))


@pytest.fixture
def room(fake: FakeDiscord, guild: Guild) -> Channel:
    return fake.channel(guild, "general")


@pytest.fixture
async def client(fake: FakeDiscord) -> AsyncIterator[discord.Client]:
    async with connected(fake) as made:
        yield made


async def test_a_message_is_sent_once_per_key_edited_and_taken_away(
    fake: FakeDiscord, room: Channel, client: discord.Client
) -> None:
    chat = DiscordChat(client, room.id)
    await chat.typing()
    assert fake.is_typing(room)
    ref = await chat.send(content("@everyone", [Button("Stop", "stop 1")]), key="k1")
    assert await chat.send(content("@everyone", [Button("Stop", "stop 1")]), key="k1") == ref
    (message,) = room.shown
    assert message.buttons == ["Stop"]
    await chat.edit(ref, content("done", files=[File("a.png", b"png")]))
    assert (message.text, message.buttons, [one.name for one in message.attachments]) == ("done", [], ["a.png"])
    await chat.edit(ref, content("done"))
    assert not message.attachments
    await chat.delete(ref)
    assert not room.shown
    with pytest.raises(Gone):
        await chat.edit(ref, content("late"))
    with pytest.raises(Gone):
        await chat.delete(ref)


async def test_a_repeat_that_says_something_newer_is_written_over_what_came_first(
    fake: FakeDiscord, room: Channel, client: discord.Client
) -> None:
    chat = DiscordChat(client, room.id)
    fake.faults.at("send_message", cut="after")
    with pytest.raises(Unreachable):
        await chat.send(content("…", [Button("Stop", "stop 1")]), key="k")
    await chat.send(content("all of it", [Button("Why", "why 1")]), key="k")
    (message,) = room.shown
    assert (message.text, message.buttons) == ("all of it", ["Why"])
    assert len(fake.made("edit_message")) == 1


async def test_what_discord_refuses_is_told_in_the_outboxs_words(
    fake: FakeDiscord, guild: Guild, room: Channel, client: discord.Client
) -> None:
    closed = fake.channel(guild, "closed", bot_may_write=False)
    with pytest.raises(Gone):
        await DiscordChat(client, closed.id).send(content("hi"), key="k")
    with pytest.raises(Gone):
        await DiscordChat(client, closed.id).typing()
    with pytest.raises(Gone):
        await DiscordChat(client, 1).send(content("hi"), key="k")
    with pytest.raises(Refused):
        await DiscordChat(client, room.id).send(content("x" * 2001), key="k")
    with pytest.raises(Refused):
        await DiscordChat(client, room.id).send(content("x", files=[File("a", b"x" * 11_000_000)]), key="k")
    fake.faults.at("send_message", cut="before", times=9)
    with pytest.raises(Unreachable):
        await DiscordChat(client, room.id).send(content("x"), key="k")
    fake.faults.clear()
    fake.faults.at("send_message", status=401)
    with pytest.raises(KeyRefused):
        await DiscordChat(client, room.id).send(content("x"), key="k")


async def test_a_ban_by_what_stands_before_discord_is_a_long_pause(
    fake: FakeDiscord, room: Channel, client: discord.Client
) -> None:
    fake._api.buckets.invalid.used, fake._api.buckets.invalid.since = 10_000, fake.clock.monotonic()
    with pytest.raises(Flooded) as flooded:
        await DiscordChat(client, room.id).send(content("x"), key="k")
    assert flooded.value.retry_after_s >= 30
