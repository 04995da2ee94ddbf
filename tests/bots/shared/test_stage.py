from __future__ import annotations

import inspect

import pytest

from halext_bots.discord.chats import DiscordStage
from halext_bots.shared.stage import Stage, View
from halext_bots.shared.view import Growing
from halext_bots.telegram.chats import TelegramStage


@pytest.mark.parametrize(("promise", "kept"), [(Stage, DiscordStage), (Stage, TelegramStage), (View, Growing)])
def test_every_platform_keeps_the_promises(promise: type, kept: type) -> None:
    for name, what in vars(promise).items():
        if name.startswith("_"):
            continue
        if isinstance(what, property):
            assert isinstance(inspect.getattr_static(kept, name), property), name
        else:
            theirs = inspect.signature(getattr(kept, name)).parameters
            assert list(inspect.signature(what).parameters) == list(theirs), name
