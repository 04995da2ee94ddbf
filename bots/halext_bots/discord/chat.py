"""One channel or direct chat on Discord, as the outbox uses it."""

from __future__ import annotations

import discord

from halext_bots.discord.content import Content, of_discord
from halext_bots.discord.failures import EXPIRED_TOKEN, FAILURES, TOO_OLD_TO_EDIT, UNKNOWN_INTERACTION, translated
from halext_bots.shared.transport import Body, Flooded, Gone, Refused

NOBODY = discord.AllowedMentions.none()
NOT_FOUND, FORBIDDEN, BAD_REQUEST, TOO_MANY = 404, 403, 400, 429


class DiscordChat:
    """Sends, edits and takes away. Fulfils `outbox.Chat`."""

    def __init__(self, client: discord.Client, channel_id: int) -> None:
        self._channel = client.get_partial_messageable(channel_id)

    async def send(self, body: Body, *, key: str) -> str:
        """Post it; the message's id. Discord knows the key, so that a repeat after a lost answer is seen once."""
        made = of_discord(body)
        try:
            if made.interaction is not None and (ref := await self._respond(made.interaction, made)) is not None:
                return ref
            return str((await self._send(made, key)).id)
        except FAILURES as error:
            raise _failure(error) from None

    async def edit(self, ref: str, body: Body) -> None:
        """Write over a message."""
        message, made = self._channel.get_partial_message(int(ref)), of_discord(body)
        try:
            await message.edit(content=made.text, view=made.view(), attachments=made.uploads(), allowed_mentions=NOBODY)
        except FAILURES as error:
            raise _failure(error) from None

    async def delete(self, ref: str) -> None:
        """Take a message away."""
        try:
            await self._channel.get_partial_message(int(ref)).delete()
        except FAILURES as error:
            raise _failure(error) from None

    async def typing(self) -> None:
        """Show that something is being written."""
        try:
            await self._channel.typing()
        except FAILURES as error:
            raise _failure(error) from None

    async def _send(self, body: Content, key: str) -> discord.Message:
        return await self._channel.send(
            body.text or None,
            nonce=key,
            view=body.view() or discord.utils.MISSING,
            files=body.uploads(),
            reference=self._reference(body),
            mention_author=False,
            allowed_mentions=NOBODY,
            suppress_embeds=True,
        )

    def _reference(self, body: Content) -> discord.MessageReference:
        if body.reply_to is None:
            missing: discord.MessageReference = discord.utils.MISSING
            return missing
        return discord.MessageReference(message_id=body.reply_to, channel_id=self._channel.id, fail_if_not_exists=False)

    async def _respond(self, interaction: discord.Interaction, body: Content) -> str | None:
        """Answer a command in its own place; None when it is too late for that, and the channel has to do."""
        view = body.view() or discord.utils.MISSING
        try:
            if body.is_more:
                more = await interaction.followup.send(
                    body.text, view=view, files=body.uploads(), ephemeral=body.is_quiet, wait=True
                )
                return str(more.id)
            if interaction.response.is_done():
                edited = await interaction.edit_original_response(
                    content=body.text, view=body.view(), attachments=body.uploads(), allowed_mentions=NOBODY
                )
                return str(edited.id)
            answered = await interaction.response.send_message(
                body.text, view=view, files=body.uploads(), ephemeral=body.is_quiet, suppress_embeds=True
            )
            return str(answered.message_id)
        except discord.HTTPException as error:
            if error.code in {UNKNOWN_INTERACTION, EXPIRED_TOKEN}:
                return None
            raise


def _failure(error: Exception) -> Exception:
    """What the outbox is told."""
    match error:
        case discord.RateLimited():
            return Flooded(error.retry_after)
        case discord.HTTPException() if error.status == TOO_MANY:
            return Flooded(1.0)
        case discord.HTTPException() if error.status in {NOT_FOUND, FORBIDDEN} or error.code == TOO_OLD_TO_EDIT:
            return Gone()
        case discord.HTTPException() if error.status == BAD_REQUEST:
            return Refused(f"code {error.code}")
        case _:
            return translated(error)
