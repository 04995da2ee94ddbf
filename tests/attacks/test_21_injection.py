"""Attack 21: texts that mean something to a database, in every field of every operation, in forms and in credentials.

On both databases. No answer is a 500, no row of anybody else changes, and no statement is ever built out of a text:
those that reach the database are compared with what was sent.
"""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args, get_origin

import httpx
import msgspec
import pytest
from sqlalchemy import event, text

from halext.accounts.passwords import Passwords
from halext.accounts.types import LOCAL, Permission, Role
from halext.runtime.app import App
from halext.runtime.operations import Operation
from halext.runtime.settings import Settings
from halext.runtime.shapes import CreateToken
from halext.runtime.shapes_tasks import AddTask
from halext.runtime.verbs.people import create_token
from halext.runtime.verbs.tasks import add_task
from halext.runtime.wiring import open_app
from halext_web.api.hx import operations
from tests.conftest import Postgres, _migrate
from tests.web.conftest import listening

MARK = "inj7"
"""In every text that is sent, so that it can be looked for in the statements."""
TEXTS = [
    f"{MARK}' OR '1'='1",
    f"{MARK}'; DROP TABLE users; --",
    f"{MARK}') UNION SELECT hash FROM tokens --",
    f'{MARK}" OR ""="',
    f"{MARK}\\' OR 1=1 #",
    f"%{MARK}_%\\",
    f"$.{MARK}[*]",
    f'{MARK}" NEAR(a b) * AND "',
    f":{MARK} ? %s %(x)s $1 {{0}}",
    f"{MARK}\u2019 OR 1=1 \ud7ff\U0001f600\u202e",
    f"{MARK}\0'; SELECT pg_sleep(9); --",
    f"{MARK} WAITFOR DELAY '0:0:9' /* */" + "'" * 300,
]
SCOPES = {
    role: [right for right in rights if right != "public"]
    for role, rights in ((Role.ADMIN, [str(right) for right in Permission]), (Role.MEMBER, ["use", "own", "account"]))
}
"""By name: a token that carries whatever its owner may is no fresh sign-in."""
SOUND: dict[Any, Any] = {int: 10_000, float: 1.0, bool: False}
"""No row has that number: an administrator may end others' tokens, and that is no attack."""


@dataclass
class Target:
    """The house, who attacks it, and every statement that its database was told."""

    app: App
    tokens: dict[str, str]
    statements: set[str] = field(default_factory=set)

    def client(self, who: str | None) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self.tokens[who]}"} if who else {}
        return httpx.AsyncClient(base_url=self.app.base_url, headers=headers, timeout=20, trust_env=False, verify=False)

    async def rows(self) -> dict[str, set[str]]:
        """All rows of all tables, as texts."""
        async with self.app.database.reader.connect() as connection:
            if self.app.database.dialect == "sqlite":
                names = "SELECT name FROM sqlite_master WHERE type = 'table'"
            else:
                names = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            tables = (await connection.execute(text(names))).scalars().all()
            return {
                table: {repr(tuple(row)) for row in (await connection.execute(text(f'SELECT * FROM "{table}"'))).all()}
                for table in tables
            }


@pytest.fixture(params=["sqlite", "postgresql"])
async def target(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Target]:
    extra: dict[str, Any] = {}
    server: Postgres | None = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    name = await server.create() if server else ""
    if server:
        await _migrate(server.url(name))
        extra["database_url"] = server.url(name)
    async with open_app(Settings(data_dir=tmp_path / "data", demo=False, port=0, **extra)) as app:
        app.people._passwords = Passwords(time_cost=1, memory_kib=64)
        tokens = {}
        for who, role in (("Ada", Role.ADMIN), ("Mia", Role.MEMBER), ("Eve", Role.ADMIN), ("Mallory", Role.MEMBER)):
            await app.people.add_user(who, role, "battery staple")
            tokens[who] = (await create_token(app, LOCAL, CreateToken(name="t", user=who, scopes=SCOPES[role]))).token
            await add_task(app, LOCAL, AddTask(title=f"{who}'s secret", user=who))
        async with listening(app):
            found = Target(app, tokens)
            for engine in {app.database.reader.sync_engine, app.database.writer.sync_engine}:
                event.listen(engine, "before_cursor_execute", lambda *args: found.statements.add(args[2]))
            yield found
    if server:
        await server.drop(name)


