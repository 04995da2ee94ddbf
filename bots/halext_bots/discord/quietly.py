"""Fills the place of a deferred answer so that nothing in it is looked up.

Discord loads a preview of every address in a message, unless a flag says not to. The library can set that flag where a
message is sent or a channel's message is edited, and not where a deferred answer gets its text; later is too late, as
the first look carries the address away. So this one call is made by the library's own lower half.
"""

from __future__ import annotations

import discord
from discord.http import handle_message_parameters
from discord.webhook.async_ import async_context

from halext_bots.discord.content import NOBODY, Content


async def fill(interaction: discord.Interaction, body: Content) -> str:
    """Write over what says that an answer will come; the message's id. Raises what the library does."""
    http = interaction._state.http  # noqa: SLF001 - as `Interaction.edit_original_response` does
    with handle_message_parameters(
        content=body.text,
        view=body.view() or discord.utils.MISSING,
        attachments=body.uploads(),
        allowed_mentions=NOBODY,
        flags=discord.MessageFlags(suppress_embeds=True),
    ) as made:
        edited = await async_context.get().edit_original_interaction_response(
            interaction.application_id,
            interaction.token,
            session=interaction._session,  # noqa: SLF001 - the same
            proxy=http.proxy,
            proxy_auth=http.proxy_auth,
            payload=made.payload,
            multipart=made.multipart,
            files=made.files,
        )
    return str(edited["id"])
