"""All channels: one outbox for each, and idle ones make room."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine

import discord
import pytest

from halext.commands.types import Button, Text
from halext.runtime.background import Background
from halext.runtime.clock import SystemClock
from halext.testing.discord import Channel, FakeDiscord, Person
from halext_bots.discord import chats
from halext_bots.discord.chats import Chats
from tests.bots.discord.client import connected


@pytest.fixture
async def fake() -> AsyncIterator[FakeDiscord]:
    async with FakeDiscord() as running:
        yield running


@pytest.fixture
async def client(fake: FakeDiscord) -> AsyncIterator[discord.Client]:
    async with connected(fake) as made:
        yield made


@pytest.fixture
async def made(client: discord.Client) -> AsyncIterator[Chats]:
    async with Background() as background:
        made = Chats(client, SystemClock(), background.spawn)
        yield made
        await made.close()


@pytest.fixture
def ada(fake: FakeDiscord) -> Person:
    return fake.user("Ada")


@pytest.fixture
def room(fake: FakeDiscord, ada: Person) -> Channel:
    return fake.channel(fake.guild("Home", ada), "general")


async def test_idle_channels_make_room_and_busy_ones_stay(
    client: discord.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting: list[Coroutine[object, object, None]] = []
    monkeypatch.setattr(chats, "CHANNELS_MAX", 3)
    made = Chats(client, SystemClock(), lambda work, _name: waiting.append(work))
    busy = made.outbox("0")
    busy.typing()
    idle = [made.outbox(str(number)) for number in range(1, 9)]
    assert made.outbox("0") is busy
    assert made.outbox("8") is idle[-1]
    assert made.outbox("1") is not idle[0]
    for work in waiting:
        work.close()


async def test_an_answer_in_several_messages_has_its_buttons_below_the_last(
    fake: FakeDiscord, made: Chats, ada: Person, room: Channel
) -> None:
    asked = ada.say("?", channel=room)
    made.under(room.id, asked.id).say(Text("word " * 900, (Button("Done", "task done 1"),)))
    await fake.until(lambda: len(fake.answers(room)) == 3)
    first, *_, last = fake.answers(room)
    assert first.reply_to is asked
    assert last.reply_to is None
    assert (first.buttons, last.buttons) == ([], ["Done"])


async def test_nothing_to_say_is_said(fake: FakeDiscord, made: Chats, room: Channel) -> None:
    made.apart(room.id).say(Text(""))
    await fake.until(lambda: fake.answers(room))
    assert fake.answers(room)[0].text == chats.NOTHING


async def test_what_was_being_shown_is_written_over(fake: FakeDiscord, made: Chats, room: Channel) -> None:
    made.apart(room.id).say(Text("half of"))
    (message,) = await fake.until(lambda: fake.answers(room))
    view = made.restore(str(room.id), (str(message.id),))
    assert view is not None
    await view.finish("all of it", [])
    await view.finished()
    assert [one.text for one in fake.answers(room)] == ["all of it"]


async def test_a_full_outbox_is_said_in_the_log(
    made: Chats, room: Channel, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("halext_bots.shared.outbox.SLOTS_MAX", 0)
    made.apart(room.id).say(Text("one too many"))
    assert "no room" in caplog.text
