"""A whole halext with real nodes (fakes on real sockets), people in every state, and ways to ask it something."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest
from sqlalchemy import select
from starlette.types import ASGIApp, Message

from halext.accounts import callers
from halext.accounts.links.types import ChatAccount
from halext.accounts.passwords import Passwords
from halext.accounts.types import LOCAL, Caller, Permission, Role
from halext.chat.types import TurnId
from halext.commands.load import load
from halext.commands.say import Talk
from halext.commands.types import Speaker
from halext.errors import Unauthenticated
from halext.runtime import wiring
from halext.runtime.app import App
from halext.runtime.settings import Settings
from halext.runtime.shapes import AddNode
from halext.runtime.verbs.nodes import add_node
from halext.storage.base import Base
from halext.testing.automatic1111 import FakeAutomatic1111
from halext.testing.clock import ScaledClock
from halext.testing.models import FakeModel
from halext.testing.ollama import FakeOllama
from halext_web.app import build
from halext_web.credentials import COOKIE

from .rights import Subject

MODEL = "llama3.2:3b"
EMBEDDER = "nomic-embed-text:latest"
PASSWORD = "a password for tests"
PLACE = "discord:dm:5"
ORIGIN = "http://127.0.0.1:8484"
ROLES = {"Mia": Role.MEMBER, "Sam": Role.MEMBER, "Gus": Role.GUEST, "Ada": Role.ADMIN, "Dora": Role.MEMBER}
"""Dora is shut out; the others are not."""

UNWATCHED = {"tokens.last_used_at"}
"""Columns that a refused request may change: when a credential was last seen is no one's right."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def bare(self) -> tuple[int, list[tuple[str, str]], bytes]:
        """All of it that may not differ between two refusals: without the request's id and the page's nonce."""
        request, nonce = self.headers.get("x-halext-request", ""), ""
        if found := re.search(r"'nonce-([\w-]+)'", self.headers.get("content-security-policy", "")):
            nonce = found[1]
        headers = [(name, value.replace(nonce, "") if nonce else value) for name, value in self.headers.items()]
        body = self.body.replace(request.encode(), b"")
        body = body.replace(nonce.encode(), b"") if nonce else body
        kept = [(name, value) for name, value in headers if name not in {"x-halext-request", "content-length"}]
        return self.status, sorted(kept), body


@dataclass
class House:
    """The app, everyone's credentials, and what was made so far."""

    app: App
    asgi: ASGIApp
    talk: Talk
    ollama: FakeOllama
    spare: FakeOllama
    """The computer of nodes that are made to be changed or removed; it is one node's at a time."""
    painter: FakeAutomatic1111
    callers: dict[str, Caller] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)
    tokens: dict[tuple[str, frozenset[str] | None], str] = field(default_factory=dict)
    speakers: dict[str, Speaker] = field(default_factory=dict)
    things: dict[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    rows: Mapping[str, str] = field(default_factory=dict)
    """The digest of all rows, as it was when somebody last looked."""
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def fresh(self, stem: str) -> str:
        """A name that nothing has yet."""
        return f"{stem}-{next(self.numbers)}"

    def nowhere(self) -> str:
        """The address of a computer that is off; each one is another."""
        high, low = divmod(next(self.numbers), 250)
        return f"http://127.77.{high}.{low + 1}:9"

    @property
    def node_requests(self) -> int:
        """How often a node was asked for anything."""
        return sum(len(fake.requests) for fake in (self.ollama, self.spare, self.painter))

    async def digest(self) -> dict[str, str]:
        """Table → hash of all its rows."""
        await self.app.ledger.flush()
        found = {}
        async with self.app.database.reader.connect() as connection:
            for table in Base.metadata.sorted_tables:
                columns = [column for column in table.columns if f"{table.name}.{column.name}" not in UNWATCHED]
                rows = (await connection.execute(select(*columns))).all()
                text = "\n".join(sorted(map(repr, rows)))
                found[table.name] = hashlib.sha256(text.encode()).hexdigest()
        return found

    # --- asking ---

    async def headers(self, subject: Subject) -> dict[str, str]:
        """What the subject shows. One line for each kind of credential."""
        match subject.shown:
            case "cookie":
                return {"cookie": f"{COOKIE}={await self._session(subject.name)}"}
            case "bearer":
                return {"authorization": f"Bearer {self.tokens[subject.name, subject.scopes]}"}
            case "basic":
                pair = f"any:{self.tokens[subject.name, subject.scopes]}"
                return {"authorization": f"Basic {b64encode(pair.encode()).decode()}"}
            case "local":
                return {"authorization": f"Bearer {self.app.local_token}"}
            case "none":
                return {}
            case other:
                raise LookupError(f"say how a credential of the kind {other!r} is shown")

    async def _session(self, person: str) -> str:
        """A cookie that is good, unless its owner is shut out: some routes end it."""
        if person != "Dora":
            try:
                await self.app.people.caller_for(self.cookies[person])
            except Unauthenticated:
                self.cookies[person], _ = await self.app.people.sign_in(person, PASSWORD)
        return self.cookies[person]

    async def ask(
        self, subject: Subject, method: str, target: str, body: bytes = b"", content_type: str = "application/json"
    ) -> Answer:
        """One request through the real door; a stream is read to its end."""
        headers = {"host": "127.0.0.1:8484", "origin": ORIGIN, **await self.headers(subject)}
        if method not in {"GET", "HEAD"}:
            headers |= {"content-type": content_type, "content-length": str(len(body))}
        return await call(self.asgi, method, target, headers, body)

    async def ended(self, caller: Caller, turn: TurnId) -> None:
        """Wait until an answer has come to its end."""
        async for _ in self.app.answers.follow(caller, turn):
            pass


async def call(asgi: ASGIApp, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """One request to an ASGI app."""
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote_to_bytes(path).decode("utf-8", "replace"),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 54321),
        "server": ("127.0.0.1", 8484),
    }
    parts = [body]
    sent: list[Message] = []

    async def receive() -> Message:
        if parts:
            return {"type": "http.request", "body": parts.pop(), "more_body": False}
        await asyncio.Event().wait()  # the client stays
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    await asgi(scope, receive, send)
    start, *rest = sent
    told = {name.decode().lower(): value.decode("latin-1") for name, value in start["headers"]}
    return Answer(start["status"], told, b"".join(message.get("body", b"") for message in rest))


