from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import discord
import pytest
from discord import app_commands

from halext.testing.clock import ManualClock
from halext.testing.discord import FakeDiscord
from halext.testing.discordapi.interactions import Interaction
from halext.testing.discordapi.people import Person
from halext.testing.discordapi.refusal import Refusal
from halext.testing.discordapi.things import EPHEMERAL, LAYOUT, LOADING, Channel
from halext.testing.discordapi.world import World
from tests.halext.testing.discordapi.client import Bot, online
from tests.halext.testing.discordapi.conftest import Told

Ask = Callable[..., Any]
COMMAND = {"name": "ask", "description": "Ask"}
OPTION = {"type": 3, "name": "model", "description": "Which", "autocomplete": True}


@pytest.fixture
def asked(ask: Ask, world: World, ada: Person, room: Channel) -> Interaction:
    """Ada has used /ask in the room."""
    ask("PUT", f"/applications/{world.bot.id}/commands", [{**COMMAND, "options": [OPTION]}])
    return ada.slash("ask", channel=room)


@pytest.fixture
def reply(ask: Ask) -> Callable[..., Any]:
    """`reply(interaction, 4, {"content": "x"})` is the first answer."""

    def run(interaction: Interaction, answer: int, data: dict[str, Any] | None = None) -> Any:
        path = f"/interactions/{interaction.id}/{interaction.token}/callback"
        return ask("POST", path, {"type": answer, "data": data}, query={"with_response": "1"})

    return run


def place(world: World, interaction: Interaction) -> str:
    return f"/webhooks/{world.bot.id}/{interaction.token}"


def test_what_the_bot_hears(asked: Interaction, told: Told, ada: Person, room: Channel) -> None:
    name, event = told[-1]
    assert (name, event["type"], event["data"]["name"]) == ("INTERACTION_CREATE", 2, "ask")
    assert (event["member"]["user"]["id"], event["channel"]["id"]) == (str(ada.id), str(room.id))
    assert event["attachment_size_limit"] == 10 * 2**20
    assert asked.token not in repr(asked)


def test_an_answer_at_once(asked: Interaction, reply: Ask, ada: Person) -> None:
    body = reply(asked, 4, {"content": "x", "flags": EPHEMERAL})
    assert body["resource"]["message"]["content"] == "x"
    assert body["interaction"]["response_message_ephemeral"] is True
    assert asked.reply
    assert (asked.reply.type, asked.reply.only_for) == (20, ada.user)
    assert asked.reply.json()["interaction"]["name"] == "ask"


def test_a_defer_shows_that_the_bot_thinks_until_the_edit(
    ask: Ask, asked: Interaction, reply: Ask, world: World
) -> None:
    reply(asked, 5)
    assert asked.reply
    assert asked.reply.is_loading
    ask("PATCH", place(world, asked) + "/messages/@original", {"content": "x"})
    assert (asked.reply.is_loading, asked.reply.text) == (False, "x")
    assert ask("GET", place(world, asked) + "/messages/@original")["content"] == "x"


def test_the_first_follow_up_takes_the_place_of_the_loading_message(
    ask: Ask, asked: Interaction, reply: Ask, world: World, room: Channel
) -> None:
    reply(asked, 5, {"flags": EPHEMERAL})
    first = ask("POST", place(world, asked), {"content": "one"})
    second = ask("POST", place(world, asked), {"content": "two", "flags": EPHEMERAL})
    assert asked.reply
    assert first["id"] == str(asked.reply.id)
    assert [message.only_for is None for message in room.shown] == [False, False]
    ask("PATCH", f"{place(world, asked)}/messages/{second['id']}", {"content": "2"})
    ask("DELETE", f"{place(world, asked)}/messages/@original")
    assert room.texts == ["2"]
    with pytest.raises(Refusal, match="Unknown Message"):
        ask("PATCH", f"{place(world, asked)}/messages/@original", {"content": "x"})


def test_a_defer_is_no_layout_yet(asked: Interaction, reply: Ask) -> None:
    with pytest.raises(Refusal, match="Invalid Form Body"):
        reply(asked, 5, {"flags": LAYOUT})


@pytest.mark.parametrize("answer", [6, 7, 8, 1, None])
def test_answers_that_do_not_fit(asked: Interaction, reply: Ask, answer: int) -> None:
    with pytest.raises(Refusal, match="Invalid Form Body"):
        reply(asked, answer, {"choices": []})
    assert asked.answer is None


