"""A whole halext with one fake computer, and people who talk to it in a chat."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from halext.accounts.links.types import ChatAccount
from halext.accounts.types import LOCAL, Role
from halext.chat.types import Turn
from halext.commands.load import GROUP, load
from halext.commands.registry import REGISTRY
from halext.commands.say import Talk
from halext.commands.types import File, Live, Reply, Speaker, Text
from halext.runtime.app import App
from halext.runtime.settings import Settings
from halext.runtime.shapes import AddNode
from halext.runtime.verbs.nodes import add_node
from halext.runtime.wiring import open_app
from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama

MODEL = "llama3.2:3b"
SLOW = "slow:1b"
"""Its second word comes when every test has long ended."""
EMBEDDER = "nomic-embed-text:latest"
PLACE = "discord:channel:5"
PATIENCE_S = 20.0


@dataclass
class Chat:
    """A channel, the bot in it, and who may speak: the admin Ada, the member Mia, and a stranger."""

    app: App
    talk: Talk
    ada: Speaker
    mia: Speaker
    stranger: Speaker

    async def text(self, speaker: Speaker, line: str, *files: File) -> Text:
        """The answer to a command, which must be a text of no failure."""
        reply = await self.talk.line(speaker, line, files)
        assert isinstance(reply, Text)
        assert not reply.is_error, reply.markdown
        return reply

    async def refusal(self, speaker: Speaker, line: str, *files: File) -> str:
        """Why a command is not done."""
        reply = await self.talk.line(speaker, line, files)
        assert isinstance(reply, Text)
        assert reply.is_error, reply.markdown
        assert reply.is_quiet
        return reply.markdown.replace("\\", "")

    async def live(self, speaker: Speaker, line: str, *files: File) -> Live:
        """The answer that a command has begun."""
        return begun(await self.talk.line(speaker, line, files))

    async def ended(self, speaker: Speaker, line: str, *files: File) -> Turn:
        """The answer that a command has begun, at its end."""
        return await self.end(speaker, await self.live(speaker, line, *files))

    async def end(self, speaker: Speaker, live: Live) -> Turn:
        """A live answer at its end."""
        assert speaker.caller is not None
        async with asyncio.timeout(PATIENCE_S):
            async for _ in self.app.answers.follow(speaker.caller, live.turn):
                pass
        return await self.app.answers.turn(speaker.caller, live.turn)


def begun(reply: Reply) -> Live:
    """The answer of a model that a reply promises."""
    assert isinstance(reply, Live), reply
    return reply


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    async with open_app(Settings(data_dir=tmp_path / "data", demo=False, port=0)) as app:
        yield app


@pytest.fixture
async def chat(app: App) -> Chat:
    """Nobody's computer is there yet."""
    return Chat(
        app=app,
        talk=Talk(app, load()),
        ada=await _person(app, "Ada", Role.ADMIN, "1001"),
        mia=await _person(app, "Mia", Role.MEMBER, "1002"),
        stranger=Speaker(ChatAccount("discord", "1003", "somebody"), None, PLACE),
    )


async def _person(app: App, name: str, role: Role, number: str) -> Speaker:
    user = await app.people.add_user(name, role)
    caller = await app.people.caller_of(user.id)
    assert caller is not None
    account = ChatAccount("discord", number, name.lower())
    code = await app.links.code(caller)
    return Speaker(account, await app.links.claim(account, code.text), PLACE)


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed packages; what is loaded from there is forgotten after the test."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    known, modules = dict(REGISTRY._commands), set(sys.modules)
    yield folder
    REGISTRY._commands.clear()
    REGISTRY._commands.update(known)
    for name in set(sys.modules) - modules:
        if str(folder) in str(getattr(sys.modules[name], "__file__", None)):
            del sys.modules[name]


def install(folder: Path, code: str, *, group: str = GROUP, name: str = "") -> str:
    """A package of one module as pip would leave it; the module's name."""
    name = name or f"outside_{uuid4().hex}"
    (folder / f"{name}.py").write_text(code)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\nmine = {name}\n")
    return name


@pytest.fixture
async def mac(chat: Chat, fake_ollama: Callable[..., Awaitable[FakeOllama]]) -> FakeOllama:
    """The computer, with models that chat, and one that does not."""
    talker = FakeModel(MODEL, script=["Because", " it", " scatters."], load_s=0.0, tokens_per_s=1000.0)
    slow = FakeModel(SLOW, script=["One", " two"], load_s=0.0, tokens_per_s=0.001)
    embedder = FakeModel(EMBEDDER, family="bert", capabilities=("embedding",))
    fake = await fake_ollama([talker, slow, embedder], slots=2)
    await add_node(chat.app, LOCAL, AddNode(name="mac", urls=[fake.url]))
    return fake
