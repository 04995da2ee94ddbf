"""Commands and presses are answered in their own place, in time, as quietly as they must be, and once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from halext.tasks.types import Draft
from halext.testing.discordapi import interactions
from halext.testing.discordapi.commands import Command
from halext_bots.discord import chats, window
from tests.bots.discord.conftest import Scene


def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bot says at once that an answer will come, whatever comes."""
    monkeypatch.setattr(chats, "ANSWER_S", 0.0)


def slow_lookups(scene: Scene, monkeypatch: pytest.MonkeyPatch, delay_s: float = 0.3) -> None:
    """The database takes its time."""
    links, fast = scene.house.app.links, scene.house.app.links.caller_for

    async def slow(*args: Any) -> Any:
        await asyncio.sleep(delay_s)
        return await fast(*args)

    monkeypatch.setattr(links, "caller_for", slow)


async def test_what_is_for_one_stays_for_one_however_slow_it_is(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once(monkeypatch)
    slow_lookups(scene, monkeypatch)
    asked = scene.ada.slash("task list", channel=scene.room)
    told = await scene.until_said("Nothing is open")
    assert asked.answer == 5
    assert told is asked.reply
    assert told.only_for is scene.ada.user


async def test_what_is_for_all_is_seen_by_all_however_slow_it_is(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once(monkeypatch)
    slow_lookups(scene, monkeypatch)
    asked = scene.ada.slash("ask", channel=scene.room, question="Why?")
    answer = await scene.until_button("Regenerate")
    assert answer.only_for is None
    assert asked.reply
    assert asked.reply.is_deleted  # what said to Ada alone that an answer will come
    assert len(scene.said()) == 1


async def test_no_address_in_a_deferred_answer_is_looked_up(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once(monkeypatch)
    slow_lookups(scene, monkeypatch)
    title = "Read https://steal.example/?what=was-said"
    await scene.house.app.desk.add(scene.member, Draft(title))
    asked = scene.ada.slash("task list", channel=scene.room)
    told = await scene.until_said("steal.example")
    assert told is asked.reply
    assert scene.discord.world.previewed == []


async def test_an_answer_whose_arrival_was_never_heard_of_is_not_doubled(scene: Scene) -> None:
    scene.discord.faults.at("callback", cut="after")
    asked = scene.ada.slash("ask", channel=scene.room, question="Why?")
    answer = await scene.until_button("Regenerate")
    assert asked.reply is answer
    assert len(scene.said()) == 1


async def test_a_further_message_whose_arrival_was_never_heard_of_is_not_doubled(scene: Scene) -> None:
    scene.discord.faults.at("send_message", cut="after")
    scene.ada.say("Why?", channel=scene.room, mention=True)
    await scene.until_button("Regenerate")
    assert len(scene.said()) == 1


async def test_too_late_for_the_first_answer_the_channel_has_to_do(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chats, "ANSWER_S", 60.0)
    monkeypatch.setattr(interactions, "ACK_S", 3.0)
    slow_lookups(scene, monkeypatch, 1.0)  # Discord waits for 0.75 s here
    scene.ada.slash("ask", channel=scene.room, question="Why?")
    answer = await scene.until_button("Regenerate")
    assert answer.only_for is None
    scene.ada.slash("task list", channel=scene.room)
    told = await scene.until_said("say it again")
    assert "Nothing is open" not in told.text
    scene.ada.slash("task list")
    await scene.until_said("Nothing is open", scene.ada.chat)


async def test_after_a_quarter_of_an_hour_the_answer_goes_on_by_the_channel(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.model_says(*[f" word{number}" for number in range(60)], tokens_per_s=0.5)
    asked = scene.ada.slash("ask", channel=scene.room, question="Why?")
    await scene.until_said("word3")
    monkeypatch.setattr(window, "OPEN_S", 0.0)
    for interaction in scene.discord.interactions:
        interaction.at -= 16 * 60
    answer = await scene.until_button("Regenerate")
    assert answer is asked.reply
    assert "word59" in answer.text


async def test_a_window_that_closes_before_the_answer_is_there(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once(monkeypatch)
    slow_lookups(scene, monkeypatch)
    asked = scene.ada.slash("task list", channel=scene.room)
    await scene.until(lambda: asked.reply)
    asked.at -= 16 * 60
    told = await scene.until_said("say it again")
    assert told.only_for is None
    asked = scene.ada.slash("task add", channel=scene.room, title="Water the plants")
    await scene.until(lambda: asked.reply)
    asked.at -= 16 * 60
    await scene.until_said("Water the plants")


async def test_somebody_deletes_what_said_that_an_answer_will_come(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once(monkeypatch)
    slow_lookups(scene, monkeypatch)
    asked = scene.ada.slash("task list", channel=scene.room)
    await scene.until(lambda: asked.reply)
    assert asked.reply
    scene.discord.world.delete(asked.reply)
    told = await scene.until_said("Nothing is open")
    assert told.only_for is scene.ada.user


async def test_quiet_words_in_several_messages_are_all_quiet(scene: Scene) -> None:
    for number in range(20):
        scene.ada.slash("task add", channel=scene.room, title=f"{number} " + "x*" * 95)
        await scene.until_said(f"{number} x")
    scene.ada.slash("task list", channel=scene.room)
    await scene.until_button("Done 1")
    listed = [message for message in scene.said() if "Written down" not in message.text]
    assert len(listed) > 2
    assert {message.only_for for message in listed} == {scene.ada.user}


async def test_in_a_server_without_the_bot_it_answers_by_way_of_the_command(scene: Scene) -> None:
    elsewhere = scene.discord.guild("Elsewhere", scene.ada, has_bot=False)
    room = scene.discord.channel(elsewhere, "there")
    known = scene.discord._api.commands._known
    known[0] = [Command(one.id, 0, {**one.form, "integration_types": [0, 1]}) for one in known[0]]
    scene.model_says(*[f"Line {number} of it. " for number in range(160)], tokens_per_s=2.0)
    asked = scene.ada.slash("ask", channel=room, question="Why?")
    await scene.until_button("Regenerate", room)
    assert asked.reply is scene.said(room)[0]
    assert len(scene.said(room)) == 2
    assert "Line 159 of" in scene.said(room)[1].text
    refused = [call for call in scene.discord.calls if call.status == 403]
    assert len(refused) <= 3  # each message is tried once by its channel
