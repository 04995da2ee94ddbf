from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from halext.testing.botapi.compose import parsed, read_caption, writable
from halext.testing.botapi.forms import Form
from halext.testing.botapi.people import Person
from halext.testing.botapi.world import World
from halext.testing.fake import Refusal


def test_mentions_need_someone_the_bot_has_met(world: World, ada: Person) -> None:
    for number, kinds in ((ada.id, ["text_mention"]), (5, [])):
        text = parsed(world, f"[Ada](tg://user?id={number})", "MarkdownV2", [])
        assert [mark["type"] for mark in text.entities] == kinds
    assert parsed(world, f"[Ada](tg://user?id={ada.id})", "MarkdownV2", []).entities[0]["user"]["username"] == "ada"


def test_captions_are_shorter(world: World) -> None:
    assert read_caption(world, Form({"caption": "x" * 1024})).text
    with pytest.raises(Refusal, match="message caption is too long"):
        read_caption(world, Form({"caption": "x" * 1025}))


def test_where_the_bot_may_write(world: World, ada: Person) -> None:
    group = world.add_chat("supergroup", "Home", [ada.user])
    assert writable(world, Form({"chat_id": group.id})) is group
    ada.kick_bot(group)
    with pytest.raises(Refusal, match="bot was kicked from the supergroup chat") as refusal:
        writable(world, Form({"chat_id": group.id}))
    assert refusal.value.status == 403


def test_a_channel_speaks_for_itself(world: World, ada: Person, call: Callable[..., Any]) -> None:
    channel = world.add_chat("channel", "News", [ada.user])
    sent = call("sendMessage", chat_id=channel.id, text="x")
    assert (sent["sender_chat"]["title"], "from" in sent) == ("News", False)
    assert call("editMessageText", chat_id=channel.id, message_id=sent["message_id"], text="y")["text"] == "y"
