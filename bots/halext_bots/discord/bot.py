"""The Discord bot: what it hears goes to halext, what halext says goes to the channel."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any

import discord
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from halext.accounts.types import Caller
from halext.commands.load import load
from halext.commands.say import Talk, failure
from halext.commands.types import Command, Speaker, Text
from halext.errors import HalextError, Internal
from halext.runtime.app import App
from halext.runtime.background import Background
from halext_bots.discord import tree
from halext_bots.discord.alerts import AlertChannel
from halext_bots.discord.chats import Chats
from halext_bots.discord.content import NOBODY, said_by
from halext_bots.discord.failures import FAILURES, translated
from halext_bots.discord.files import fetch
from halext_bots.discord.incoming import Heard, account, heard, place
from halext_bots.discord.noise import hush
from halext_bots.shared.host import Host
from halext_bots.shared.keeping import Connected
from halext_bots.shared.lanes import Lanes, Spawn
from halext_bots.shared.stage import Stage
from halext_bots.shared.strangers import Strangers

OFFICIAL_API = Route.BASE
OFFICIAL_GATEWAY = DiscordWebSocket.DEFAULT_GATEWAY
LANE_MAX = 20
"""Messages of one channel that may wait for their turn; more are refused in words."""
GUILDS_S = 0.5
"""How long the library waits for one more server before it says that it is ready; nothing here needs them all."""
OFFER_S = 5.0
"""How long it is waited with saying so until the commands are offered."""
NOTIFIER = "discord"
BY_MENTION = "; in channels it reads only what mentions it (switch the message content intent on for more)"
MUTE = "I may not write in that channel; somebody who manages the server has to let me send messages there."
_log = logging.getLogger("halext.discord")


async def run(app: App, token: str, connected: Connected) -> None:
    """Serve people until cancelled. Raises `KeyRefused` when the token is no good (any more), and `Unreachable`."""
    _point_at(app)
    hush()
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
    # What goes on by itself ends with the connection: the next one resumes it from the record.
    work = Background()
    async with Bot(app, intents, connected, work.spawn) as bot, work:
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

    def __init__(self, app: App, intents: discord.Intents, connected: Connected, spawn: Spawn) -> None:
        super().__init__(
            intents=intents,
            allowed_mentions=NOBODY,
            max_messages=None,  # nobody here looks at old messages
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags.none(),
            guild_ready_timeout=GUILDS_S,
        )
        self._app = app
        self._spawn = spawn
        self._connected = connected
        self._talk = Talk(app, load())
        self._host = Host(app, self._talk, "discord", spawn)
        self._chats = Chats(self, app.clock, spawn)
        self._lanes = Lanes(spawn)
        self._strangers = Strangers(app.clock)
        self._muted = Strangers(app.clock)
        self._tree = tree.Tree(self, lambda interaction, text: self._chats.on(interaction).say(failed(text)))
        tree.build(self._tree, self._talk.registry, app, self._invoke, self._caller)
        self._offered = asyncio.Event()
        self._alerts: AlertChannel | None = None
        self._is_lost = False

    async def setup_hook(self) -> None:
        """Logged in, not connected yet: offer the commands. That can take a while, and people can write anyway."""
        self._spawn(self._offer(), "offer the commands on Discord")

    async def on_ready(self) -> None:
        """Connected, for the first time or anew after a long break."""
        with suppress(TimeoutError):
            async with asyncio.timeout(OFFER_S):
                await self._offered.wait()
        name = self.user.name if self.user else "halext"
        self._connected(f"people write to {name}{'' if self.intents.message_content else BY_MENTION}")
        await self._come_back()

    async def on_resumed(self) -> None:
        """Connected again after a short break."""
        await self._come_back()

    async def on_disconnect(self) -> None:
        """The connection is lost; the library takes it up again."""
        self._hold_alerts()
        if not self._is_lost and not self.is_closed():
            self._is_lost = True
            _log.info("the connection is lost; it is taken up again by itself")

    async def on_message(self, message: discord.Message) -> None:
        """Somebody wrote something."""
        found = heard(message, self.user) if self.user else None
        if found is None:
            return
        lane = str(found.channel_id)
        if self._lanes.waiting(lane) >= LANE_MAX:
            stage = self._chats.under(found.channel_id, found.message_id)
            stage.say(failed("That is too much at once; send it again in a moment."))
            return
        self._lanes.add(lane, lambda: self._hear(found))

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """Somebody pressed a button; commands find their own way."""
        if interaction.type is not discord.InteractionType.component or interaction.data is None:
            return
        line = said_by(str(interaction.data.get("custom_id", "")))
        if line is not None:
            stage = self._chats.on(interaction)
            await self._saying(stage, self._press(stage, interaction, line))

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:
        """A bug in what hears of an event."""
        del args, kwargs
        _log.exception("%s failed", event_method)

    async def leave(self) -> None:
        """Send what is final, and let alerts go elsewhere."""
        self._hold_alerts()
        await self._chats.close()

    async def _offer(self) -> None:
        try:
            await tree.offer(self._tree, self._app.settings.discord_guilds)
        except RuntimeError:
            if not self.is_closed():  # else it is the library's way to say that
                raise
        finally:
            self._offered.set()

    async def _come_back(self) -> None:
        if self._is_lost:
            self._is_lost = False
            _log.info("the connection is there again")
        if (channel := self._app.settings.discord_alert_channel) is not None:
            self._alerts = self._alerts or AlertChannel(self, channel)
            self._app.notifiers[NOTIFIER] = self._alerts
        await self._host.resume(self._chats.restore)

    def _hold_alerts(self) -> None:
        if self._alerts is not None and self._app.notifiers.get(NOTIFIER) is self._alerts:
            del self._app.notifiers[NOTIFIER]

    async def _hear(self, found: Heard) -> None:
        stage = self._chats.under(found.channel_id, found.message_id)
        await self._saying(stage, self._take(stage, found))

    async def _take(self, stage: Stage, found: Heard) -> None:
        caller = await self._app.links.caller_for(found.account)
        line = self._line(found.text)
        if line is None and caller is None and not self._strangers.is_due(found.account.id):
            return
        if not found.may_answer:
            await self._say_apart(found)
            return
        speaker = Speaker(found.account, caller, place(found.channel_id), is_private=found.is_private)
        files = await fetch(found.attachments) if caller is not None else []
        if line is None:
            await self._host.ask(stage, speaker, found.text, files)
        else:
            await self._host.line(stage, speaker, line, files)

    def _line(self, text: str) -> str | None:
        """A command that was written like any text, without its slash; None for what is no command."""
        first = text[1:].split(maxsplit=1)[:1]
        known = {command.name.partition(" ")[0] for command in self._talk.registry.all()}
        return text[1:] if text.startswith("/") and first and first[0].lower() in known else None

    async def _say_apart(self, found: Heard) -> None:
        """Where the bot may not write it can only be said to the person, and once in a while."""
        if not self._muted.is_due(f"{found.channel_id} {found.account.id}"):
            return
        _log.warning("the bot may not write in the channel %s: let it send messages there", found.channel_id)
        try:
            direct = await self.create_dm(discord.Object(int(found.account.id)))
        except FAILURES:
            return  # nor does the person want to hear of it
        self._chats.apart(direct.id).say(failed(MUTE))

    async def _press(self, stage: Stage, interaction: discord.Interaction, line: str) -> None:
        await self._host.line(stage, await self._speaker(interaction), line)

    async def _invoke(
        self,
        interaction: discord.Interaction,
        command: Command,
        values: dict[str, str],
        attachments: list[discord.Attachment],
    ) -> None:
        stage = self._chats.on(interaction)
        await self._saying(stage, self._run(stage, interaction, command, values, attachments))

    async def _run(
        self,
        stage: Stage,
        interaction: discord.Interaction,
        command: Command,
        values: dict[str, str],
        attachments: list[discord.Attachment],
    ) -> None:
        speaker = await self._speaker(interaction)
        if attachments and speaker.caller is not None:
            stage.busy()
        files = await fetch(attachments) if speaker.caller is not None else []
        await self._host.run(stage, speaker, command, values, files)

    async def _saying(self, stage: Stage, work: Awaitable[None]) -> None:
        """Do this; what goes wrong before there is an answer is the answer."""
        try:
            await work
        except HalextError as error:
            stage.say(failure(error))
        except Exception:  # noqa: BLE001  (the person is told, and the door stays open)
            _log.exception("what somebody said could not be taken")
            stage.say(failure(Internal()))

    async def _caller(self, interaction: discord.Interaction) -> Caller | None:
        return await self._app.links.caller_for(account(interaction.user))

    async def _speaker(self, interaction: discord.Interaction) -> Speaker:
        """Commands are seen by who gives them only, wherever that is."""
        caller = await self._caller(interaction)
        return Speaker(account(interaction.user), caller, place(interaction.channel_id or 0), is_private=True)


def failed(text: str) -> Text:
    """Words of ours that say why there is no answer."""
    return Text(text, is_error=True, is_quiet=True)