# --- opening it ---


@asynccontextmanager
async def opened(url: str, folder: Path, scope_sets: Sequence[frozenset[str] | None] = (None,)) -> AsyncIterator[House]:
    """A house on this database, with everyone in it. `scope_sets` are the limits of API tokens of Mia's and Ada's."""
    settings = Settings(data_dir=folder / "data", database_url=url, demo=False)
    words = ["Because", " it", " scatters."]
    talker = FakeModel(MODEL, script=words, structured={"tasks": []}, load_s=0, tokens_per_s=1e6)
    embedder = FakeModel(EMBEDDER, family="bert", capabilities=("embedding",), load_s=0)
    clock = ScaledClock(10_000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wiring, "Passwords", partial(Passwords, time_cost=1, memory_kib=64))
        patch.setattr(callers, "CACHE_S", 3600.0)  # what ends a right in this process empties it all the same
        async with (
            FakeOllama([talker, embedder], slots=8, clock=clock) as ollama,
            FakeOllama([talker], clock=clock) as spare,
            FakeAutomatic1111(clock=clock) as painter,
            wiring.open_app(settings) as app,
        ):
            app.local_token = "the-secret-of-this-machine"
            house = House(app, build(app), Talk(app, load()), ollama, spare, painter)
            await add_node(app, LOCAL, AddNode(name="mac", urls=[ollama.url], kind="ollama"))
            await add_node(app, LOCAL, AddNode(name="pc", urls=[painter.url], kind="automatic1111"))
            await _move_in(house, scope_sets)
            yield house


async def _move_in(house: House, scope_sets: Sequence[frozenset[str] | None]) -> None:
    people = house.app.people
    limits: dict[str, frozenset[str]] = {}
    for number, (name, role) in enumerate(ROLES.items()):
        user = await people.add_user(name, role, PASSWORD)
        house.cookies[name], _ = await people.sign_in(name, PASSWORD)
        caller = house.callers[name] = await people.caller_for(house.cookies[name])
        for scopes in scope_sets if name in {"Mia", "Ada"} else [None]:
            token, _ = await people.create_token(caller, "tests")
            house.tokens[name, scopes] = token
            if scopes is not None:
                limits[token] = scopes
        account = ChatAccount("discord", str(1000 + number), name.lower())
        await house.app.links.claim(account, (await house.app.links.code(caller)).text)
        if name == "Dora":
            await people.set_disabled(name, disabled=True)
        house.speakers[name] = Speaker(account, await house.app.links.caller_for(account), PLACE, is_private=True)
        assert user.name == name
    house.speakers["nobody"] = Speaker(ChatAccount("discord", "999", "somebody"), None, PLACE, is_private=True)
    _limit(house.app, limits)


def _limit(app: App, limits: Mapping[str, frozenset[str]]) -> None:
    """Let these tokens carry no more than these rights, from the one place on that says who holds a credential."""
    known = app.people.caller_for

    async def caller_for(credential: str) -> Caller:
        caller = await known(credential)
        if credential not in limits:
            return caller
        return replace(caller, scopes=frozenset(map(Permission, limits[credential])))

    app.people.caller_for = caller_for  # type: ignore[method-assign]
