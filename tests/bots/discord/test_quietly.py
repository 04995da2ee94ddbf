"""A deferred answer gets its text together with the word that nothing in it is to be looked up."""

from __future__ import annotations

import pytest

from halext.testing.discordapi.things import SUPPRESS_EMBEDS
from tests.bots.discord.conftest import Scene
from tests.bots.discord.test_window import at_once, slow_lookups


async def test_it_is_filled_in_one_call_and_stays_with_who_asked(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once(monkeypatch)
    slow_lookups(scene, monkeypatch)
    asked = scene.ada.slash("task list", channel=scene.room)
    told = await scene.until_said("Nothing is open")
    assert told is asked.reply
    assert told.flags & SUPPRESS_EMBEDS
    assert told.only_for is scene.ada.user
    assert len(told.revisions) == 2
    assert told.now.allowed_mentions == {"parse": []}
