"""A fake Discord, a halext with one fake Ollama, and Ada, who is linked; the bot is an unmodified discord.py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest

from halext.accounts.links.types import ChatAccount
from halext.accounts.types import Caller, Role
from halext.testing.discord import Channel, FakeDiscord, Guild, Message, Person
from halext.testing.discordapi import interactions
from halext_bots.discord import bot, chats
from halext_bots.discord.service import DiscordService
from halext_bots.shared import host, keeping
from halext_bots.shared.pace import Pace
from tests.bots.conftest import Furnish, House

SCALE = 4.0
"""How much faster than life this Discord is; the bot's own waits are shortened alike."""
MODEL = "llama3.2:3b"
PATIENCE_S = 8.0
T = TypeVar("T")


@dataclass
class Scene:
    """Who and what is there. The bot runs while `online` does."""

    discord: FakeDiscord
    house: House
    guild: Guild
    room: Channel
    ada: Person
    member: Caller
    told: list[str] = field(default_factory=list)

    async def link(self, person: Person, role: Role = Role.MEMBER) -> Caller:
        """Give somebody an account, and say who they are on Discord."""
        member = await self.house.member(person.user.name, role)
        account = ChatAccount("discord", str(person.id), person.user.name.lower())
        await self.house.app.links.claim(account, await self.house.code(member))
        return member

    def newcomer(self, name: str) -> Person:
        """Somebody else in the server."""
        person = self.discord.user(name)
        self.guild.people.append(person.user)
        return person

    def model_says(self, *tokens: str, tokens_per_s: float = 1000.0) -> None:
        """What the model answers from now on; a hundred times as fast as the number says."""
        model, _ = self.house.node.disk.get(MODEL)  # in place: one that is in the node's memory stays there
        object.__setattr__(model, "script", tokens)
        object.__setattr__(model, "tokens_per_s", tokens_per_s)

    @asynccontextmanager
    async def online(self) -> AsyncIterator[None]:
        """The bot is there until the block ends."""
        async with self.house.running(DiscordService()) as self.told:
            yield

    def said(self, channel: Channel | None = None) -> list[Message]:
        """What the bot has said in the room, or elsewhere."""
        return self.discord.answers(channel or self.room)

    async def until(self, condition: Callable[[], T], channel: Channel | None = None) -> T:
        """What `condition` returns as soon as that is true; what stands in the channel when it does not come true."""
        try:
            return await self.discord.until(condition, timeout_s=PATIENCE_S)
        except TimeoutError:
            standing = [(message.text, message.buttons) for message in self.said(channel)]
            calls = [(call.name, call.status) for call in self.discord.calls[-5:]]
            raise AssertionError(f"it does not come; there is {standing} after {calls}") from None

    async def until_said(self, words: str, channel: Channel | None = None) -> Message:
        """The bot's newest message with these words, once it is there."""
        return (await self.until(lambda: [one for one in self.said(channel) if words in one.text], channel))[-1]

    async def until_button(self, label: str, channel: Channel | None = None) -> Message:
        """The bot's newest message with this button, once it is there."""
        return (await self.until(lambda: [one for one in self.said(channel) if label in one.buttons], channel))[-1]

    def asked(self) -> list[dict[str, Any]]:
        """The last message of each request that the node was sent, oldest first."""
        chats = [request.json() for request in self.house.node.requests if request.path == "/api/chat"]
        return [chat["messages"][-1] for chat in chats]


Scenes = Callable[..., Awaitable[Scene]]


@pytest.fixture(autouse=True)
def faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bot's waits are shorter, as this Discord is faster."""
    monkeypatch.setattr(interactions, "ACK_S", 3.0 * SCALE)  # as in life: a busy computer is late soon
    monkeypatch.setattr(bot, "GUILDS_S", 0.05)
    monkeypatch.setattr(chats, "DISCORD", Pace(gap_s=1.25 / SCALE, typing_gap_s=9.0 / SCALE, retry_s=0.1))
    monkeypatch.setattr(chats, "ANSWER_S", 2.0 / SCALE)
    monkeypatch.setattr(chats, "CLOSE_S", 0.3)
    monkeypatch.setattr(host, "GLANCE_S", 0.05)
    monkeypatch.setattr(keeping, "LOOK_S", 0.1)
    monkeypatch.setattr(keeping, "FIRST_DELAY_S", 0.1)


@pytest.fixture
async def scenes(furnish: Furnish) -> AsyncIterator[Scenes]:
    """Makes a scene with these settings; the bot is not running yet. Nobody was pinged and no
    preview loaded when the test is over."""
    async with AsyncExitStack() as stack:

        async def scenes(fake: FakeDiscord | None = None, **settings: Any) -> Scene:
            discord = await stack.enter_async_context(fake or FakeDiscord(scale=SCALE))
            stack.callback(discord.assert_nobody_pinged)
            stack.callback(discord.assert_nothing_previewed)
            ada = discord.user("Ada")
            guild = discord.guild("Home", ada)
            offered = tuple(str(guild.id) if one == "Home" else one for one in settings.pop("discord_guilds", ()))
            settings["discord_guilds"] = offered
            addresses = {"discord_api_base": discord.api_base, "discord_gateway": discord.gateway_url}
            house = await furnish(**{"discord_token": discord.token, **addresses, **settings})
            scene = Scene(discord, house, guild, discord.channel(guild, "general"), ada, LOCAL)
            scene.member = await scene.link(ada)
            return scene

        yield scenes


LOCAL = Caller("nobody", Role.GUEST, "local")


@pytest.fixture
async def scene(scenes: Scenes) -> AsyncIterator[Scene]:
    """A scene in which the bot is online."""
    made = await scenes()
    async with made.online():
        yield made