def value(kind: Any, said: str, *, sound: bool) -> Any:
    """A value for a field: the text where a text may be, and what is sound, or the text again, elsewhere."""
    if get_origin(kind) is list:
        return [value(get_args(kind)[0], said, sound=sound)]
    if get_origin(kind) is dict:
        return {said: said}
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return {each.name: value(each.type, said, sound=sound) for each in msgspec.structs.fields(kind)}
    options = [each for each in get_args(kind) if each is not type(None)]
    if str in (kind, *options):
        return said
    if not sound:
        return said
    if options and get_origin(options[0]) is not None:  # a list, a dict or choices, or nothing
        return value(options[0], said, sound=sound)
    if options and not isinstance(options[0], type):
        return options[0]
    return SOUND[options[0] if options else kind]


def call(operation: Operation[Any, Any], said: str, *, sound: bool) -> tuple[str, str, dict[str, Any]]:
    """Method, address and what goes into the query or the body."""
    fields = {each.name: value(each.type, said, sound=sound) for each in msgspec.structs.fields(operation.params)}
    path = operation.path
    for name in re.findall(r"\{(\w+)[^}]*\}", path):
        inside = str(fields.pop(name))
        path = re.sub(r"\{" + name + r"[^}]*\}", "".join(f"%{byte:02x}" for byte in inside.encode()), path)
    return operation.method, path, fields


async def send(client: httpx.AsyncClient, method: str, path: str, fields: dict[str, Any]) -> httpx.Response:
    if method in {"GET", "DELETE"}:
        return await client.request(method, path, params={key: str(each) for key, each in fields.items()})
    return await client.request(method, path, json=fields)


async def forms(client: httpx.AsyncClient, said: str) -> list[httpx.Response]:
    names = ("do", "title", "priority", "text", "id", "prompt", "model", "conversation", "answer", "how", "name")
    every = {**dict.fromkeys(names, said), "password": said, "platform": said, "account": said, "code": said}
    answers = [
        await client.post(path, data=every | {"do": do})
        for path, do in (
            *(("/tasks", do) for do in ("add", "open", said)),
            *(("/account", do) for do in ("code", "unlink")),
            *(("/ask", said), ("/again", said), ("/hx/session", said), ("/hx/first-admin", said)),
        )
    ]
    for path in ("/", "/c/1", "/tasks", "/welcome"):
        answers.append(await client.get(path, params={"before": said, "code": said, "q": said}))
    return answers


def credentials(said: str) -> list[dict[bytes, bytes]]:
    raw = said.replace("\0", "").encode()
    packed = base64.b64encode(b"x:" + raw)
    long = b"hx_" + base64.urlsafe_b64encode(raw * 3)[:43].ljust(43, b"'")
    return [
        {b"Authorization": b"Bearer " + raw},
        {b"Authorization": b"Bearer " + long},
        {b"Authorization": b"Basic " + packed},
        {b"Authorization": raw},
        {b"Cookie": b"hx_session=hxs_" + raw},
        {b"X-Api-Key": raw},
    ]


async def test_no_text_is_more_than_a_text(target: Target) -> None:
    before = await target.rows()
    target.statements.clear()
    wrong = []
    async with target.client("Eve") as admin, target.client("Mallory") as member:
        # Each database takes half of them, which are different ones: they are many requests.
        for number, said in enumerate(TEXTS[target.app.database.dialect == "sqlite" :: 2]):
            client = member if number % 3 == 2 else admin
            for operation in operations():
                for sound in (True, False) if number < 2 else (True,):
                    answer = await send(client, *call(operation, said, sound=sound))
                    if answer.status_code == 500:
                        wrong.append((operation.name, said, answer.text))
            wrong += [("form", said, each.text) for each in await forms(client, said) if each.status_code == 500]
    async with target.client(None) as stranger:
        for said in TEXTS:
            for headers in credentials(said):
                answer = await stranger.get("/hx/me", headers=headers)
                if answer.status_code not in {400, 401, 429}:
                    wrong.append(("credential", said, str(answer.status_code)))
    assert wrong == []
    assert len(target.statements) > 30
    assert [statement for statement in target.statements if MARK in statement] == []
    after = await target.rows()
    changed = {table: rows - after.get(table, set()) for table, rows in before.items() if table != "sqlite_sequence"}
    assert not any(changed.values()), changed


async def test_what_is_stored_comes_back_as_it_was(target: Target) -> None:
    async with target.client("Mallory") as member:
        for said in TEXTS:
            if "\0" in said:
                continue
            added = await member.post("/hx/tasks", json={"title": said[:100], "notes": said})
            assert added.status_code == 200, added.text
        rows = (await member.get("/hx/tasks")).json()
    assert {row["notes"] for row in rows} - {""} == {said for said in TEXTS if "\0" not in said}
