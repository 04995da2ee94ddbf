"""Which messages are meant for the bot, and what they say: a table."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import discord
import pytest

from halext_bots.discord.incoming import Heard, account, heard, may_write, place

BOT = SimpleNamespace(id=99)
ADA = SimpleNamespace(id=7, name="ada", bot=False)


def written(text: str = "hello", **more: Any) -> Any:
    """A message in a server's channel."""
    usual: dict[str, Any] = {
        "author": ADA,
        "webhook_id": None,
        "type": discord.MessageType.default,
        "guild": SimpleNamespace(me=None),
        "channel": SimpleNamespace(id=5),
        "content": text,
        "attachments": [],
        "mentions": [],
        "reference": None,
        "id": 1,
    }
    return SimpleNamespace(**usual | more)


def answered(author_id: int) -> Any:
    message = Mock(spec=discord.Message)
    message.author = SimpleNamespace(id=author_id)
    return SimpleNamespace(resolved=message)


def thread(owner_id: int) -> Any:
    made = Mock(spec=discord.Thread)
    made.id, made.owner_id = 6, owner_id
    return made


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (written(guild=None), "hello"),
        (written(), None),
        (written("<@99> hello", mentions=[BOT]), "hello"),
        (written("<@!99>hello <@8>", mentions=[BOT]), "hello <@8>"),
        (written("<@99>", mentions=[BOT]), None),
        (written("<@99>", mentions=[BOT], attachments=["file"]), ""),
        (written(reference=answered(99)), "hello"),
        (written(reference=answered(8)), None),
        (written(reference=SimpleNamespace(resolved=None)), None),
        (written(channel=thread(99)), "hello"),
        (written(channel=thread(8)), None),
        (written(guild=None, type=discord.MessageType.reply), "hello"),
        (written(guild=None, type=discord.MessageType.pins_add), None),
        (written(guild=None, author=SimpleNamespace(id=8, name="b", bot=True)), None),
        (written(guild=None, webhook_id=3), None),
        (written("  ", guild=None), None),
    ],
)
def test_what_is_meant_for_the_bot(message: Any, text: str | None) -> None:
    bot: Any = BOT
    found = heard(message, bot)
    assert (found.text if found else None) == text


def test_who_says_it_where() -> None:
    bot: Any = BOT
    user: Any = ADA
    assert heard(written(guild=None), bot) == Heard(account(user), 5, True, "hello", (), 1)
    assert (account(user).platform, account(user).id, account(user).name) == ("discord", "7", "ada")
    assert place(5) == "discord:5"


@pytest.mark.parametrize(
    ("kind", "allowed", "may"),
    [
        (discord.TextChannel, {"send_messages": True}, True),
        (discord.TextChannel, {"send_messages": False}, False),
        (discord.Thread, {"send_messages": False, "send_messages_in_threads": True}, True),
        (discord.Thread, {"send_messages": True, "send_messages_in_threads": False}, False),
        (discord.PartialMessageable, {}, True),
    ],
)
def test_whether_the_bot_may_write_there(kind: type, allowed: dict[str, bool], may: bool) -> None:
    channel = Mock(spec=kind)
    if allowed:
        channel.permissions_for.return_value = discord.Permissions(**allowed)
    assert may_write(written(channel=channel, guild=SimpleNamespace(me=BOT))) is may
    assert may_write(written(channel=channel, guild=None)) is True


def test_a_thread_whose_channel_is_not_known_may_be_written_in() -> None:
    channel = Mock(spec=discord.Thread)
    channel.permissions_for.side_effect = discord.ClientException
    assert may_write(written(channel=channel, guild=SimpleNamespace(me=BOT))) is True
