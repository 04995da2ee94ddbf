"""The bot comes, stays, goes and comes back, whatever Discord does; nothing else in halext notices."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from halext.alerts.types import Alert
from halext.testing.discord import FakeDiscord
from halext.types import SecretRef
from halext_bots.discord.service import DiscordService
from halext_bots.shared import keeping
from tests.bots.conftest import Furnish
from tests.bots.discord.conftest import SCALE, Scene, Scenes

WORDS = [f" word{number}" for number in range(80)]
OUTAGE = Alert("k1", "mac is offline", "since noon", is_over=False, started_at=0.0, ended_at=None)


async def asked(scene: Scene) -> Any:
    """An answer that is being written."""
    scene.model_says(*WORDS, tokens_per_s=0.5)
    scene.ada.slash("ask", channel=scene.room, question="Go on.")
    return await scene.until_said("word3")


def lines(caplog: pytest.LogCaptureFixture, words: str) -> list[str]:
    return [line for line in caplog.messages if words in line]


async def test_a_connection_that_breaks_in_mid_answer_is_resumed(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "halext.discord")
    answer = await asked(scene)
    scene.discord.gateway.cut()
    scene.ada.say("And this?", channel=scene.ada.chat)
    done = await scene.until_button("Regenerate")
    assert done is answer
    assert "word79" in answer.text
    await scene.until_button("Regenerate", scene.ada.chat)
    assert scene.discord.gateway.resumed == 1
    assert len(scene.said()) == 1
    assert len(lines(caplog, "connection is lost")) == 1
    assert len(lines(caplog, "there again")) == 1
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_session_that_is_gone_in_mid_answer_begins_anew_and_doubles_nothing(scene: Scene) -> None:
    answer = await asked(scene)
    scene.discord.gateway.invalidate()
    await scene.until(lambda: scene.discord.gateway.identified == 2)
    await scene.until(lambda: "Regenerate" in answer.buttons)
    scene.ada.say("Hello?")
    await scene.until_button("Regenerate", scene.ada.chat)
    assert len(scene.said()) == 1
    assert "word79" in answer.text


async def test_edits_that_are_refused_for_a_while_come_later(scene: Scene) -> None:
    answer = await asked(scene)
    scene.discord.faults.at("edit_message", status=429, retry_after=0.3, times=2)
    await scene.until(lambda: "Regenerate" in answer.buttons)
    assert "word79" in answer.text


async def test_discord_is_away_for_a_while(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    answer = await asked(scene)
    await scene.discord.kill()
    await scene.house.node.timeline.wait_for("done")
    await scene.discord.start()
    await scene.until(lambda: "Regenerate" in answer.buttons)
    assert "word79" in answer.text
    await scene.until(lambda: scene.discord.gateway.is_connected)
    scene.ada.say("Hello?")
    await scene.until_button("Regenerate", scene.ada.chat)
    assert len(scene.said()) == 1
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_token_that_is_revoked_stops_only_this_part_until_there_is_another(
    scenes: Scenes, caplog: pytest.LogCaptureFixture
) -> None:
    scene = await scenes(discord_token=None)
    app = scene.house.app
    await app.vault.set(SecretRef("discord"), f" {scene.discord.token}\n")
    async with scene.online():
        answer = await asked(scene)
        scene.discord.revoke_token()
        await scene.until(lambda: lines(caplog, "refuses the bot's token"))
        told, turn = await app.answers.ask(scene.member, "Are you there?")  # by another door
        assert told.id
        assert turn.id
        tries = len(scene.discord.made("me"))
        await scene.until(lambda: len(scene.discord.made("me")) > tries + 1)  # it is tried again, and not said again
        assert len(lines(caplog, "refuses the bot's token")) == 1
        scene.discord.gateway.token = scene.discord.token = "another.fake.token"
        scene.discord.gateway.token_works = True
        await app.vault.set(SecretRef("discord"), scene.discord.token)
        await scene.until(lambda: "Regenerate" in answer.buttons)
        assert "word79" in answer.text
        scene.ada.say("Hello?")
        await scene.until_button("Regenerate", scene.ada.chat)
        assert len(scene.said()) == 1
    assert "fake.token" not in caplog.text
    assert "fake.discord.token" not in caplog.text


async def test_without_a_token_it_waits_for_one(scenes: Scenes) -> None:
    scene = await scenes(discord_token=None)
    async with scene.online():
        assert "halext key set discord" in scene.told[0]
        await scene.house.app.vault.set(SecretRef("discord"), scene.discord.token)
        await scene.until(lambda: scene.discord.gateway.is_connected)


async def test_an_orderly_stop_in_mid_answer_is_taken_up_by_the_next_start(scenes: Scenes) -> None:
    scene = await scenes()
    async with scene.online():
        answer = await asked(scene)
    await scene.house.node.timeline.wait_for("done")  # while the bot is away
    assert answer.buttons == ["Stop"]
    async with scene.online():
        await scene.until(lambda: "Regenerate" in answer.buttons)
        assert "word79" in answer.text
        assert len(scene.said()) == 1


async def test_alerts_are_told_while_it_is_connected(scenes: Scenes) -> None:
    scene = await scenes(discord_alert_channel=1)
    app = scene.house.app
    async with scene.online():
        await scene.until(lambda: "discord" in app.notifiers)
        scene.discord.gateway.token_works = False
        await scene.discord.kill()
        await scene.until(lambda: "discord" not in app.notifiers)
        await scene.discord.start()
        scene.discord.gateway.token_works = True
        await scene.until(lambda: "discord" in app.notifiers)
    assert "discord" not in app.notifiers


async def test_a_platform_that_does_not_answer_holds_up_no_other_door(
    furnish: Furnish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "PATIENCE_S", 0.2)
    fake = FakeDiscord(scale=SCALE)
    fake.faults.at("me", delay_s=4.0)
    async with fake as discord:
        house = await furnish(
            discord_token=discord.token, discord_api_base=discord.api_base, discord_gateway=discord.gateway_url
        )
        async with house.running(DiscordService()) as told:
            assert told == ["connecting; it takes a while"]
            await discord.until(lambda: discord.gateway.is_connected)
