"""A fake Discord on real sockets: an unmodified discord.py talks to it.

    async with FakeDiscord() as discord:
        ...                 # start your bot with discord.api_base, discord.gateway_url, discord.token
        ada = discord.user("Ada")
        room = discord.channel(discord.guild("Home", ada), "general")
        ada.slash("ask", channel=room, prompt="hello")
        answer = await discord.until(lambda: discord.answers(room))

In discord.py the addresses are `discord.http.Route.BASE` and `discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY` (a
`yarl.URL`), both attributes of classes. Discord's limits hold as for a real bot; its clock runs faster. By hand:
`python -m halext.testing.discord` prints the settings to use.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Self, TypeVar

from halext.testing.botapi.faults import CallFaults
from halext.testing.clock import ScaledClock
from halext.testing.discordapi import limits
from halext.testing.discordapi.api import Api
from halext.testing.discordapi.buckets import Buckets, RateRules, Rule
from halext.testing.discordapi.compose import Composer
from halext.testing.discordapi.forms import Call, Upload
from halext.testing.discordapi.gateway import Gateway
from halext.testing.discordapi.interactions import Interaction, Interactions
from halext.testing.discordapi.page import page
from halext.testing.discordapi.people import Person
from halext.testing.discordapi.server import DiscordServer
from halext.testing.discordapi.things import Channel, Guild, Message, Revision, Role, User
from halext.testing.discordapi.world import World
from halext.types import Clock

__all__ = [
    "Call",
    "Channel",
    "FakeDiscord",
    "Guild",
    "Interaction",
    "Message",
    "Person",
    "RateRules",
    "Revision",
    "Role",
    "Rule",
    "UnknownRoutes",
    "User",
]

TOKEN = "fake.discord.token"  # noqa: S105 - it opens nothing

LOOK_S = 0.02
"""How long `until` waits for a change here before it asks again."""

Found = TypeVar("Found")


class UnknownRoutes(AssertionError):
    """The bot asked for what this fake doesn't have, or what doesn't exist."""


class FakeDiscord:
    """Discord for one bot, and its world; `async with` it, or `start` and `close` it.

    Buckets and deadlines run on a clock that is `scale` times as fast as life, and `retry_after` is real seconds, so at
    10 an empty bucket fills in 0.5 s instead of 5. Ids carry real times, as clients compare them with their own clock.
    `calls` is the log of what the bot asked for, `faults` what is still to go wrong with it, `gateway` what to do to
    its WebSocket. `message_content` and `members` are the privileged intents that the developer portal switches on.
    """

    def __init__(
        self,
        *,
        scale: float = 10.0,
        clock: Clock | None = None,
        token: str = TOKEN,
        username: str = "halext",
        message_content: bool = True,
        members: bool = True,
        file_bytes: int = limits.FILE_BYTES,
        rates: RateRules | None = None,
        port: int = 0,
    ) -> None:
        self.clock: Clock = clock or ScaledClock(scale)
        self.token = token
        self.world = World(self.clock, time.time, username)
        self.gateway = Gateway(self.world, token, message_content=message_content, members=members)
        self.world.emit, self.world.changed = self.gateway.emit, self._notify
        self._changed = asyncio.Event()
        self._interactions = Interactions(Composer(self.world, file_bytes))
        buckets = Buckets(self.clock, rates or RateRules(), 1.0 if clock else scale, time.time)
        self._api = Api(self.world, buckets, self.gateway, self._interactions)
        self.faults: CallFaults = self._api.faults
        self.calls: list[Call] = self._api.calls
        self.interactions: list[Interaction] = self._interactions.made
        self._server = DiscordServer(self._api, self.draw, port=port)

    @property
    def url(self) -> str:
        """Scheme, host and port; the port stays the same over `kill` and `start`."""
        return self._server.url

    @property
    def api_base(self) -> str:
        """For `discord.http.Route.BASE`."""
        return f"{self.url}/api/v10"

    @property
    def gateway_url(self) -> str:
        """For `discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY`."""
        return self.gateway.url

    async def start(self) -> None:
        """Listen."""
        await self._server.start()
        self.world.url = self.url

    async def kill(self) -> None:
        """Be gone: connections are reset and refused until `start`. Everything written, and every session, stays."""
        await self._server.stop()

    async def close(self) -> None:
        """Stop; raises what failed inside the fake, and UnknownRoutes when the bot asked for such."""
        await self._server.stop()
        if self._server.crashes:
            raise self._server.crashes.pop(0)
        if unknown := [*self._api.unknown, *self.gateway.unknown]:
            raise UnknownRoutes(f"the bot asked for what this fake doesn't know: {', '.join(unknown)}")

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    def user(self, name: str) -> Person:
        """A new person."""
        return Person(self.world, self._api.commands, self._interactions, self.world.add_user(name))

    def guild(self, name: str, *people: Person, has_bot: bool = True) -> Guild:
        """A new server with these people, the first of whom owns it."""
        return self.world.add_guild(name, *(person.user for person in people), has_bot=has_bot)

    def role(self, guild: Guild, name: str, *people: Person) -> Role:
        """A new role for these people."""
        return self.world.add_role(guild, name, *(person.user for person in people))

    def channel(self, guild: Guild, name: str, *, bot_may_write: bool = True) -> Channel:
        """A new text channel."""
        return self.world.add_channel(guild, name, bot_may_write=bot_may_write)

    def revoke_token(self) -> None:
        """Let every request fail with 401 from now on, and end the gateway's connections with 4004."""
        self.gateway.token_works = False
        self.gateway.close(4004, "Authentication failed.")

    async def until(self, condition: Callable[[], Found], *, timeout_s: float = 5.0) -> Found:
        """What `condition` returns as soon as that is true; TimeoutError after `timeout_s` real seconds.

        It is asked at every change here, and now and then in between, as it may be about the bot's own state.
        """
        async with asyncio.timeout(timeout_s):
            while not (found := condition()):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), LOOK_S)
        return found

    def answers(self, channel: Channel) -> list[Message]:
        """What the bot wrote in a channel and still stands there, oldest first."""
        return [message for message in channel.shown if message.author is self.world.bot]

    def made(self, route: str) -> list[Call]:
        """The requests to a route such as "edit_message", oldest first."""
        return [call for call in self.calls if call.name == route]

    @property
    def uploads(self) -> list[Upload]:
        """The files that the bot sent."""
        return [upload for call in self.calls for upload in call.uploads]

    @property
    def refused(self) -> int:
        """How many requests the rate limits turned down."""
        return self._api.buckets.refused

    def is_typing(self, channel: Channel) -> bool:
        """Whether the channel shows that the bot is typing."""
        return self.world.is_typing(channel, self.world.bot)

    def has_failed(self, interaction: Interaction) -> bool:
        """Whether the person is told that the bot did not respond."""
        return self._interactions.has_failed(interaction)

    def assert_nobody_pinged(self) -> None:
        """AssertionError when the bot ever sent or edited something that names people with Discord's leave to ping."""
        for channel in self.world.channels.values():
            for message in channel.messages.values():
                pinged = {one for revision in message.revisions for one in revision.pinged}
                if pinged and message.author is self.world.bot:
                    raise AssertionError(f"{message.text!r} in {channel.name} pings {', '.join(sorted(pinged))}")

    def assert_nothing_previewed(self) -> None:
        """AssertionError when an address was loaded for its preview because the bot sent or edited a message."""
        if self.world.previewed:
            raise AssertionError(f"previews were loaded of {', '.join(self.world.previewed)}")

    def draw(self) -> str:
        """A page of HTML that shows every channel as a person would see it."""
        return page(self.world)

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


