"""A world without sockets: methods are called as the server calls them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from halext.testing.botapi.api import METHODS
from halext.testing.botapi.forms import Form
from halext.testing.botapi.people import Person
from halext.testing.botapi.world import User, World
from halext.testing.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def world(clock: ManualClock) -> World:
    return World(clock, clock.now, User(7, "halext", "halext_bot", is_bot=True))


@pytest.fixture
def ada(world: World) -> Person:
    """Someone who has written "hi" to the bot: message 1 of her chat."""
    person = Person(world, world.add_user("Ada", "ada", "en"))
    person.say("hi")
    return person


@pytest.fixture
def call(world: World) -> Callable[..., Any]:
    """`call("sendMessage", chat_id=…, text=…)` returns what the method does, or raises its Refusal."""

    def run(method: str, **values: Any) -> Any:
        return METHODS[method.lower()][1](world, Form(values))

    return run
