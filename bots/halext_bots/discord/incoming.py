"""What people say on Discord, made out from its messages. Files are named here and not fetched."""

from __future__ import annotations

from dataclasses import dataclass

import discord

from halext.accounts.links.types import ChatAccount


@dataclass(frozen=True, slots=True)
class Heard:
    """A message that is meant for the bot."""

    account: ChatAccount
    channel_id: int
    is_private: bool
    text: str
    attachments: tuple[discord.Attachment, ...]
    message_id: int
    may_answer: bool = True
    """Whether the bot may write there."""


def heard(message: discord.Message, bot: discord.ClientUser) -> Heard | None:
    """What a message says to the bot: one in a direct chat or in its own thread, a mention, a reply. Else None."""
    if message.author.bot or message.webhook_id is not None or message.type.value not in _WORDS:
        return None
    is_private = message.guild is None
    if not (is_private or _is_addressed(message, bot)):
        return None
    text = message.content
    for mention in (f"<@{bot.id}>", f"<@!{bot.id}>"):
        text = text.replace(mention, "")
    if not text.strip() and not message.attachments:
        return None
    return Heard(
        account=account(message.author),
        channel_id=message.channel.id,
        is_private=is_private,
        text=text.strip(),
        attachments=tuple(message.attachments),
        message_id=message.id,
        may_answer=may_write(message),
    )


def may_write(message: discord.Message) -> bool:
    """Whether the bot may write where this was written, as far as it knows."""
    me = message.guild.me if message.guild is not None else None
    if me is None or not isinstance(message.channel, discord.abc.GuildChannel | discord.Thread):
        return True
    try:
        allowed = message.channel.permissions_for(me)
    except discord.ClientException:  # a thread whose channel it does not know
        return True
    return allowed.send_messages_in_threads if isinstance(message.channel, discord.Thread) else allowed.send_messages


_WORDS = frozenset({discord.MessageType.default.value, discord.MessageType.reply.value})


def account(user: discord.abc.User) -> ChatAccount:
    """Who somebody is on Discord."""
    return ChatAccount("discord", str(user.id), user.name)


def place(channel_id: int) -> str:
    """A channel's name for `chat.places`."""
    return f"discord:{channel_id}"


def _is_addressed(message: discord.Message, bot: discord.ClientUser) -> bool:
    if any(user.id == bot.id for user in message.mentions):
        return True
    if isinstance(message.channel, discord.Thread) and message.channel.owner_id == bot.id:
        return True
    replied = message.reference.resolved if message.reference else None
    return isinstance(replied, discord.Message) and replied.author.id == bot.id
