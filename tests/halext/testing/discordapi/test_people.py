from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from halext.testing.discordapi.people import Person
from halext.testing.discordapi.things import Channel, Guild, Message
from halext.testing.discordapi.world import World
from tests.halext.testing.discordapi.conftest import Told

Ask = Callable[..., Any]


def sync(ask: Ask, world: World, *forms: dict[str, Any], guild: Guild | None = None) -> None:
    place = f"/guilds/{guild.id}" if guild else ""
    ask("PUT", f"/applications/{world.bot.id}{place}/commands", [{"description": "Does it", **form} for form in forms])


def sent(ask: Ask, room: Channel, *parts: dict[str, Any]) -> Message:
    """A message of the bot with these components in rows of their own."""
    rows = [{"type": 1, "components": [part]} for part in parts]
    answer = ask("POST", f"/channels/{room.id}/messages", {"content": "x", "components": rows})
    return room.messages[int(answer["id"])]


def button(**more: Any) -> dict[str, Any]:
    return {"type": 2, "style": 1, "label": "Stop", "custom_id": "stop:1", **more}


def test_messages_mentions_files_and_replies(ada: Person, room: Channel, world: World, told: Told) -> None:
    first = ada.say("see", channel=room, files=[("a.txt", b"x")], mention=True)
    ada.say("again", channel=room, reply_to=first)
    (_, said), (_, replied) = told[-2:]
    assert said["content"] == f"<@{world.bot.id}> see"
    assert [user["id"] for user in said["mentions"]] == [str(world.bot.id)]
    assert said["attachments"][0]["filename"] == "a.txt"
    assert replied["referenced_message"]["id"] == str(first.id)
    assert ada.mention == f"<@{ada.id}>"


def test_edits_and_deletions(ada: Person, room: Channel, told: Told) -> None:
    said = ada.say("one", channel=room, files=[("a.txt", b"x")])
    ada.edit(said, "two")
    ada.delete(said)
    assert [name for name, _ in told][-3:] == ["MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE"]
    assert ([one.text for one in said.revisions], len(said.attachments)) == (["one", "two"], 1)


def test_commands_are_offered_where_they_belong(
    ask: Ask, world: World, ada: Person, home: Guild, room: Channel, meet: Callable[[str], Person]
) -> None:
    bob = meet("Bob")
    home.people.append(bob.user)
    away = world.add_channel(world.add_guild("Away", ada.user, has_bot=False), "general")
    admin = {"name": "drain", "default_member_permissions": str(1 << 5)}
    nobody = {"name": "shut", "default_member_permissions": "0"}
    guests = {"name": "ask", "integration_types": [0, 1]}
    sync(ask, world, guests, admin, nobody, {"name": "here", "contexts": [0]}, {"name": "menu", "type": 3})
    sync(ask, world, {"name": "local"}, guild=home)
    assert ada.commands(room) == ["local", "ask", "drain", "shut", "here"]
    assert bob.commands(room) == ["local", "ask", "here"]
    assert ada.commands() == ["ask", "drain", "shut"]
    assert ada.commands(away) == ["ask"]
    assert ada.slash("local", channel=room).data["guild_id"] == str(home.id)
    with pytest.raises(LookupError, match="no command 'drain' here"):
        bob.slash("drain", channel=room)


def test_options_of_subcommands_and_of_any_name(ask: Ask, world: World, ada: Person, room: Channel) -> None:
    def option(name: str, kind: int, **more: Any) -> dict[str, Any]:
        return {"type": kind, "name": name, "description": "x", **more}

    inner = [option("name", 3, autocomplete=True, required=True), option("channel", 7), option("who", 6)]
    sync(ask, world, {"name": "node", "options": [option("cordon", 1, options=inner)]})
    used = ada.slash("/node cordon", {"channel": room}, channel=room, name="mac", who=ada)
    [sub] = used.data["options"]
    assert (sub["name"], sub["type"]) == ("cordon", 1)
    assert {one["name"]: one["value"] for one in sub["options"]} == {
        "name": "mac",
        "channel": str(room.id),
        "who": str(ada.id),
    }
    assert str(ada.id) in used.data["resolved"]["users"]
    typed = ada.complete("node cordon", "name", "m", {"channel": room}, channel=room)
    assert typed.kind == 4
    assert {"name": "name", "type": 3, "value": "m", "focused": True} in typed.data["options"][0]["options"]
    with pytest.raises(LookupError, match="no option 'who' with suggestions"):
        ada.complete("node cordon", "who", "x", channel=room)
    with pytest.raises(ValueError, match="name must be filled in"):
        ada.slash("node cordon", channel=room)


def test_menus(ask: Ask, world: World, ada: Person, room: Channel) -> None:
    sync(ask, world, {"name": "Explain this", "type": 3}, {"name": "Greet", "type": 2})
    said = ada.say("x", channel=room)
    chosen = ada.menu("Explain this", said)
    assert chosen.data["resolved"]["messages"][chosen.data["target_id"]]["content"] == "x"
    greeted = ada.menu("Greet", ada, channel=room)
    assert greeted.data["resolved"]["members"][greeted.data["target_id"]]["roles"] == []


