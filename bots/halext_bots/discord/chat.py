"""One channel or direct chat on Discord, as the outbox uses it."""

from __future__ import annotations

from typing import Any

import discord

from halext_bots.discord.content import NOBODY, PREFIX, Content, of_discord
from halext_bots.discord.failures import FAILURES, for_outbox, is_out_of_reach
from halext_bots.shared.transport import Body


class DiscordChat:
    """Sends, edits and takes away. Fulfils `transport.Chat`."""

    def __init__(self, client: discord.Client, channel_id: int) -> None:
        self._channel = client.get_partial_messageable(channel_id)

    async def send(self, body: Body, *, key: str) -> str:
        """Post it; the message's id. Discord knows the key, so that a repeat after a lost answer is seen once."""

        async def by_channel(made: Content, reference: discord.MessageReference | None) -> str:
            return await self._send(made, key, reference)

        made = of_discord(body)
        try:
            return await (made.spot.send(made, by_channel) if made.spot else by_channel(made, None))
        except FAILURES as error:
            raise for_outbox(error) from None

    async def edit(self, ref: str, body: Body) -> None:
        """Write over a message."""
        made = of_discord(body)
        try:
            await self._edit(ref, made)
        except FAILURES as error:
            raise for_outbox(error) from None

    async def delete(self, ref: str) -> None:
        """Take a message away."""
        try:
            await self._channel.get_partial_message(int(ref)).delete()
        except FAILURES as error:
            raise for_outbox(error) from None

    async def typing(self) -> None:
        """Show that something is being written."""
        try:
            await self._channel.typing()
        except FAILURES as error:
            raise for_outbox(error) from None

    async def _send(self, body: Content, key: str, reference: discord.MessageReference | None) -> str:
        # The library takes no None there, and nothing that stands for it.
        answers: dict[str, Any] = {} if reference is None else {"reference": reference, "mention_author": False}
        sent = await self._channel.send(
            body.text or None,
            nonce=key,
            view=body.view() or discord.utils.MISSING,
            files=body.uploads(),
            allowed_mentions=NOBODY,
            suppress_embeds=True,
            **answers,
        )
        if not _shows(sent, body):  # what an earlier attempt had posted, of whose success we never heard
            await sent.edit(content=body.text, view=body.view(), attachments=body.uploads(), allowed_mentions=NOBODY)
        return str(sent.id)

    async def _edit(self, ref: str, body: Content) -> None:
        """By its channel; where the bot is not a member, and for what one person sees, by what it answers."""
        if body.spot is not None and body.spot.is_needed(ref):
            await body.spot.edit(ref, body)
            return
        message = self._channel.get_partial_message(int(ref))
        try:
            await message.edit(content=body.text, view=body.view(), attachments=body.uploads(), allowed_mentions=NOBODY)
        except discord.HTTPException as error:
            if body.spot is None or not is_out_of_reach(error) or not body.spot.reaches(ref):
                raise
            await body.spot.edit(ref, body)


def _shows(sent: discord.Message, body: Content) -> bool:
    """Whether this is what was to be sent. A repeated key brings back the first message as it was."""
    rows = [row for row in sent.components if isinstance(row, discord.ActionRow)]
    pressed = [button.custom_id for row in rows for button in row.children]
    wanted = [PREFIX + button.says for button in body.buttons]
    return sent.content.strip() == body.text.strip() and pressed == wanted
