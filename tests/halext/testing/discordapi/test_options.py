from __future__ import annotations

from typing import Any

import pytest

from halext.testing.discordapi import options
from halext.testing.discordapi.commands import Command
from halext.testing.discordapi.options import Resolved, check, fill, subcommand
from halext.testing.discordapi.people import Person
from halext.testing.discordapi.things import Channel, Guild
from halext.testing.discordapi.world import World

ASK = [
    {"type": 3, "name": "prompt", "required": True, "max_length": 5},
    {"type": 4, "name": "count", "min_value": 1, "max_value": 4},
    {"type": 3, "name": "model", "choices": [{"name": "Llama", "value": "llama3"}]},
]


@pytest.fixture
def resolved(world: World, home: Guild, room: Channel) -> Resolved:
    return Resolved(home, lambda name, data: world.keep(room, name, data))


def test_options_become_what_an_interaction_holds(resolved: Resolved) -> None:
    assert fill(ASK, {"prompt": "why", "count": 2}, resolved) == [
        {"name": "prompt", "type": 3, "value": "why"},
        {"name": "count", "type": 4, "value": 2},
    ]
    assert resolved.json() == {}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "prompt must be filled in"),
        ({"prompt": "a", "tone": "dry"}, "no option tone; there are prompt, count, model"),
        ({"prompt": "abcdef"}, "between 0 and 5"),
        ({"prompt": 1}, "takes str"),
        ({"prompt": "a", "count": 5}, "between 1 and 4"),
        ({"prompt": "a", "count": True}, "takes int"),
        ({"prompt": "a", "model": "qwen"}, r"one of \['llama3'\]"),
    ],
)
def test_what_discord_does_not_let_people_send(values: dict[str, Any], message: str, resolved: Resolved) -> None:
    with pytest.raises(ValueError, match=message):
        fill(ASK, values, resolved)


def test_while_typing_anything_goes(resolved: Resolved) -> None:
    assert fill(ASK, {"count": "4x"}, resolved, focused="count") == [
        {"name": "count", "type": 4, "value": "4x", "focused": True}
    ]


def test_things_are_referred_to_by_their_ids(resolved: Resolved, world: World, ada: Person, room: Channel) -> None:
    assert room.guild
    role = world.add_role(room.guild, "Friends", ada.user)
    values = {"who": ada.user, "role": role, "room": room, "file": ("a.txt", b"x"), "any": role}
    kinds = {"who": 6, "role": 8, "room": 7, "file": 11, "any": 9}
    schema = [{"type": kind, "name": name} for name, kind in kinds.items()]
    filled = {one["name"]: one["value"] for one in fill(schema, values, resolved)}
    found = resolved.json()["resolved"]
    assert filled["who"] in found["users"]
    assert found["members"][filled["who"]]["roles"] == [filled["role"]]
    assert found["roles"][filled["any"]]["name"] == "Friends"
    assert found["channels"][filled["room"]]["name"] == "general"
    assert found["attachments"][filled["file"]]["filename"] == "a.txt"


def test_channels_of_the_right_kind(room: Channel) -> None:
    check({"type": options.CHANNEL, "name": "where", "channel_types": [0]}, room)
    with pytest.raises(ValueError, match="types"):
        check({"type": options.CHANNEL, "name": "where", "channel_types": [11]}, room)


def test_subcommands_are_found_by_their_names() -> None:
    leaf = {"type": 1, "name": "set", "options": [{"type": 3, "name": "name"}]}
    group = {"type": 2, "name": "default", "options": [leaf]}
    command = Command(1, 0, {"name": "model", "options": [group]})
    assert subcommand(command, ["default", "set"]) == leaf["options"]
    with pytest.raises(LookupError, match="no subcommand 'unset'"):
        subcommand(command, ["unset"])
    with pytest.raises(LookupError, match=r"needs one of \['set'\]"):
        subcommand(command, ["default"])