def test_buttons(ask: Ask, ada: Person, room: Channel, meet: Callable[[str], Person]) -> None:
    off, link = button(label="Off", custom_id="off", disabled=True), {"type": 2, "style": 5, "label": "Site"}
    message = sent(ask, room, button(), off, {**link, "url": "https://example.org"})
    assert ada.click(message, "Stop").data["custom_id"] == ada.click(message, "stop:1").data["custom_id"] == "stop:1"
    with pytest.raises(ValueError, match="disabled"):
        ada.click(message, "Off")
    with pytest.raises(ValueError, match="own device"):
        ada.click(message, "Site")
    with pytest.raises(LookupError, match="only"):
        ada.click(message, "Start")
    with pytest.raises(ValueError, match="Bob can't see general"):
        meet("Bob").click(message, "Stop")
    ask("DELETE", f"/channels/{room.id}/messages/{message.id}")
    with pytest.raises(LookupError, match="doesn't see"):
        ada.click(message, "Stop")


def test_choosing(ask: Ask, ada: Person, room: Channel) -> None:
    names = [{"label": name, "value": name.lower()} for name in ("Llama", "Qwen")]
    models = {"type": 3, "custom_id": "models", "placeholder": "Models", "options": names, "max_values": 2}
    message = sent(
        ask, room, models, {"type": 5, "custom_id": "who"}, {"type": 8, "custom_id": "off", "disabled": True}
    )
    assert ada.select(message, "Models", "Llama", "qwen").data["values"] == ["llama", "qwen"]
    picked = ada.select(message, "who", ada)
    assert (picked.data["values"], str(ada.id) in picked.data["resolved"]["users"]) == ([str(ada.id)], True)
    with pytest.raises(LookupError, match="no menu 'Other'"):
        ada.select(message, "Other", "x")
    with pytest.raises(LookupError, match=r"has no \['Gemma'\]"):
        ada.select(message, "Models", "Gemma")
    with pytest.raises(ValueError, match="choose 1 to 2, not 0"):
        ada.select(message, "Models")
    with pytest.raises(ValueError, match="disabled"):
        ada.select(message, "off", room)


def test_forms(ask: Ask, world: World, ada: Person, room: Channel) -> None:
    sync(ask, world, {"name": "ask"})
    asked = ada.slash("ask", channel=room)
    options = [{"label": "Dry", "value": "dry"}]
    components = [
        {"type": 1, "components": [{"type": 4, "custom_id": "a", "style": 1, "label": "Words", "min_length": 2}]},
        {"type": 18, "label": "Tone", "component": {"type": 3, "custom_id": "b", "options": options}},
        {"type": 18, "label": "More", "component": {"type": 4, "custom_id": "c", "style": 2, "value": "given"}},
        {"type": 10, "content": "A word of advice"},
    ]
    modal = {"title": "Persona", "custom_id": "persona", "components": components}
    ask("POST", f"/interactions/{asked.id}/{asked.token}/callback", {"type": 9, "data": modal})
    for fields, message in (
        ({"Tone": "Dry"}, "a must be filled in"),
        ({"Words": "x", "Tone": "Dry"}, "takes 2 to 4000"),
        ({"Words": "xx"}, "choose 1 to 1"),
    ):
        with pytest.raises(ValueError, match=message):
            ada.submit(asked, fields)
    with pytest.raises(LookupError, match="no field Mood; there are Words, Tone, More"):
        ada.submit(asked, {"Mood": "x"})
    data = ada.submit(asked, {"Words": "terse"}, b="Dry").data
    assert data["custom_id"] == "persona"
    assert data["components"][0]["components"][0]["value"] == "terse"
    assert data["components"][1]["component"]["values"] == ["dry"]
    assert data["components"][2]["component"]["value"] == "given"
    with pytest.raises(ValueError, match="was shown no form"):
        ada.submit(asked, {"Words": "terse"})


def test_what_people_cannot_do(
    ask: Ask, ada: Person, home: Guild, room: Channel, meet: Callable[[str], Person]
) -> None:
    bob = meet("Bob")
    message = sent(ask, room, button())
    hers = ada.thread("Hers", ada.say("x", channel=room))
    other = ada.say("elsewhere")
    for run, problem in (
        (lambda: bob.say("x", channel=room), "Bob can't see general"),
        (lambda: ada.say(" ", channel=room), "a text, a file, or both"),
        (lambda: ada.say("x" * 2001, channel=room), "2000 characters"),
        (lambda: ada.say("x", channel=room, reply_to=other), "isn't in this channel"),
        (lambda: ada.edit(message, "y"), "only what they wrote"),
        (lambda: ada.delete(message), "only what they wrote"),
        (lambda: ada.edit(other, ""), "a text, a file, or both"),
        (lambda: ada.thread("x", hers), "a thread begins in a channel"),
        (lambda: bob.kick_bot(home), "Bob can't kick"),
    ):
        with pytest.raises(ValueError, match=problem):
            run()
    hers.is_locked = True
    with pytest.raises(ValueError, match="locked"):
        ada.say("x", channel=hers)
    with pytest.raises(LookupError, match="didn't react"):
        ada.unreact(message, "👍")
    assert repr(bob) == f"Person('Bob', {bob.id})"
