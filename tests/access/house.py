"""A whole halext with real nodes (fakes on real sockets), people in every state, and ways to ask it something."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
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

from halext.accounts import callers, policy, tokens
from halext.accounts.links.types import ChatAccount
from halext.accounts.passwords import Passwords
from halext.accounts.quotas.policy import UNLIMITED
from halext.accounts.quotas.types import Subject as Quota
from halext.accounts.types import LOCAL, Caller, Role
from halext.accounts.workspaces.types import WorkspaceRole
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

from .rights import Subject, Whose

MODEL = "llama3.2:3b"
EMBEDDER = "nomic-embed-text:latest"
PASSWORD = "a password for tests"
PLACE = "discord:dm:5"
ORIGIN = "http://127.0.0.1:8484"
RESIDENTS = {"Mia": Role.MEMBER, "Sam": Role.MEMBER, "Gus": Role.GUEST, "Ada": Role.ADMIN}
HOST = "Pat"
OLD = ", long ago"
ROLES = {HOST: Role.MEMBER, **RESIDENTS, "Dora": Role.MEMBER}
"""Dora is shut out; the others are not. The host owns workspaces that the residents are in."""
WRITERS = "writers"
GROUPS = {Whose.AS_MEMBER: WRITERS, Whose.AS_VIEWER: "readers", Whose.NO_LONGER: "leavers"}
"""Where something is shared → the workspace of the host's."""

UNWATCHED = {"tokens.last_used_at", "sessions.used_at", "audit"}
"""Tables and columns that a refused request may change: when a credential was last seen is no one's right, and that
somebody was refused is what the audit log is for."""


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
    jwts: dict[tuple[str, str, frozenset[str] | None], str] = field(default_factory=dict)
    """Made from a sign-in or a token."""
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
                if table.name in UNWATCHED:
                    continue
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
            case "old cookie":
                return {"cookie": f"{COOKIE}={await self._session(subject.name, OLD)}"}
            case "jwt" | "token jwt":
                return {"authorization": f"Bearer {await self._jwt(subject)}"}
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

    async def _session(self, person: str, old: str = "") -> str:
        """A cookie that is good, unless its owner is shut out: some routes end it."""
        if person != "Dora" and not await self._is_good(self.cookies.get(person + old)):
            self.cookies[person + old], _ = await self.app.people.sign_in(person, PASSWORD)
            if old:
                await self._age(self.cookies[person + old])
        return self.cookies[person + old]

    async def _jwt(self, subject: Subject) -> str:
        """A JWT that is good, unless its owner is shut out: it ends with the sign-in that it was made from."""
        key = (subject.name, subject.shown, subject.scopes)
        if key not in self.jwts or (subject.name != "Dora" and not await self._is_good(self.jwts[key])):
            source = "bearer" if subject.shown == "token jwt" else "cookie"
            shown = await self.headers(replace(subject, shown=source))
            headers = {"host": "127.0.0.1:8484", "origin": ORIGIN, "content-type": "application/json", **shown}
            made = await call(self.asgi, "POST", "/hx/session", headers, b'{"token": true}')
            self.jwts[key] = json.loads(made.body)["access_token"]
        return self.jwts[key]

    async def _is_good(self, credential: str | None) -> bool:
        try:
            await self.app.people.caller_for(credential or "")
        except Unauthenticated:
            return False
        return True

    async def _age(self, cookie: str) -> None:
        """Let the password for this sign-in have been shown long ago."""
        sessions = Base.metadata.tables["sessions"]
        async with self.app.database.writer.begin() as connection:
            its = sessions.c.hash == tokens.digest(cookie)
            await connection.execute(sessions.update().where(its).values(proved_at=0.0))

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
        patch.setattr(policy, "CREDENTIAL_FAILURES", 1_000_000)
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
    await house.app.quotas.set(Quota("role", Role.GUEST), UNLIMITED)
    for number, (name, role) in enumerate(ROLES.items()):
        await people.add_user(name, role, PASSWORD)
        house.cookies[name], _ = await people.sign_in(name, PASSWORD)
        caller = house.callers[name] = await people.caller_for(house.cookies[name])
        for scopes in scope_sets if name in {"Mia", "Ada"} else [None]:
            if scopes is None or scopes <= policy.rights(caller):
                named = scopes or {"all"}
                house.tokens[name, scopes], _ = await people.create_token(caller, "tests", scopes=named)
        account = ChatAccount("discord", str(1000 + number), name.lower())
        await house.app.links.claim(account, (await house.app.links.code(caller)).text)
        if name == "Dora":
            for shown in ("jwt", "token jwt"):
                await house.headers(Subject("Dora", shown, None))
            await people.set_disabled(name, disabled=True)
        house.speakers[name] = Speaker(account, await house.app.links.caller_for(account), PLACE, is_private=True)
    for shown in ("jwt", "token jwt", "old cookie"):
        await house.headers(Subject("Ada", shown, None))
    house.speakers["nobody"] = Speaker(ChatAccount("discord", "999", "somebody"), None, PLACE, is_private=True)
    await _found_workspaces(house)


async def _found_workspaces(house: House) -> None:
    groups, host = house.app.workspaces, house.callers[HOST]
    roles = {Whose.AS_MEMBER: WorkspaceRole.MEMBER, Whose.AS_VIEWER: WorkspaceRole.VIEWER}
    for whose, name in GROUPS.items():
        await groups.create(host, name)
        for person in RESIDENTS:
            await groups.add(host, name, person, roles.get(whose, WorkspaceRole.MEMBER))
            if whose not in roles:
                await groups.remove(host, name, person)
