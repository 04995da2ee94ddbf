"""The Discord bot: what it hears goes to halext, what halext says goes to the channel."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import discord
import yarl
from discord import app_commands
from discord.gateway import DiscordWebSocket
from discord.http import Route

from halext.accounts.types import Caller
from halext.commands.attachments import BYTES_MAX
from halext.commands.load import load
from halext.commands.say import Talk
from halext.commands.types import Command, File, Speaker, Text
from halext.errors import HalextError, InvalidInput, Unreachable
from halext.runtime.app import App
from halext_bots.discord import tree
from halext_bots.discord.alerts import AlertChannel
from halext_bots.discord.chat import NOBODY
from halext_bots.discord.chats import Chats
from halext_bots.discord.content import said_by
from halext_bots.discord.failures import FAILURES, translated
from halext_bots.discord.incoming import Heard, account, heard, place
from halext_bots.shared.host import Host
from halext_bots.shared.keeping import Connected
from halext_bots.shared.lanes import Lanes
from halext_bots.shared.strangers import Strangers

OFFICIAL_API = Route.BASE
OFFICIAL_GATEWAY = DiscordWebSocket.DEFAULT_GATEWAY
LANE_MAX = 20
"""Messages of one channel that may wait for their turn; more are refused in words."""
NOTIFIER = "discord"
_log = logging.getLogger("halext.discord")


async def run(app: App, token: str, connected: Connected) -> None:
    """Serve people until cancelled. Raises `KeyRefused` when the token is no good (any more), and `Unreachable`."""
    _point_at(app)
    intents = discord.Intents(guilds=True, guild_messages=True, dm_messages=True, message_content=True)
    try:
        try:
            await _serve(app, token, connected, intents)
        except discord.PrivilegedIntentsRequired:
            # The owner has not switched it on: then direct messages and mentions still come with their words.
            intents.message_content = False
            await _serve(app, token, connected, intents)
    except FAILURES as error:
        raise translated(error) from None  # the cause's text may hold the token


async def _serve(app: App, token: str, connected: Connected, intents: discord.Intents) -> None:
    async with Bot(app, intents, connected) as bot:
        try:
            await bot.start(token)
        finally:
            await bot.leave()


def _point_at(app: App) -> None:
    """Use the addresses that are set, or Discord's own: the library keeps them in two of its classes."""
    gateway = app.settings.discord_gateway
    Route.BASE = app.settings.discord_api_base or OFFICIAL_API
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway) if gateway else OFFICIAL_GATEWAY


class Bot(discord.Client):
    """One bot that is logged in. The library calls its `on_…` methods."""

    def __init__(self, app: App, intents: discord.Intents, connected: Connected) -> None:
        super().__init__(
            intents=intents,
            allowed_mentions=NOBODY,
            max_messages=None,  # nobody here looks at old messages
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags.none(),
        )
        self._app = app
        self._connected_once = connected
        self._talk = Talk(app, load())
        self._host = Host(app, self._talk, "discord")
        self._chats = Chats(self, app.clock, app.background.spawn)
        self._lanes = Lanes(app.background.spawn)
        self._strangers = Strangers(app.clock)
        self._tree: app_commands.CommandTree[Any] = app_commands.CommandTree(self)
        tree.build(self._tree, self._talk.registry, app, self._invoke, self._caller)

    async def setup_hook(self) -> None:
        """Logged in, not connected yet: offer the commands."""
        guilds = [discord.Object(int(guild)) for guild in self._app.settings.discord_guilds]
        for guild in guilds:
            self._tree.copy_global_to(guild=guild)
            try:
                await self._tree.sync(guild=guild)
            except discord.HTTPException as error:
                _log.warning("the commands can't be offered in the server %s: %s", guild.id, translated(error).message)
        if not guilds:
            await self._tree.sync()

    async def on_ready(self) -> None:
        """Connected, for the first time or anew after a long break."""
        if (channel := self._app.settings.discord_alert_channel) is not None:
            self._app.notifiers[NOTIFIER] = AlertChannel(self, channel)
        if self._connected_once is not None:
            name = self.user.name if self.user else "halext"
            self._connected_once(f"people write to {name}")
            await self._host.resume(self._chats.restore)

    async def on_message(self, message: discord.Message) -> None:
        """Somebody wrote something."""
        found = heard(message, self.user) if self.user else None
        if found is None:
            return
        lane = str(found.channel_id)
        if self._lanes.waiting(lane) >= LANE_MAX:
            stage = self._chats.under(found.channel_id, found.message_id)
            stage.say(Text("That is too much at once; send it again in a moment.", is_error=True))
            return
        self._lanes.add(lane, lambda: self._hear(found))

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """Somebody pressed a button; commands find their own way."""
        if interaction.type is not discord.InteractionType.component or interaction.data is None:
            return
        line = said_by(str(interaction.data.get("custom_id", "")))
        if line is not None:
            speaker = await self._speaker(interaction)
            await self._host.line(self._chats.on(interaction), speaker, line)

    async def leave(self) -> None:
        """Send what is final, and let alerts go elsewhere."""
        self._app.notifiers.pop(NOTIFIER, None)
        await self._chats.close()

    async def _hear(self, found: Heard) -> None:
        caller = await self._app.links.caller_for(found.account)
        if caller is None and not self._strangers.is_due(found.account.id):
            return
        speaker = Speaker(found.account, caller, place(found.channel_id), is_private=found.is_private)
        stage = self._chats.under(found.channel_id, found.message_id)
        try:
            files = await fetch(found.attachments) if caller is not None else []
        except HalextError as error:
            stage.say(Text(error.message, is_error=True))
            return
        await self._host.ask(stage, speaker, found.text, files)

    async def _invoke(
        self,
        interaction: discord.Interaction,
        command: Command,
        values: dict[str, str],
        attachments: list[discord.Attachment],
    ) -> None:
        stage = self._chats.on(interaction)
        if attachments:
            await stage.defer()
        try:
            files = await fetch(attachments)
        except HalextError as error:
            stage.say(Text(error.message, is_error=True, is_quiet=True))
            return
        await self._host.run(stage, await self._speaker(interaction), command, values, files)

    async def _caller(self, interaction: discord.Interaction) -> Caller | None:
        return await self._app.links.caller_for(account(interaction.user))

    async def _speaker(self, interaction: discord.Interaction) -> Speaker:
        """Commands are seen by who gives them only, wherever that is."""
        caller = await self._caller(interaction)
        return Speaker(account(interaction.user), caller, place(interaction.channel_id or 0), is_private=True)


async def fetch(attachments: Sequence[discord.Attachment]) -> list[File]:
    """The files, at once, since their addresses expire. Raises `InvalidInput` for one that is too large."""
    if any(attachment.size > BYTES_MAX for attachment in attachments):
        raise InvalidInput(f"That file is larger than {BYTES_MAX // 1_000_000} MB; send a smaller one.")
    try:
        data = await asyncio.gather(*(attachment.read() for attachment in attachments))
    except FAILURES as error:
        raise Unreachable("Discord did not hand over the file; send it again.") from translated(error)
    return [File(attachment.filename, content) for attachment, content in zip(attachments, data, strict=True)]
