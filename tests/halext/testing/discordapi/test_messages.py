from __future__ import annotations

from collections.abc import Callable
from typing import Any

import discord
import pytest

from halext.testing.clock import ManualClock
from halext.testing.discord import FakeDiscord
from halext.testing.discordapi.api import Api
from halext.testing.discordapi.forms import Call
from halext.testing.discordapi.messages import Messages
from halext.testing.discordapi.people import Person
from halext.testing.discordapi.refusal import Refusal, Unsupported
from halext.testing.discordapi.things import Channel
from halext.testing.discordapi.world import World
from tests.halext.testing.discordapi.client import Bot, online

Ask = Callable[..., Any]


@pytest.fixture
def place(room: Channel) -> str:
    return f"/channels/{room.id}/messages"


def code_of(run: Callable[[], Any]) -> int:
    with pytest.raises(Refusal) as refused:
        run()
    return refused.value.code


def test_history_comes_in_pages(ask: Ask, place: str, ada: Person, room: Channel) -> None:
    said = [ada.say(str(number), channel=room) for number in range(5)]
    ada.delete(said.pop(2))
    middle = str(said[2].id)

    def texts(**query: str) -> str:
        return "".join(one["content"] for one in ask("GET", place, query=query))

    assert texts() == "4310"
    assert texts(limit="2") == "43"
    assert texts(before=middle) == "10"
    assert texts(after=str(said[0].id), limit="2") == "31"
    assert texts(around=middle, limit="3") == "431"
    assert code_of(lambda: texts(limit="101")) == 50035


def test_who_may_not_read_gets_blanks(api: Api, place: str, ada: Person, room: Channel) -> None:
    ada.say("secret", channel=room)
    blind = Messages(api.interactions.composer, reads_all=False)
    [shown] = blind.history(Call("history", "GET", place, {"channel": str(room.id)}, {}))
    assert shown["content"] == ""


async def test_a_nonce_is_remembered_for_minutes(ask: Ask, place: str, room: Channel, clock: ManualClock) -> None:
    form = {"content": "once", "nonce": "n", "enforce_nonce": True}
    first = ask("POST", place, form)
    assert ask("POST", place, {**form, "content": "other"}) == first
    await clock.advance(300)
    assert ask("POST", place, form)["id"] != first["id"]
    ask("POST", place, {**form, "enforce_nonce": False})
    assert len(room.shown) == 3


async def test_old_messages_take_few_edits(ask: Ask, place: str, clock: ManualClock) -> None:
    sent = ask("POST", place, {"content": "0"})
    await clock.advance(3601)
    for number in range(20):
        ask("PATCH", f"{place}/{sent['id']}", {"content": str(number)})
    with pytest.raises(Refusal, match="older than 1 hour") as refused:
        ask("PATCH", f"{place}/{sent['id']}", {"content": "x"})
    assert (refused.value.status, refused.value.code, refused.value.retry_s > 0) == (429, 30046, True)


def test_replies(ask: Ask, place: str, ada: Person, room: Channel) -> None:
    said = ada.say("why?", channel=room)
    reference = {"message_id": str(said.id), "channel_id": str(room.id)}
    sent = ask("POST", place, {"content": "x", "message_reference": reference})
    assert (sent["type"], sent["referenced_message"]["content"]) == (19, "why?")
    assert [one["id"] for one in sent["mentions"]] == [str(ada.id)]
    ada.delete(said)
    form = {"content": "x", "message_reference": reference}
    assert code_of(lambda: ask("POST", place, form)) == 50035
    assert ask("POST", place, {**form, "message_reference": {**reference, "fail_if_not_exists": False}})["type"] == 0
    with pytest.raises(Unsupported, match="forwarded"):
        ask("POST", place, {"message_reference": {**reference, "type": 1}})


def test_what_is_whose(ask: Ask, place: str, ada: Person, room: Channel) -> None:
    said, private = ada.say("x", channel=room), ada.say("x")
    assert code_of(lambda: ask("PATCH", f"{place}/{said.id}", {"content": "y"})) == 50005
    assert code_of(lambda: ask("DELETE", f"/channels/{ada.chat.id}/messages/{private.id}")) == 50003
    ask("DELETE", f"{place}/{said.id}")
    assert code_of(lambda: ask("GET", f"{place}/{said.id}")) == 10008
    assert room.texts == []


