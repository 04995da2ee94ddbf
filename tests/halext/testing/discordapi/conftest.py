"""A world without sockets: routes are called as the server calls them. And `fake`, a whole one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import pytest

from halext.testing.clock import ManualClock
from halext.testing.discord import FakeDiscord
from halext.testing.discordapi import limits
from halext.testing.discordapi.api import Api
from halext.testing.discordapi.buckets import Buckets, RateRules
from halext.testing.discordapi.compose import Composer
from halext.testing.discordapi.forms import Call, Upload
from halext.testing.discordapi.gateway import Gateway
from halext.testing.discordapi.interactions import Interactions
from halext.testing.discordapi.people import Person
from halext.testing.discordapi.things import Channel, Guild
from halext.testing.discordapi.world import World

Told = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def told() -> Told:
    """The events that the bot heard of: names and bodies."""
    return []


@pytest.fixture
def world(clock: ManualClock, told: Told) -> World:
    world = World(clock, clock.now)
    world.emit = lambda name, body: told.append((name, body))
    return world


@pytest.fixture
def api(world: World, clock: ManualClock) -> Api:
    gateway = Gateway(world, "token", message_content=True, members=True)
    interactions = Interactions(Composer(world, limits.FILE_BYTES))
    return Api(world, Buckets(clock, RateRules(), 1.0, clock.now), gateway, interactions)


@pytest.fixture
def meet(world: World, api: Api) -> Callable[[str], Person]:
    """`meet("Bob")` is a new person."""
    return lambda name: Person(world, api.commands, api.interactions, world.add_user(name))


@pytest.fixture
def ada(meet: Callable[[str], Person]) -> Person:
    return meet("Ada")


@pytest.fixture
def home(world: World, ada: Person) -> Guild:
    return world.add_guild("Home", ada.user)


@pytest.fixture
def room(world: World, home: Guild) -> Channel:
    return world.add_channel(home, "general")


@pytest.fixture
def ask(api: Api) -> Callable[..., Any]:
    """`ask("POST", "/channels/…/messages", {"content": "x"})` returns what the route does, or raises its Refusal."""

    def run(
        method: str,
        path: str,
        payload: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        files: Sequence[Upload] = (),
    ) -> Any:
        chosen, ids = api.find(method, path)
        return chosen.answer(Call(chosen.name, method, path, ids, query or {}, payload, files))

    return run


@pytest.fixture
async def fake() -> AsyncIterator[FakeDiscord]:
    async with FakeDiscord(scale=10) as running:
        yield running
