from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import discord
import pytest

from halext.testing.discord import Channel, FakeDiscord, Person, RateRules, Revision, Rule, UnknownRoutes
from halext.testing.discordapi.api import Api
from halext.testing.discordapi.messages import MAX_LATE_EDITS
from tests.halext.testing.discordapi.client import Bot, online


@pytest.fixture
def ada(fake: FakeDiscord) -> Person:
    return fake.user("Ada")


@pytest.fixture
def room(fake: FakeDiscord, ada: Person) -> Channel:
    return fake.channel(fake.guild("Home", ada), "general")


@pytest.fixture
async def http(fake: FakeDiscord) -> AsyncIterator[aiohttp.ClientSession]:
    """The bot, by hand."""
    headers = {"Authorization": f"Bot {fake.token}"}
    async with aiohttp.ClientSession(f"{fake.api_base}/", headers=headers) as session:
        yield session


def test_the_more_special_route_wins(api: Api) -> None:
    for method, path, name in (
        ("GET", "/users/@me", "me"),
        ("GET", "/users/7", "user"),
        ("PUT", "/channels/1/messages/pins/2", "pin"),
        ("PATCH", "/channels/1/messages/2", "edit_message"),
        ("POST", "/channels/1/messages/bulk-delete", "delete_messages"),
        ("PATCH", "/webhooks/1/t/messages/@original", "edit_reply"),
    ):
        assert api.find(method, path)[0].name == name
    with pytest.raises(LookupError, match="GET /nowhere"):
        api.find("GET", "/nowhere")


async def test_the_content_type_is_exactly_json_and_nothing_has_none(
    fake: FakeDiscord, http: aiohttp.ClientSession, room: Channel
) -> None:
    me = await http.get("users/@me")
    assert me.headers["Content-Type"] == "application/json"
    typing = await http.post(f"channels/{room.id}/typing")
    assert (typing.status, "Content-Type" in typing.headers) == (204, False)
    for path in ("gateway", "gateway/bot"):
        assert (await (await http.get(path)).json())["url"] == fake.gateway_url


async def test_who_does_not_keep_the_limit_is_told_to_wait(
    fake: FakeDiscord, http: aiohttp.ClientSession, room: Channel
) -> None:
    path = f"channels/{room.id}/messages"
    answers = [await http.post(path, json={"content": "x"}) for _ in range(6)]
    body = await answers[5].json()
    assert [one.status for one in answers] == [200] * 5 + [429]
    assert answers[4].headers["X-RateLimit-Remaining"] == "0"
    assert 0 < float(answers[4].headers["X-RateLimit-Reset-After"]) <= 0.5
    assert (answers[5].headers["Retry-After"], answers[5].headers["X-RateLimit-Scope"]) == ("1", "user")
    assert "Via" in answers[5].headers
    assert body["message"] == "You are being rate limited."
    assert (body["global"], 0 < body["retry_after"] <= 0.5) == (False, True)
    await asyncio.sleep(body["retry_after"])
    assert (await http.post(path, json={"content": "x"})).status == 200
    assert (fake.refused, fake.made("send_message")[5].status) == (1, 429)


async def test_the_library_waits_as_it_is_told(fake: FakeDiscord, room: Channel) -> None:
    async with online(fake, Bot()) as bot:
        fake.faults.at("send_message", status=429, retry_after=0.01)
        await bot.get_partial_messageable(room.id).send("y")
    assert [call.status for call in fake.made("send_message")] == [429, 200]


async def test_bans_are_for_those_who_keep_asking() -> None:
    async with FakeDiscord(rates=RateRules(invalid=Rule(3, 600))) as fake, aiohttp.ClientSession() as http:
        answers = [await http.get(f"{fake.api_base}/users/@me") for _ in range(4)]
        assert [one.status for one in answers] == [401, 401, 401, 429]
        assert "Via" not in answers[3].headers
        assert await answers[3].text() == "error code: 1015"


async def test_old_messages_take_few_edits_and_the_library_gives_up() -> None:
    async with FakeDiscord(scale=100) as fake, online(fake, Bot()) as bot:
        room = fake.channel(fake.guild("Home", fake.user("Ada")), "general")
        sent = await bot.get_partial_messageable(room.id).send("x")
        [message] = fake.answers(room)
        message.late_edits, message.revisions[0] = MAX_LATE_EDITS, Revision("x", at=-3600)
        with pytest.raises(discord.HTTPException, match="30046"):
            await sent.edit(content="y")
        assert [call.status for call in fake.made("edit_message")] == [429] * 5


async def test_faults_by_hand(fake: FakeDiscord, http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture) -> None:
    fake.faults.at("me", body=b"<html>", status=502)
    broken = await http.get("users/@me")
    assert (broken.status, await broken.text()) == (502, "<html>")
    fake.faults.at("*", cut="before")
    with pytest.raises(aiohttp.ClientError):
        await http.post("users/@me/channels", json={"recipient_id": "1"})
    assert [call.status for call in fake.calls] == [502, 0]
    assert caplog.records == []


async def test_what_this_fake_does_not_have_is_refused_and_recorded() -> None:
    fake = FakeDiscord()
    await fake.start()
    room = fake.channel(fake.guild("Home", fake.user("Ada")), "general")
    async with aiohttp.ClientSession(headers={"Authorization": f"Bot {fake.token}"}) as http:
        poll = {"poll": {"question": "?"}}
        assert (await http.post(f"{fake.api_base}/channels/{room.id}/messages", json=poll)).status == 400
        assert (await http.get(f"{fake.api_base}/voice/regions")).status == 404
        assert (await http.put(f"{fake.api_base}/users/@me")).status == 404
    with pytest.raises(UnknownRoutes, match=r"messages with poll, GET /voice/regions, PUT /users/@me"):
        await fake.close()
