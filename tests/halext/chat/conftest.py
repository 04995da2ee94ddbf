"""A person who asks, and a model that answers when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from typing import cast

import pytest

from halext.accounts.store import PeopleStore
from halext.accounts.types import Caller, Role
from halext.chat.answers import Answers
from halext.gateway.dispatch import Gateway
from halext.gateway.records import Records
from halext.gateway.types import Ask
from halext.messages import ChatChunk, ChatRequest
from halext.runtime.background import Background
from halext.storage.scope import Scope
from halext.testing.clock import ManualClock
from halext.types import RequestId, UserId


@dataclass
class Model:
    """In place of a gateway: `say` lets one more piece out, `end` ends the answer, `fail` breaks it."""

    records: Records = field(default_factory=Records)
    asked: list[ChatRequest] = field(default_factory=list)
    script: asyncio.Queue[str | Exception | None] = field(default_factory=asyncio.Queue)
    closed: int = 0

    def new_id(self) -> RequestId:
        return RequestId(f"r{len(self.asked)}")

    async def generate(self, ask: Ask) -> AsyncGenerator[ChatChunk, None]:
        assert isinstance(ask.request, ChatRequest)
        self.asked.append(ask.request)
        try:
            while (piece := await self.script.get()) is not None:
                if isinstance(piece, Exception):
                    raise piece
                yield ChatChunk(piece)
        finally:
            self.closed += 1

    def say(self, *pieces: str | Exception | None) -> None:
        for piece in pieces:
            self.script.put_nowait(piece)


@dataclass
class Room:
    answers: Answers
    model: Model
    ann: Caller
    bob: Caller
    scope: Scope
    background: Background
    clock: ManualClock

    def again(self) -> Answers:
        """The same room after a restart."""
        return make(self.scope, self.model, self.background)

    async def caller_of(self, user: UserId) -> Caller | None:
        return next((caller for caller in (self.ann, self.bob) if caller.user_id == user), None)


def make(scope: Scope, model: Model, background: Background, clock: ManualClock | None = None) -> Answers:
    return Answers(scope, cast("Gateway", model), clock or ManualClock(), background.spawn)


@pytest.fixture
async def room(scope: Scope) -> AsyncIterator[Room]:
    people = PeopleStore(scope)
    users = [await people.add(name, Role.MEMBER, None, 0.0) for name in ("Ann", "Bob")]
    ann, bob = [Caller(user.name, Role.MEMBER, "session", user.id) for user in users]
    model, clock = Model(), ManualClock()
    async with Background() as background:
        yield Room(make(scope, model, background, clock), model, ann, bob, scope, background, clock)
