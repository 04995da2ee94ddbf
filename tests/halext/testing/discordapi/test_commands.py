from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from halext.testing.clock import ManualClock
from halext.testing.discordapi.commands import Commands, check
from halext.testing.discordapi.refusal import Refusal
from halext.testing.discordapi.things import Guild
from halext.testing.discordapi.world import World

Ask = Callable[..., Any]


def form(name: str = "ask", **more: Any) -> dict[str, Any]:
    return {"name": name, "description": "Does it", **more}


def option(name: str, **more: Any) -> dict[str, Any]:
    return {"type": 3, "name": name, "description": "An option", **more}


BAD = {
    "Ask": form("Ask"),
    "two words": form("two words"),
    "no description": form(description=""),
    "long": form("x" * 33),
    "many options": form(options=[option(f"o{n}") for n in range(26)]),
    "order": form(options=[option("a"), option("b", required=True)]),
    "twice": form(options=[option("a"), option("a")]),
    "choices": form(options=[option("a", choices=[{"name": str(n), "value": n} for n in range(26)])]),
    "long choice": form(options=[option("a", choices=[{"name": "x" * 101, "value": 1}])]),
    "both": form(options=[option("a", autocomplete=True, choices=[{"name": "x", "value": 1}])]),
    "size": form(options=[option(f"o{n}", choices=[{"name": "x" * 99, "value": "y" * 99}] * 25) for n in range(2)]),
    "menu": {"type": 3, "name": "x" * 33},
}


@pytest.mark.parametrize("name", BAD)
def test_commands_that_are_refused(name: str) -> None:
    with pytest.raises(Refusal):
        check(BAD[name], "0")


def test_commands_that_are_not() -> None:
    check(form("größe", options=[option("a", required=True), option("b", autocomplete=True)]), "")
    check({"type": 2, "name": "Ask Me"}, "")


def test_a_sync_keeps_the_ids_of_names_it_knows(world: World, home: Guild) -> None:
    commands = Commands(world)
    first = commands.replace(0, [form("ask"), form("stop")])
    second = commands.replace(0, [form("ask", description="Better"), {"type": 3, "name": "ask"}])
    assert second[0].id == first[0].id
    assert [one.kind for one in commands.of(0)] == [1, 3]
    assert commands.of(home.id) == []
    with pytest.raises(Refusal, match="Unknown application command"):
        commands.get(0, first[1].id)


def test_too_many_of_a_kind_or_two_of_a_name(world: World) -> None:
    commands = Commands(world)
    with pytest.raises(Refusal, match="Maximum number"):
        commands.replace(0, [{"type": 2, "name": f"menu {n}"} for n in range(16)])
    with pytest.raises(Refusal):
        commands.replace(0, [form(), form()])


async def test_200_creates_a_day(world: World, clock: ManualClock) -> None:
    commands = Commands(world)
    for name in ("a", "b"):
        commands.replace(1, [form(f"{name}{n}") for n in range(100)])
    with pytest.raises(Refusal, match="daily"):
        commands.replace(1, [form("c")])
    commands.replace(2, [form("c")])
    await clock.advance(86_400)
    assert [one.name for one in commands.replace(1, [form("c")])] == ["c"]


def test_one_by_one_over_the_api(ask: Ask, world: World, home: Guild) -> None:
    place = f"/applications/{world.bot.id}/guilds/{home.id}/commands"
    made = ask("POST", place, form())
    assert (made["guild_id"], made["application_id"]) == (str(home.id), str(world.bot.id))
    assert ask("POST", place, form(description="Again"))["id"] == made["id"]
    assert ask("PATCH", f"{place}/{made['id']}", {"description": "Other"})["description"] == "Other"
    assert ask("GET", place) == [ask("GET", f"{place}/{made['id']}")]
    ask("DELETE", f"{place}/{made['id']}")
    assert ask("GET", place) == []
    assert ask("PUT", f"/applications/{world.bot.id}/commands", [form()])[0]["contexts"] is None
