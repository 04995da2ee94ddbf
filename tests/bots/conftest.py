"""A whole halext with one fake Ollama, and a member who can be linked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from halext.accounts.types import Caller, Role
from halext.runtime.app import App
from halext.runtime.control import LocalControl
from halext.runtime.service import Service
from halext.runtime.settings import Settings
from halext.runtime.shapes import AddNode
from halext.runtime.verbs.nodes import add_node
from halext.runtime.wiring import open_app
from halext.testing.ollama import FakeOllama

PATIENCE_S = 10.0
"""Nothing here takes long; a test that waits for this has failed."""
LOCAL = Caller("owner", Role.ADMIN, "local")


@dataclass
class House:
    """A halext that is open, and its one node."""

    app: App
    node: FakeOllama

    async def member(self, name: str = "Ada", role: Role = Role.MEMBER) -> Caller:
        """Somebody with an account."""
        user = await self.app.people.add_user(name, role)
        return Caller(user.name, user.role, "session", user.id)

    async def code(self, member: Caller) -> str:
        """A code that links a chat account to them."""
        return (await self.app.links.code(member)).text

    @asynccontextmanager
    async def running(self, part: Service) -> AsyncIterator[list[str]]:
        """Run a part until the block ends; what it told the owner."""
        told: list[str] = []
        ready = asyncio.Event()

        def tell(line: str) -> None:
            told.append(line)
            ready.set()

        task = asyncio.get_running_loop().create_task(part.run(self.app, tell))
        try:
            async with asyncio.timeout(PATIENCE_S):
                await ready.wait()
            yield told
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


Furnish = Callable[..., Awaitable[House]]


@pytest.fixture
async def furnish(tmp_path: Path, fake_ollama: Callable[..., Awaitable[FakeOllama]]) -> AsyncIterator[Furnish]:
    """Opens a halext with these settings; it is closed after the test."""
    opened: list[Any] = []

    async def furnish(**settings: Any) -> House:
        node = await fake_ollama()
        opening = open_app(Settings(data_dir=tmp_path / "data", port=0, **settings))
        app = await opening.__aenter__()
        opened.append(opening)
        await LocalControl(app, LOCAL).call(add_node, AddNode(name="mac", urls=[node.url]))
        return House(app, node)

    yield furnish
    for opening in reversed(opened):
        await opening.__aexit__(None, None, None)
