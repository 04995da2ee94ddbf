from __future__ import annotations

import pytest

from halext.testing.clock import ManualClock
from halext.testing.discordapi.people import Person
from halext.testing.discordapi.refusal import Refusal
from halext.testing.discordapi.things import Channel, Guild, Revision
from halext.testing.discordapi.world import World
from tests.halext.testing.discordapi.conftest import Told


def names(told: Told) -> list[str]:
    return [name for name, _ in told]


def test_the_bot_hears_of_its_own_guilds_only(world: World, ada: Person, told: Told) -> None:
    world.add_channel(world.add_guild("Away", ada.user, has_bot=False), "general")
    assert told == []
    home = world.add_guild("Home", ada.user)
    world.add_role(home, "Friends", ada.user)
    room = world.add_channel(home, "general")
    ada.say("x", channel=room)
    world.remove_channel(room)
    world.remove_bot(home)
    world.add_channel(home, "unheard")
    assert names(told) == [
        "GUILD_CREATE",
        "GUILD_ROLE_CREATE",
        "CHANNEL_CREATE",
        "MESSAGE_CREATE",
        "CHANNEL_DELETE",
        "GUILD_DELETE",
    ]
    with pytest.raises(ValueError, match="owner"):
        world.add_guild("Nobody's")


def test_ephemeral_messages_are_told_to_nobody(world: World, room: Channel, ada: Person, told: Told) -> None:
    told.clear()
    message = world.add_message(room, world.bot, Revision("x"), only_for=ada.user)
    world.revise(message, Revision("y"))
    world.delete(message)
    assert (told, room.shown) == ([], [])


async def test_typing_shows_for_ten_seconds_or_until_the_message(
    world: World, room: Channel, ada: Person, clock: ManualClock
) -> None:
    world.type(room, world.bot)
    await clock.advance(9)
    assert world.is_typing(room, world.bot)
    assert not world.is_typing(room, ada.user)
    await clock.advance(2)
    assert not world.is_typing(room, world.bot)
    world.type(room, world.bot)
    await clock.advance(1)
    world.add_message(room, world.bot, Revision("x"))
    assert not world.is_typing(room, world.bot)


def test_threads_begin_with_a_message_or_leave_one(world: World, room: Channel, ada: Person, told: Told) -> None:
    said = ada.say("why?", channel=room)
    on_it = world.add_thread(room, "Rain", ada.user, start=said)
    assert (on_it.id, said.thread, said.flags & (1 << 5)) == (said.id, on_it, 1 << 5)
    world.add_thread(room, "Bare", ada.user)
    assert room.texts == ["why?", "Bare"]
    world.change_thread(on_it, name="Rain", is_archived=True, is_locked=False)
    world.join(on_it, world.bot)
    world.join(on_it, world.bot)
    assert (
        names(told)[-5:]
        == [
            *("THREAD_CREATE", "MESSAGE_UPDATE"),
            *("THREAD_CREATE", "MESSAGE_CREATE", "THREAD_UPDATE", "THREAD_MEMBERS_UPDATE"),
        ][-5:]
    )
    ada.say("again", channel=on_it)
    assert not on_it.is_archived


async def test_files_go_stale(world: World, room: Channel, clock: ManualClock) -> None:
    file = world.keep(room, "a.png", b"x")
    assert file.content_type == "image/png"
    assert world.keep(room, "a.png", b"x", "application/octet-stream").content_type == "image/png"
    assert world.keep(room, "a", b"x", "text/x").content_type == "text/x"
    assert world.file(file.id) is file
    await clock.advance(24 * 3600)
    assert world.file(file.id) is None


def test_what_is_gone_is_unknown(world: World, room: Channel, ada: Person, home: Guild) -> None:
    said = ada.say("x", channel=room)
    ada.delete(said)
    with pytest.raises(Refusal, match="Unknown Message"):
        world.message(room, said.id)
    world.remove_channel(room)
    assert room not in home.channels
    with pytest.raises(Refusal, match="Unknown Channel"):
        world.channel(room.id)


def test_reactions_count_once(world: World, room: Channel, ada: Person, told: Told) -> None:
    said = ada.say("x", channel=room)
    for _ in range(2):
        world.react(said, "👍", ada.user)
    assert said.reactions == {"👍": [ada.id]}
    world.react(said, "👍", ada.user, is_leaving=True)
    assert said.reactions == {}
    assert names(told)[-2:] == ["MESSAGE_REACTION_ADD", "MESSAGE_REACTION_REMOVE"]
