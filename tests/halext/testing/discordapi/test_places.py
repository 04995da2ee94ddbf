from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from halext.testing.discordapi.people import Person
from halext.testing.discordapi.refusal import Refusal
from halext.testing.discordapi.things import Channel, Guild
from halext.testing.discordapi.world import World
from tests.halext.testing.discordapi.conftest import Told

Ask = Callable[..., Any]


def code_of(run: Callable[[], Any]) -> int:
    with pytest.raises(Refusal) as refused:
        run()
    return refused.value.code


def test_guilds_members_and_channels(ask: Ask, home: Guild, room: Channel, ada: Person, world: World) -> None:
    away = world.add_guild("Away", ada.user, has_bot=False)
    assert ask("GET", f"/guilds/{home.id}")["owner_id"] == str(ada.id)
    assert code_of(lambda: ask("GET", f"/guilds/{away.id}")) == 10004
    assert ask("GET", f"/guilds/{home.id}/members/{ada.id}")["user"]["username"] == "ada"
    assert code_of(lambda: ask("GET", f"/guilds/{home.id}/members/42")) == 10007
    assert ask("GET", f"/users/{ada.id}")["global_name"] == "Ada"
    assert code_of(lambda: ask("GET", "/users/42")) == 10013
    assert [one["name"] for one in ask("GET", f"/guilds/{home.id}/channels")] == ["general"]
    assert ask("GET", f"/channels/{room.id}")["type"] == 0
    assert code_of(lambda: ask("GET", "/channels/42")) == 10003


def test_threads(ask: Ask, home: Guild, room: Channel, ada: Person, told: Told) -> None:
    said = ada.say("why?", channel=room)
    path = f"/channels/{room.id}/messages/{said.id}/threads"
    made = ask("POST", path, {"name": "Rain"})
    assert (made["id"], made["parent_id"]) == (str(said.id), str(room.id))
    assert code_of(lambda: ask("POST", path, {"name": "Again"})) == 160004
    assert code_of(lambda: ask("POST", f"/channels/{made['id']}/threads", {"name": "Inner"})) == 50024
    assert code_of(lambda: ask("POST", f"/channels/{room.id}/threads", {"name": "x" * 101})) == 50035
    assert len(ask("GET", f"/guilds/{home.id}/threads/active")["threads"]) == 1
    thread = f"/channels/{made['id']}"
    ask("PUT", f"{thread}/thread-members/{ada.id}")
    ask("DELETE", f"{thread}/thread-members/@me")
    assert [name for name, _ in told].count("THREAD_MEMBERS_UPDATE") == 2
    assert ask("PATCH", thread, {"name": "Snow", "archived": True})["thread_metadata"]["archived"] is True
    assert ask("GET", f"/guilds/{home.id}/threads/active")["threads"] == []
    assert code_of(lambda: ask("PATCH", f"/channels/{room.id}", {"name": "x"})) == 50013
    ask("DELETE", thread)
    assert code_of(lambda: ask("GET", thread)) == 10003


def test_the_bot_joins_where_it_writes_and_stays_out_of_locked_ones(
    ask: Ask, room: Channel, ada: Person, world: World
) -> None:
    thread = ada.thread("Hers", room)
    ask("POST", f"/channels/{thread.id}/messages", {"content": "x"})
    assert world.bot in thread.people
    ask("PATCH", f"/channels/{thread.id}", {"locked": True})
    assert code_of(lambda: ask("POST", f"/channels/{thread.id}/messages", {"content": "x"})) == 50013