async def _serve(port: int, scale: float) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows has no handlers here; Ctrl-C ends it all the same
            loop.add_signal_handler(number, stop.set)
    async with FakeDiscord(port=port, scale=scale) as discord:
        ada = discord.user("Ada")
        discord.channel(discord.guild("Home", ada), "general")
        print(discord.url)  # noqa: T201 - scripts read the address from the first line
        print(f"HALEXT_DISCORD_TOKEN={discord.token}")  # noqa: T201
        print(f"HALEXT_DISCORD_API_BASE={discord.api_base}")  # noqa: T201
        print(f"HALEXT_DISCORD_GATEWAY={discord.gateway_url}", flush=True)  # noqa: T201
        await stop.wait()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one until Ctrl-C or SIGTERM; its address shows the channels in a browser."""
    parser = argparse.ArgumentParser(prog="python -m halext.testing.discord", description="A fake Discord for tests.")
    parser.add_argument("--port", type=int, default=8444, help="0 takes any free one (default: 8444)")
    parser.add_argument("--scale", type=float, default=1, help="how much faster than life time runs (default: 1)")
    args = parser.parse_args(argv)
    try:
        asyncio.run(_serve(args.port, args.scale))
    except OSError as error:
        print(f"Can't listen: {error.strerror or error}. Choose another port with --port.", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