def test_many_at_once_reactions_pins_and_typing(ask: Ask, place: str, ada: Person, room: Channel, world: World) -> None:
    said = [ada.say(str(number), channel=room) for number in range(3)]
    ids = [str(one.id) for one in said]
    assert code_of(lambda: ask("POST", f"{place}/bulk-delete", {"messages": ids[:1]})) == 50016
    ask("POST", f"{place}/bulk-delete", {"messages": ids[:2]})
    assert room.texts == ["2"]
    one = f"{place}/{ids[2]}"
    for number in range(20):
        ask("PUT", f"{one}/reactions/{number}/@me")
    assert code_of(lambda: ask("PUT", f"{one}/reactions/x/@me")) == 30010
    ada.react(said[2], "5")
    ask("DELETE", f"{one}/reactions/5/{ada.id}")
    ask("DELETE", f"{one}/reactions/4/@me")
    assert len(said[2].reactions) == 19
    assert ask("GET", one)["reactions"][0] == {"emoji": {"id": None, "name": "0"}, "count": 1, "me": True}
    ask("PUT", f"{place}/pins/{ids[2]}")
    assert said[2].is_pinned
    ask("DELETE", f"{place}/pins/{ids[2]}")
    assert not said[2].is_pinned
    ask("POST", f"/channels/{room.id}/typing")
    assert world.is_typing(room, world.bot)


def test_only_the_tokens_know_ephemeral_messages(
    ask: Ask, place: str, ada: Person, room: Channel, world: World
) -> None:
    ask("PUT", f"/applications/{world.bot.id}/commands", [{"name": "ask", "description": "Ask"}])
    asked = ada.slash("ask", channel=room)
    callback = f"/interactions/{asked.id}/{asked.token}/callback"
    ask("POST", callback, {"type": 4, "data": {"content": "x", "flags": 64}})
    assert asked.reply
    number = asked.reply.id
    assert code_of(lambda: ask("GET", f"{place}/{number}")) == 10008
    assert ask("GET", place) == []


def test_conversations_with_one_person(ask: Ask, ada: Person, world: World) -> None:
    opened = ask("POST", "/users/@me/channels", {"recipient_id": str(ada.id)})
    assert opened["id"] == str(ada.chat.id)
    assert code_of(lambda: ask("POST", "/users/@me/channels", {"recipient_id": "42"})) == 50033
    path = f"/channels/{ada.chat.id}/messages"
    assert code_of(lambda: ask("POST", path, {"content": "x"})) == 50007
    ada.say("hello")
    ask("POST", path, {"content": "x"})
    ada.close_dms()
    assert code_of(lambda: ask("POST", path, {"content": "x"})) == 50007


async def test_who_cannot_be_written_to_as_the_library_sees_it(fake: FakeDiscord) -> None:
    ada = fake.user("Ada")
    room = fake.channel(fake.guild("Home", ada), "general")
    stranger = fake.user("Eve")
    locked = fake.channel(fake.guild("Office", ada), "rules", bot_may_write=False)
    async with online(fake, Bot()) as bot:
        channel = bot.get_channel(locked.id)
        assert isinstance(channel, discord.TextChannel)
        assert not channel.permissions_for(channel.guild.me).send_messages
        with pytest.raises(discord.Forbidden, match="50013"):
            await channel.send("x")
        with pytest.raises(discord.Forbidden, match="50007"):
            await (await bot.fetch_user(stranger.id)).send("x")
        person = await bot.fetch_user(ada.id)
        await person.send("hello")
        ada.close_dms()
        with pytest.raises(discord.Forbidden, match="50007"):
            await person.send("x")
        with pytest.raises(discord.NotFound, match="10003"):
            await bot.get_partial_messageable(42).send("x")
        with pytest.raises(discord.HTTPException, match="50035"):
            await bot.get_partial_messageable(room.id).send("x" * 2001)
        assert locked.guild
        ada.kick_bot(locked.guild)
        await fake.until(lambda: "guild_remove" in bot.events)
    assert ada.chat.texts == ["hello"]
