from __future__ import annotations

from collections.abc import Callable

from halext.testing.discordapi.people import Person
from halext.testing.discordapi.things import ADMINISTRATOR, EVERYTHING, Channel, Guild, Revision
from halext.testing.discordapi.world import World

MANAGE_GUILD = 1 << 5


def test_owners_bots_and_administrators_may_everything(
    world: World, home: Guild, ada: Person, meet: Callable[[str], Person]
) -> None:
    bob, eve = meet("Bob"), meet("Eve")
    home.people += [bob.user, eve.user]
    world.add_role(home, "Admins", bob.user).permissions = ADMINISTRATOR
    assert [home.permissions(one) for one in (ada.user, world.bot, bob.user)] == [EVERYTHING] * 3
    assert not home.permissions(eve.user) & MANAGE_GUILD
    assert home.member(bob.user)["roles"] == [str(home.roles[1].id)]


def test_a_message_knows_what_it_said(world: World, room: Channel, ada: Person) -> None:
    row = {"type": 1, "components": [{"type": 2, "style": 2, "custom_id": "x", "emoji": {"name": "🔁"}}]}
    message = world.add_message(room, world.bot, Revision("one", components=[row]))
    world.revise(message, Revision("two", embeds=[{"title": "t"}]))
    assert [revision.text for revision in message.revisions] == ["one", "two"]
    assert (message.text, message.embeds, message.buttons) == ("two", [{"title": "t"}], [])
    message.revisions.pop()
    assert message.buttons == ["🔁"]
    assert message.event()["guild_id"] == str(room.guild.id if room.guild else 0)


def test_answers_show_what_they_answer_but_not_further(world: World, room: Channel, ada: Person) -> None:
    first = ada.say("1", channel=room)
    second = ada.say("2", channel=room, reply_to=first)
    third = ada.say("3", channel=room, reply_to=second)
    shown = third.json()["referenced_message"]
    assert (shown["content"], "referenced_message" in shown) == ("2", False)
    ada.delete(second)
    assert third.json()["referenced_message"] is None


def test_channels_of_each_kind(world: World, home: Guild, room: Channel, ada: Person) -> None:
    thread = ada.thread("Rain", room)
    closed = world.add_channel(home, "rules", bot_may_write=False)
    assert [channel.json()["type"] for channel in (room, ada.chat, thread)] == [0, 1, 11]
    assert ada.chat.json()["recipients"][0]["id"] == str(ada.id)
    assert closed.json()["permission_overwrites"] == [
        {"id": str(world.bot.id), "type": 1, "allow": "0", "deny": str(1 << 11)}
    ]
    shown = home.json()
    assert [one["name"] for one in shown["channels"]] == ["general", "rules"]
    assert [one["name"] for one in shown["threads"]] == ["Rain"]
    assert shown["member_count"] == len(shown["members"]) == 2
