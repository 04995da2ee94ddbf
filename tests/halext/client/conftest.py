"""Both ways to ask: straight to two fake Ollamas, and through a real coordinator that has them as nodes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from halext.accounts.types import LOCAL
from halext.client.sync import Client
from halext.runtime.settings import Settings
from halext.runtime.shapes import AddNode
from halext.runtime.verbs.nodes import add_node
from halext.runtime.wiring import open_app
from halext.testing.fake import Fake
from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama
from halext_web.service import WebService

MODELS = (
    FakeModel("llama3.2:3b", script=["Hel", "lo", " there"], load_s=0.1),
    FakeModel("nomic-embed-text:latest", capabilities=("embedding",), embedding_length=4, load_s=0.1),
)


@dataclass(frozen=True)
class Place:
    """Somewhere to connect to, and the servers behind it."""

    urls: tuple[str, ...]
    token: str | None
    nodes: tuple[str, ...]
    servers: tuple[Fake, ...]

    @property
    def ollamas(self) -> list[FakeOllama]:
        """Those of the servers that chat."""
        return [server for server in self.servers if isinstance(server, FakeOllama)]

    def asked(self) -> int:
        """How many requests for work the servers have seen."""
        return sum(len(server.timeline.of("arrival")) for server in self.servers)

    async def wait_for(self, kind: str) -> None:
        """Wait until this has happened at one of the servers."""
        waiting = [
            asyncio.get_running_loop().create_task(server.timeline.wait_for(kind))  # type: ignore[arg-type]  # as said
            for server in self.servers
        ]
        done, others = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        done.pop().result()


@pytest.fixture
async def client() -> AsyncIterator[Callable[..., Client]]:
    """Makes clients that are closed after the test."""
    made: list[Client] = []

    def make(*urls: str, **way: object) -> Client:
        made.append(Client(*urls, **way))  # type: ignore[arg-type]  # passed on as the test wrote it
        return made[-1]

    yield make
    for each in made:
        await asyncio.to_thread(each.close)


@pytest.fixture
async def servers(fake_ollama: Callable[..., Awaitable[FakeOllama]]) -> tuple[FakeOllama, ...]:
    """Two computers with the same models."""
    return await fake_ollama(MODELS, slots=2), await fake_ollama(MODELS, slots=2)


@pytest.fixture
def fleet(servers: tuple[FakeOllama, ...]) -> Place:
    """The two computers, straight."""
    names = tuple(f"127.0.0.1-{server.url.rpartition(':')[2]}" for server in servers)
    return Place(tuple(server.url for server in servers), None, names, servers)


@asynccontextmanager
async def open_coordinator(data_dir: Path, servers: tuple[Fake, ...]) -> AsyncIterator[Place]:
    """A whole halext on a free port, with an account and a token."""
    ready = asyncio.Event()
    async with open_app(Settings(data_dir=data_dir, port=0)) as app:
        for name, server in zip(("mac", "pc"), servers, strict=True):
            await add_node(app, LOCAL, AddNode(name=name, urls=[server.url]))
        await app.people.claim_first_admin(await app.people.first_admin_code() or "", "Ada", "correct horse")
        session, _ = await app.people.sign_in("Ada", "correct horse")
        token, _ = await app.people.create_token(await app.people.caller_for(session), "notebook")
        door = asyncio.get_running_loop().create_task(WebService().run(app, lambda _line: ready.set()))
        try:
            async with asyncio.timeout(10):
                await ready.wait()
            yield Place((app.base_url,), token, ("mac", "pc"), servers)
        finally:
            door.cancel()
            await asyncio.gather(door, return_exceptions=True)


@pytest.fixture
async def coordinator(tmp_path: Path, servers: tuple[FakeOllama, ...]) -> AsyncIterator[Place]:
    """The two computers, through a coordinator."""
    async with open_coordinator(tmp_path / "data", servers) as place:
        yield place


@pytest.fixture(params=["fleet", "coordinator"])
def place(request: pytest.FixtureRequest) -> Place:
    """Either way."""
    found: Place = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def hx(place: Place, client: Callable[..., Client]) -> Client:
    """A client there."""
    return client(*place.urls, token=place.token)