def test_suggestions(asked: Interaction, reply: Ask, ada: Person, room: Channel) -> None:
    typed = ada.complete("ask", "model", "ll", channel=room)
    with pytest.raises(Refusal):
        reply(typed, 4, {"content": "x"})
    with pytest.raises(Refusal):
        reply(typed, 8, {"choices": [{"name": str(n), "value": str(n)} for n in range(26)]})
    reply(typed, 8, {"choices": [{"name": "Llama", "value": "llama3"}]})
    assert typed.choices == [{"name": "Llama", "value": "llama3"}]


def test_buttons_change_their_message_or_defer(ask: Ask, ada: Person, room: Channel, reply: Ask) -> None:
    row = {"type": 1, "components": [{"type": 2, "style": 1, "label": "Stop", "custom_id": "stop"}]}
    ask("POST", f"/channels/{room.id}/messages", {"content": "one", "components": [row]})
    [message] = room.shown
    reply(ada.click(message, "Stop"), 6)
    pressed = ada.click(message, "stop")
    body = reply(pressed, 7, {"content": "two", "components": []})
    assert body["resource"]["message"]["id"] == str(message.id)
    assert (message.text, message.buttons, pressed.reply) == ("two", [], message)


async def test_deadlines(ask: Ask, asked: Interaction, reply: Ask, clock: ManualClock, world: World) -> None:
    late = asked
    await clock.advance(3.1)
    with pytest.raises(Refusal) as missed:
        reply(late, 5)
    assert missed.value.code == 10062


async def test_a_token_works_for_fifteen_minutes(
    ask: Ask, asked: Interaction, reply: Ask, clock: ManualClock, world: World
) -> None:
    original = place(world, asked) + "/messages/@original"
    with pytest.raises(Refusal, match="Unknown Webhook"):
        ask("PATCH", original, {"content": "x"})
    reply(asked, 5)
    with pytest.raises(Refusal) as twice:
        reply(asked, 5)
    assert twice.value.code == 40060
    await clock.advance(15 * 60 - 1)
    ask("PATCH", original, {"content": "x"})
    await clock.advance(2)
    with pytest.raises(Refusal) as expired:
        ask("PATCH", original, {"content": "y"})
    assert (expired.value.status, expired.value.code) == (401, 50027)
    assert asked.reply
    assert not asked.reply.flags & LOADING


async def test_deadlines_as_the_library_sees_them(manual_clock: ManualClock) -> None:
    async with FakeDiscord(clock=manual_clock) as fake:
        ada, bot = fake.user("Ada"), Bot()
        codes: list[int] = []
        go = asyncio.Event()

        @bot.tree.command(description="Late")
        async def late(interaction: discord.Interaction[Any], *, answers: bool) -> None:
            if answers:
                await interaction.response.send_message("in time")
            await go.wait()
            try:
                if answers:
                    await interaction.edit_original_response(content="too late")
                else:
                    await interaction.response.defer()
            except discord.HTTPException as error:
                codes.append(error.code)

        async with online(fake, bot):
            missed, kept = ada.slash("late", answers=False), ada.slash("late", answers=True)
            await fake.until(lambda: kept.answer and bot.events.count("interaction") == 2)
            await manual_clock.advance(3.1)
            assert (fake.has_failed(missed), fake.has_failed(kept)) == (True, False)
            await manual_clock.advance(15 * 60)
            go.set()
            await fake.until(lambda: len(codes) == 2)
    assert sorted(codes) == [10062, 50027]


async def test_a_guest_gets_five_follow_ups(fake: FakeDiscord) -> None:
    ada, bot = fake.user("Ada"), Bot()
    away = fake.channel(fake.guild("Away", ada, has_bot=False), "general")
    codes: list[int] = []

    @bot.tree.command(description="Ask")
    @app_commands.allowed_installs(guilds=True, users=True)
    async def ask(interaction: discord.Interaction[Any]) -> None:
        await interaction.response.send_message("0")
        for number in range(1, 7):
            try:
                await interaction.followup.send(str(number))
            except discord.HTTPException as error:
                codes.append(error.code)

    async with online(fake, bot):
        assert list(bot.guilds) == []
        ada.slash("ask", channel=away)
        await fake.until(lambda: codes)
    assert (codes, away.texts) == ([40094], ["0", "1", "2", "3", "4", "5"])
