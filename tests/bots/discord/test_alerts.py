"""Alerts in a channel: one message for each, which changes when it is over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import discord
import pytest

from halext.alerts.types import Alert
from halext.errors import KeyRefused, NotFound, RequestRefused
from halext.testing.discord import Channel, FakeDiscord
from halext_bots.discord.alerts import AlertChannel, told_as
from tests.bots.discord.client import connected

FIRE = Alert(
    "key-1", "mac is offline", "The node refuses @everyone **now**.", is_over=False, started_at=0, ended_at=None
)
OVER = replace(FIRE, title="mac is back", text="It was away for 5 min.", is_over=True, ended_at=300.0)


@pytest.fixture
async def fake() -> AsyncIterator[FakeDiscord]:
    async with FakeDiscord() as running:
        yield running
        running.assert_nobody_pinged()


@pytest.fixture
def room(fake: FakeDiscord) -> Channel:
    return fake.channel(fake.guild("Home", fake.user("Ada")), "alerts")


async def test_it_is_told_once_and_changes(fake: FakeDiscord, room: Channel) -> None:
    async with connected(fake) as client:
        place = AlertChannel(client, room.id)
        ref = await place.send(FIRE)
        assert await place.send(FIRE) == ref
        await place.edit(ref, OVER)
    (message,) = room.shown
    assert message.text == "✅ **mac is back**\nIt was away for 5 min."
    assert "@everyone" not in message.revisions[0].text
    assert "**now**" not in message.revisions[0].text


async def test_what_is_gone_is_told_anew_and_what_is_forbidden_is_said(fake: FakeDiscord, room: Channel) -> None:
    closed = fake.channel(next(iter(fake.world.guilds.values())), "closed", bot_may_write=False)
    async with connected(fake) as client:
        place = AlertChannel(client, room.id)
        ref = await place.send(FIRE)
        fake.world.delete(room.shown[0])
        with pytest.raises(NotFound):
            await place.edit(ref, OVER)
        with pytest.raises(RequestRefused, match="50013"):
            await AlertChannel(client, closed.id).send(FIRE)
        fake.gateway.token_works = False
        with pytest.raises(KeyRefused):
            await place.send(FIRE)
        with pytest.raises(KeyRefused):
            await place.edit(ref, OVER)


def test_words_of_any_length_fit_into_a_message() -> None:
    long = replace(FIRE, title="*" * 5_000, text="_" * 5_000)
    assert len(told_as(long)) < 2_000
    assert isinstance(discord.AllowedMentions.none(), discord.AllowedMentions)
