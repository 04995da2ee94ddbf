"""What a message is made of."""

from __future__ import annotations

import discord
import pytest

from halext.commands.types import Button, File
from halext_bots.discord.content import TOO_LARGE, Content, content, of_discord, said_by
from halext_bots.shared.transport import Body


async def test_buttons_say_their_command_and_are_not_kept_by_the_library() -> None:
    view = content("x", [Button("Stop", "stop 7"), Button("Why", "why 7")]).view()
    assert view is not None
    assert view.is_finished()
    first, second = view.children
    assert isinstance(first, discord.ui.Button)
    assert isinstance(second, discord.ui.Button)
    assert (first.style, second.style) == (discord.ButtonStyle.danger, discord.ButtonStyle.secondary)
    assert (said_by(first.custom_id or ""), said_by(second.custom_id or "")) == ("stop 7", "why 7")
    assert said_by("another bot's") is None


def test_without_buttons_there_is_no_view() -> None:
    assert content("x").view() is None


def test_uploads_are_fresh_for_each_attempt() -> None:
    made = content("x", files=[File("a.png", b"png")])
    first, second = made.uploads()[0], made.uploads()[0]
    assert first.fp is not second.fp
    assert first.filename == "a.png"
    assert made.fallback == content(f"x\n{TOO_LARGE}")


def test_where_it_belongs_does_not_make_it_another_message() -> None:
    assert content("x") == Content("x", is_quiet=True)
    assert content("x") != content("x", [Button("Stop", "stop 7")])
    assert of_discord(content("x")) == content("x")
    with pytest.raises(TypeError):
        of_discord(Body("x"))
