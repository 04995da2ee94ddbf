"""The gateway by hand, message by message; test_discord drops and resumes a whole client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import discord
import pytest

from halext.testing.discord import Channel, FakeDiscord, Person
from halext.testing.discordapi.gateway import blanked
from tests.halext.testing.discordapi.client import Bot, online

Socket = aiohttp.ClientWebSocketResponse
EVERY = (1 << 9) | (1 << 12) | (1 << 15) | 1


@pytest.fixture
def ada(fake: FakeDiscord) -> Person:
    return fake.user("Ada")


@pytest.fixture
def room(fake: FakeDiscord, ada: Person) -> Channel:
    return fake.channel(fake.guild("Home", ada), "general")


@asynccontextmanager
async def connected(fake: FakeDiscord) -> AsyncIterator[Socket]:
    """A client that was greeted, and has not said who it is."""
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(fake.gateway_url, timeout=aiohttp.ClientWSTimeout(ws_close=1)) as socket,
    ):
        assert (await hear(socket))["op"] == 10
        yield socket


async def hear(socket: Socket) -> dict[str, Any]:
    async with asyncio.timeout(2):
        return dict(await socket.receive_json())


async def identify(fake: FakeDiscord, socket: Socket, intents: int = EVERY) -> str:
    """Begin a session; its id."""
    await socket.send_json({"op": 2, "d": {"token": fake.token, "intents": intents, "properties": {}}})
    ready = await hear(socket)
    assert ready["t"] == "READY"
    for guild in ready["d"]["guilds"]:
        assert (await hear(socket))["d"]["id"] == guild["id"]
    return str(ready["d"]["session_id"])


async def code_of(socket: Socket) -> int | None:
    """The code that the connection ends with, whatever comes before."""
    async with asyncio.timeout(2):
        while not socket.closed:
            await socket.receive()
    return socket.close_code


async def test_heartbeats_are_answered(fake: FakeDiscord) -> None:
    async with connected(fake) as socket:
        await socket.send_json({"op": 1, "d": None})
        assert (await hear(socket))["op"] == 11


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{", 4002),
        ('{"op": 3, "d": {}}', 4003),
        ('{"op": 2, "d": {"token": "other", "intents": 1}}', 4004),
        ('{"op": 6, "d": {"token": "other", "session_id": "x", "seq": 1}}', 4004),
        ('{"op": 2, "d": {"token": "fake.discord.token", "intents": 256}}', 4014),
    ],
)
async def test_who_is_shown_the_door(fake: FakeDiscord, message: str, code: int) -> None:
    async with connected(fake) as socket:
        await socket.send_str(message)
        assert await code_of(socket) == code


async def test_sessions_begin_once_and_take_few_messages() -> None:
    async with FakeDiscord(scale=1) as fake:
        async with connected(fake) as socket:
            await identify(fake, socket)
            await socket.send_json({"op": 2, "d": {"token": fake.token, "intents": 1}})
            assert await code_of(socket) == 4005
        async with connected(fake) as socket:
            for _ in range(121):
                await socket.send_json({"op": 1, "d": None})
            assert await code_of(socket) == 4008


async def test_an_unknown_opcode_fails_the_test() -> None:
    fake = FakeDiscord()
    await fake.start()
    async with connected(fake) as socket:
        await identify(fake, socket)
        await socket.send_json({"op": 42, "d": None})
        assert await code_of(socket) == 4001
    with pytest.raises(AssertionError, match="gateway op 42"):
        await fake.close()


async def test_a_resume_replays_what_came_after(fake: FakeDiscord, ada: Person, room: Channel) -> None:
    async with connected(fake) as socket:
        session = await identify(fake, socket)
        ada.say("one", channel=room)
        assert (await hear(socket))["s"] == 3
        fake.gateway.cut()
        await code_of(socket)
    ada.say("two", channel=room)
    async with connected(fake) as socket:
        await socket.send_json({"op": 6, "d": {"token": fake.token, "session_id": session, "seq": 3}})
        again, resumed = await hear(socket), await hear(socket)
        assert (again["s"], again["d"]["content"], resumed["t"]) == (4, "two", "RESUMED")
        assert fake.gateway.is_connected


@pytest.mark.parametrize(("session", "seq"), [("other", 1), ("", 99)])
async def test_a_resume_of_what_never_was(fake: FakeDiscord, session: str, seq: int) -> None:
    async with connected(fake) as socket:
        mine = await identify(fake, socket)
    async with connected(fake) as socket:
        await socket.send_json({"op": 6, "d": {"token": fake.token, "session_id": session or mine, "seq": seq}})
        assert await hear(socket) == {"op": 9, "d": False}


async def test_who_says_goodbye_ends_its_session(fake: FakeDiscord) -> None:
    async with connected(fake) as socket:
        await identify(fake, socket)
        await socket.close(code=1000)
    await fake.until(lambda: not fake.gateway.connections)
    assert fake.gateway.sessions == {}
    async with connected(fake) as socket:
        await identify(fake, socket)
        await socket.close(code=4000)
    await fake.until(lambda: not fake.gateway.connections)
    assert len(fake.gateway.sessions) == 1


async def test_events_go_to_those_who_asked_for_them(fake: FakeDiscord, ada: Person, room: Channel) -> None:
    async with connected(fake) as socket:
        await identify(fake, socket, (1 << 12) | 1)
        ada.say("in the room", channel=room)
        ada.say("private")
        assert (await hear(socket))["d"]["content"] == "private"


async def test_a_deaf_connection_stays_open(fake: FakeDiscord, ada: Person) -> None:
    async with connected(fake) as socket:
        await identify(fake, socket)
        fake.gateway.go_deaf()
        ada.say("hello")
        await socket.send_json({"op": 1, "d": None})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.receive(), 0.05)
        assert fake.gateway.is_connected


async def test_members_are_listed_on_demand(fake: FakeDiscord, ada: Person, room: Channel) -> None:
    async with connected(fake) as socket:
        await identify(fake, socket)
        guild = str(room.guild.id if room.guild else 0)
        await socket.send_json({"op": 8, "d": {"guild_id": guild, "query": "a", "limit": 0, "nonce": "n"}})
        chunk = (await hear(socket))["d"]
        assert ([one["user"]["id"] for one in chunk["members"]], chunk["nonce"]) == ([str(ada.id)], "n")


def test_what_is_left_of_a_message_for_who_may_not_read_it() -> None:
    def message(author: str, *mentions: str, **more: Any) -> dict[str, Any]:
        shown = {"author": {"id": author}, "mentions": [{"id": one} for one in mentions], "content": "x"}
        return {**shown, "embeds": [1], "attachments": [1], "components": [1], **more}

    hidden = {"content": "", "embeds": [], "attachments": [], "components": []}
    assert blanked(message("1"), 7) == {**message("1"), **hidden}
    assert blanked(message("7"), 7) == message("7")
    assert blanked(message("1", "7"), 7) == message("1", "7")
    answered = blanked(message("1", "7", referenced_message=message("2")), 7)
    assert (answered["content"], answered["referenced_message"]["content"]) == ("x", "")


async def test_after_a_lost_session_the_bot_begins_anew(fake: FakeDiscord, ada: Person, room: Channel) -> None:
    async with online(fake, Bot()) as bot:
        fake.gateway.invalidate()
        ada.say("nobody hears this", channel=room)
        await fake.until(lambda: fake.gateway.identified == 2)
        ada.say("but this", channel=room)
        await fake.until(lambda: bot.heard)
        assert [message.content for message in bot.heard] == ["but this"]
        history = [message async for message in bot.get_partial_messageable(room.id).history()]
    assert [message.content for message in history] == ["but this", "nobody hears this"]


async def test_intents_that_the_portal_has_not_switched_on() -> None:
    async with FakeDiscord(message_content=False) as fake:
        with pytest.raises(discord.PrivilegedIntentsRequired):
            async with online(fake, Bot()):
                pass
        ada = fake.user("Ada")
        room = fake.channel(fake.guild("Home", ada), "general")
        quiet = Bot(discord.Intents(guilds=True, messages=True))
        async with online(fake, quiet):
            assert quiet.application_flags.gateway_message_content_limited is False
            ada.say("secret", channel=room)
            ada.say("hi", channel=room, mention=True)
            ada.say("dm")
            await fake.until(lambda: len(quiet.heard) == 3)
            history = [message async for message in quiet.get_partial_messageable(room.id).history()]
        mention = f"<@{fake.world.bot.id}> hi"
        assert [message.content for message in quiet.heard] == ["", mention, "dm"]
        assert [message.content for message in history] == [mention, ""]
