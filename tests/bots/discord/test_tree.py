"""The slash commands, as people fill them in."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from halext.accounts.types import Role
from halext.images.inscription import recipe_of
from halext.runtime.control import LocalControl
from halext.runtime.shapes import AddNode
from halext.runtime.verbs.nodes import add_node
from halext.testing.automatic1111 import FakeAutomatic1111
from halext.testing.clock import ScaledClock
from halext.testing.discord import FakeDiscord
from halext_bots.discord import content
from tests.bots.conftest import LOCAL
from tests.bots.discord.conftest import SCALE, Scene, Scenes


async def test_values_are_offered_while_somebody_types(scene: Scene) -> None:
    typed = scene.ada.complete("ask", "model", "LLAMA", channel=scene.room, question="?")
    await scene.until(lambda: typed.choices is not None)
    assert typed.choices == [{"name": "llama3.2:3b", "value": "llama3.2:3b"}]
    typed = scene.ada.complete("node test", "name", "m", channel=scene.room)
    await scene.until(lambda: typed.choices is not None)
    assert typed.choices == [{"name": "mac", "value": "mac"}]
    eve = scene.newcomer("Eve")
    typed = eve.complete("node test", "name", "m", channel=scene.room)
    await scene.until(lambda: typed.choices is not None)
    assert typed.choices == []


async def test_every_command_that_is_listed_is_offered_with_its_options(scene: Scene) -> None:
    offered = scene.ada.commands(scene.room)
    assert {"ask", "imagine", "model", "task", "node", "link", "help", "stop"} <= set(offered)
    assert "cancel" not in offered
    scene.ada.slash("help", channel=scene.room)
    told = await scene.until_said("/ask")
    assert told.only_for is scene.ada.user


async def test_what_is_for_administrators_is_refused_to_others(scene: Scene) -> None:
    scene.ada.slash("node drain", {"for": "2h"}, channel=scene.room, name="mac")
    refused = await scene.until_said("for administrators")
    assert refused.only_for is scene.ada.user
    boss = scene.newcomer("Boss")
    await scene.link(boss, Role.ADMIN)
    boss.slash("node cordon", channel=scene.room, name="mac")
    changed = await scene.until_said("is cordoned now")
    assert changed.only_for is None
    boss.slash("node test", channel=scene.room, name="mac")
    await scene.until_said("first token")
    boss.slash("node test", channel=scene.room, name="nobody")
    await scene.until_said("nobody")


async def test_suggested_tasks_are_accepted_by_a_button(scene: Scene) -> None:
    asked = scene.ada.slash("task suggest", channel=scene.room, text="Ann: somebody should call Bob.")
    suggested = await scene.until_button("Accept 1")
    assert asked.answer == 5  # at once: it takes seconds
    scene.ada.click(suggested, "Accept 1")
    accepted = await scene.until_said("Accepted 1:")
    assert accepted.only_for is scene.ada.user
    scene.ada.slash("task list", channel=scene.room)
    listed = await scene.until_button("Done 1")
    scene.ada.click(listed, "Done 1")
    await scene.until_said("Done with 1:")


async def test_two_servers_get_the_commands_and_one_that_refuses_keeps_none_from_it(
    scenes: Scenes, caplog: pytest.LogCaptureFixture
) -> None:
    fake = FakeDiscord(scale=SCALE)
    fake.faults.at("sync_commands", status=403)
    scene = await scenes(fake, discord_guilds=("1", "Home"))
    async with scene.online():
        assert scene.told == ["people write to halext"]
        assert [line for line in caplog.messages if "in the server 1" in line]
        every = scene.discord.made("sync_commands")
        assert len(every) == 3
        assert scene.ada.commands(scene.room).count("ask") == 1
        assert "ask" in scene.ada.commands()
        scene.ada.slash("help", channel=scene.room)
        await scene.until_said("/ask")
        scene.ada.slash("help")
        await scene.until_said("/ask", scene.ada.chat)


async def test_commands_that_cannot_be_offered_keep_nobody_from_writing(scenes: Scenes) -> None:
    fake = FakeDiscord(scale=SCALE)
    fake.faults.at("sync_commands", status=400)
    scene = await scenes(fake)
    async with scene.online():
        scene.ada.say("Hello?")
        await scene.until_button("Regenerate", scene.ada.chat)


async def test_a_command_of_yesterday_is_answered(scene: Scene) -> None:
    scene.discord.world.changed()
    known = scene.discord._api.commands
    known.upsert(0, {"name": "old", "description": "Gone since", "type": 1})
    scene.ada.slash("old", channel=scene.room)
    told = await scene.until_said("as it was before")
    assert told.only_for is scene.ada.user


# --- pictures ---


@pytest.fixture
async def painter(scene: Scene) -> AsyncIterator[FakeAutomatic1111]:
    async with FakeAutomatic1111(step_s=1000.0, clock=ScaledClock(100.0)) as fake:
        await LocalControl(scene.house.app, LOCAL).call(add_node, AddNode(name="pc", urls=[fake.url]))
        yield fake


async def test_a_picture_is_painted_before_ones_eyes(scene: Scene, painter: FakeAutomatic1111) -> None:
    asked = scene.ada.slash(
        "imagine", channel=scene.room, prompt="a cat", seed="7", size="64x64", steps="20", count="1"
    )
    done = await scene.until(lambda: [one for one in scene.said() if one.attachments])
    assert asked.reply is done[0]
    texts = [revision.text for revision in done[0].revisions]
    assert any("step" in text and "of 20" in text for text in texts)
    assert "seed 7" in done[0].text
    assert done[0].attachments[0].name == "picture-7.png"
    recipe = recipe_of(done[0].attachments[0].data)
    assert recipe is not None
    assert (recipe.prompt, recipe.seed) == ("a cat", 7)
    assert painter.requests


async def test_a_picture_is_stopped(scene: Scene, painter: FakeAutomatic1111) -> None:
    scene.ada.slash("imagine", channel=scene.room, prompt="a cat", steps="150", size="64x64")
    running = await scene.until_said("of 150")
    scene.ada.click(running, "Stop")
    await scene.until(lambda: not running.buttons)
    assert "was cancelled" in running.text
    assert [request for request in painter.requests if request.path.endswith("/interrupt")]


async def test_a_picture_when_nobody_paints(scene: Scene) -> None:
    scene.ada.slash("imagine", channel=scene.room, prompt="a cat")
    await scene.until_said("picture")
    await scene.until(lambda: not scene.said()[0].buttons)
    scene.ada.slash("imagine", channel=scene.room, prompt="a cat", size="huge")
    refused = await scene.until_said("no size")
    assert refused.only_for is scene.ada.user


async def test_a_picture_too_large_for_discord_is_said_so(scenes: Scenes) -> None:
    scene = await scenes(FakeDiscord(scale=SCALE, file_bytes=50))
    async with scene.online(), FakeAutomatic1111() as fake:
        await LocalControl(scene.house.app, LOCAL).call(add_node, AddNode(name="pc", urls=[fake.url]))
        scene.ada.slash("imagine", channel=scene.room, prompt="a cat", seed="7", size="64x64")
        told = await scene.until_said(content.TOO_LARGE)
        assert "seed 7" in told.text
