"""Attack 18: someone who has an account tries the ids of what belongs to others, at every address that takes one.

Whatever is private, gone or never was is answered alike, byte for byte but for the request's id, and nothing changes.
What is shared ends where the workspace says, and at once when the access ends.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from halext.accounts.links.types import ChatAccount
from halext.accounts.types import LOCAL, Caller, Role
from halext.accounts.workspaces.types import WorkspaceRole
from halext.chat.types import ConversationId, TurnId
from halext.gateway.types import Record
from halext.images.shelf import Entry
from halext.images.types import Job
from halext.pictures import Recipe
from halext.tasks.types import Draft, TaskId
from halext.types import ModelName, RequestId
from tests.web.conftest import MODEL, PATIENCE_S, House

NUMBERS = ["999999", "0", "-1", "01", "1.0", "x", "2147483648", "9" * 30, "1'%20OR%201=1", "%D9%A3"]
"""Ids of nothing, and what is no id."""
NAMES = ["nowhere", "1", "a'%20OR%20'1'='1", "%F0%9F%8F%A0", "x" * 300]
WORKSPACE = "household"


@dataclass(frozen=True)
class Way:
    """An address that takes an id, `{}` in it."""

    method: str
    path: str
    thing: str
    body: dict[str, Any] | None = None
    form: dict[str, str] | None = None
    """A page's form; `{}` in a value stands for the id."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


WAYS = [
    Way("GET", "/hx/conversations/{}", "conversation"),
    Way("DELETE", "/hx/conversations/{}", "conversation"),
    Way("POST", "/hx/conversations/{}/ask", "conversation", {"text": "and?"}),
    Way("PUT", "/hx/conversations/{}/workspace", "conversation", {"workspace": WORKSPACE}),
    Way("PUT", "/hx/conversations/{}/workspace", "conversation", {"workspace": None}),
    Way("GET", "/c/{}", "conversation"),
    Way("POST", "/ask", "conversation", form={"prompt": "and?", "conversation": "{}"}),
    Way("POST", "/share", "conversation", form={"conversation": "{}"}),
    Way("GET", "/hx/answers/{}", "turn"),
    Way("GET", "/hx/answers/{}?rendered=1", "turn"),
    Way("GET", "/hx/answers/{}/now?wait_s=0", "turn"),
    Way("POST", "/hx/answers/{}/stop", "turn", {}),
    Way("POST", "/hx/answers/{}/regenerate", "turn", {}),
    Way("POST", "/hx/answers/{}/continue", "turn", {}),
    Way("POST", "/again", "turn", form={"answer": "{}", "how": "regenerate"}),
    Way("GET", "/hx/answers/{}", "running"),
    Way("POST", "/hx/answers/{}/stop", "running", {}),
    Way("PUT", "/hx/tasks/{}", "task", {"title": "mine"}),
    Way("PUT", "/hx/tasks/{}/state", "task", {"state": "done"}),
    Way("PUT", "/hx/tasks/{}/workspace", "task", {"workspace": WORKSPACE}),
    Way("DELETE", "/hx/tokens/{}", "token"),
    Way("GET", "/hx/images/{}?wait_s=0", "job"),
    Way("DELETE", "/hx/images/{}", "job"),
    Way("GET", "/hx/requests/{}", "request"),
    Way("DELETE", "/hx/links/discord/{}", "link"),
    Way("GET", "/hx/workspaces/{}", "workspace"),
    Way("PUT", "/hx/workspaces/{}", "workspace", {"to": "mine"}),
    Way("DELETE", "/hx/workspaces/{}", "workspace"),
    Way("POST", "/hx/workspaces/{}/people", "workspace", {"person": "Eve", "role": "owner"}),
    Way("PUT", "/hx/workspaces/{}/people/Ann", "workspace", {"role": "viewer"}),
    Way("PUT", "/hx/workspaces/{}/people/Eve", "workspace", {"role": "owner"}),
    Way("DELETE", "/hx/workspaces/{}/people/Ann", "workspace"),
    Way("GET", "/hx/usage?workspace={}", "workspace"),
]
TEXTS = {"workspace", "job", "request", "link"}
"""What has a name and no number."""


@dataclass
class Town:
    """Ann owns the household and a workspace of her own; Ben is a member of the first, Vic a viewer, Eve a stranger."""

    house: House
    callers: dict[str, Caller]
    tokens: dict[str, str]
    private: dict[str, str] = field(default_factory=dict)
    shared: dict[str, str] = field(default_factory=dict)

    def client(self, name: str) -> httpx.AsyncClient:
        return self.house.client({"Authorization": f"Bearer {self.tokens[name]}", "Accept": "text/html"})

    async def rows(self) -> dict[str, list[Any]]:
        """Everything in the database."""
        await self.house.app.ledger.flush()
        async with self.house.app.database.reader.connect() as connection:
            tables = await connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'"))
            return {
                name: sorted(map(repr, await connection.execute(text(f'SELECT * FROM "{name}"'))))
                for (name,) in tables.all()
            }


async def ask(town: Town, name: str = "Ann") -> tuple[str, str]:
    """A conversation with an answer that has ended."""
    answers = town.house.app.answers
    conversation, turn = await answers.ask(town.callers[name], "why?", model=MODEL)
    async for _ in answers.follow(town.callers[name], turn.id):
        pass
    return str(conversation.id), str(turn.id)


@pytest.fixture
async def town(house: House) -> Town:
    app = house.app
    roles = {"Ann": Role.MEMBER, "Ben": Role.MEMBER, "Vic": Role.MEMBER, "Eve": Role.GUEST}
    users = [await app.people.add_user(name, role) for name, role in roles.items()]
    callers = {user.name: Caller(user.name, user.role, "token", user.id) for user in users}
    names = [*roles, "Ada"]
    tokens = {name: (await app.people.create_token(LOCAL, "tests", for_user=name, scopes=["all"]))[0] for name in names}
    made = Town(house, callers, tokens)
    ann = callers["Ann"]
    await app.workspaces.create(ann, WORKSPACE)
    await app.workspaces.add(ann, WORKSPACE, "Ben", WorkspaceRole.MEMBER)
    await app.workspaces.add(ann, WORKSPACE, "Vic", WorkspaceRole.VIEWER)
    await furnish(made, ann)
    return made


async def furnish(town: Town, ann: Caller) -> None:
    """Two of each: one that is Ann's alone, and one that is shared, where that can be."""
    app = town.house.app
    for things in (town.private, town.shared):
        things["conversation"], things["turn"] = await ask(town)
        things["task"] = str((await app.desk.add(ann, Draft("call"))).id)
    await app.answers.share(ann, ConversationId(int(town.shared["conversation"])), WORKSPACE)
    await app.desk.share(ann, TaskId(int(town.shared["task"])), WORKSPACE)
    await app.workspaces.create(ann, "diary")
    await app.links.claim(ChatAccount("discord", "77"), (await app.links.code(ann)).text)
    request = next(iter(app.gateway.records._records))  # the first of hers
    job, wish = RequestId("job-of-ann"), Recipe("a lighthouse")
    record = Record(id=job, caller=ann, model=ModelName("sd"), started_at=0.0, kind="image")
    app.studio._shelf.add(Entry(Job(job, ann, wish, 0.0), record, 0.0))
    (token,) = await app.people.list_tokens(ann)
    town.private |= {"workspace": "diary", "link": "77", "request": request, "job": job, "token": str(token.id)}
    town.shared["workspace"] = WORKSPACE
    town.house.script.hold(1)
    _, running = await app.answers.ask(ann, "and this?", model=MODEL)
    town.private["running"] = str(running.id)


def without_id(answer: httpx.Response) -> str:
    """A body without what differs from request to request."""
    request_id = answer.headers["x-halext-request"]
    return re.sub(r'nonce="[^"]+"', "", answer.text.replace(request_id, "…"))


async def send(client: httpx.AsyncClient, way: Way, number: str) -> httpx.Response:
    plain = number.replace("%00", "\0").replace("%20", " ").replace("%D9%A3", "٣")
    form = way.form and {name: value.replace("{}", plain) for name, value in way.form.items()}
    body = {"json": way.body} if way.body is not None else {"data": form} if form is not None else {}
    return await client.request(way.method, way.path.replace("{}", number), **body)


def ids(town: Town, way: Way, *, is_stranger: bool) -> Iterator[str]:
    yield town.private[way.thing]
    yield from (NAMES if way.thing in TEXTS else NUMBERS)[: None if is_stranger else 1]


@pytest.mark.parametrize("name", ["Ben", "Vic", "Eve", "Ada"])
async def test_what_is_anothers_is_like_what_is_not_there(town: Town, name: str) -> None:
    before = await town.rows()
    wrong = []
    async with town.client(name) as client:
        for way in WAYS:
            if (name, way.thing) == ("Ada", "token"):
                continue  # administrators end anyone's tokens
            answers = [await send(client, way, number) for number in ids(town, way, is_stranger=name == "Eve")]
            if {answer.status_code for answer in answers} != {404}:
                wrong.append(f"{way}: {[answer.status_code for answer in answers]}")
            if len({without_id(answer) for answer in answers}) != 1:
                wrong.append(f"{way}: {set(map(without_id, answers))}")
    assert wrong == []
    assert await town.rows() == before


@pytest.mark.parametrize("name", ["Ben", "Vic", "Eve", "Ada"])
async def test_no_list_shows_what_is_anothers(town: Town, name: str) -> None:
    is_inside = name in {"Ben", "Vic"}
    async with town.client(name) as client:
        lists = {path: (await client.get(path)).json() for path in ("/hx/conversations", "/hx/tasks", "/hx/workspaces")}
        assert [str(row["id"]) for row in lists["/hx/conversations"]] == [town.shared["conversation"]] * is_inside
        assert [str(row["id"]) for row in lists["/hx/tasks"]] == [town.shared["task"]] * is_inside
        assert [row["name"] for row in lists["/hx/workspaces"]] == [WORKSPACE] * is_inside
        assert (await client.get("/hx/usage")).json() == []
        assert (await client.get("/hx/links")).json() == []
        page = (await client.get("/")).text
        assert f'href="/c/{town.private["conversation"]}"' not in page
        assert (f'href="/c/{town.shared["conversation"]}"' in page) == is_inside


SHARED = [way for way in WAYS if way.thing in {"conversation", "turn", "task"}]
READS = {"GET"}
OF_OWNERS = {"DELETE /hx/conversations/{}", "PUT /hx/conversations/{}/workspace", "PUT /hx/tasks/{}/workspace"}


async def test_a_viewer_reads_and_writes_nothing(town: Town) -> None:
    before = await town.rows()
    async with town.client("Vic") as client:
        for way in SHARED:
            answer = await send(client, way, town.shared[way.thing])
            assert answer.status_code == (200 if way.method in READS else 403), str(way)
        refused = await client.post("/hx/tasks", json={"title": "x"}, headers={"X-Halext-Workspace": WORKSPACE})
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert await town.rows() == before


async def test_a_member_neither_deletes_nor_shares_what_is_anothers(town: Town) -> None:
    before = await town.rows()
    async with town.client("Ben") as client:
        for way in SHARED:
            if str(way) in OF_OWNERS or way.path == "/share":
                answer = await send(client, way, town.shared[way.thing])
                assert answer.status_code == 403, str(way)
        for method, path, body in (
            ("PUT", "", {"to": "mine"}),
            ("DELETE", "", None),
            ("POST", "/people", {"person": "Eve", "role": "member"}),
            ("PUT", "/people/Ben", {"role": "owner"}),
            ("DELETE", "/people/Ann", None),
        ):
            answer = (
                await client.request(method, f"/hx/workspaces/{WORKSPACE}{path}", json=body)
                if body
                else (await client.request(method, f"/hx/workspaces/{WORKSPACE}{path}"))
            )
            assert answer.status_code == 403, path
        assert (await client.get("/hx/usage", params={"workspace": WORKSPACE})).status_code == 403
    assert await town.rows() == before


@pytest.mark.parametrize("path", ["/v1/models", "/api/tags", "/hx/me", "/tasks"])
async def test_nobody_asks_on_the_account_of_a_workspace_that_is_not_theirs(town: Town, path: str) -> None:
    for name in ("Eve", "Ada"):
        async with town.client(name) as client:
            answers = [
                await client.get(path, headers={"X-Halext-Workspace": workspace})
                for workspace in (WORKSPACE, "nowhere", "x" * 300)
            ]
        assert {answer.status_code for answer in answers} == {404}
        assert len({without_id(answer) for answer in answers}) == 1


async def test_a_stream_ends_when_its_reader_is_taken_out(town: Town) -> None:
    app, ann = town.house.app, town.callers["Ann"]
    conversation = await app.answers.turn(ann, TurnId(int(town.private["running"])))
    await app.answers.share(ann, conversation.conversation, WORKSPACE)
    address = f"/hx/answers/{town.private['running']}"
    async with asyncio.timeout(PATIENCE_S), town.client("Ben") as client, client.stream("GET", address) as answer:
        lines = answer.aiter_lines()
        assert await anext(lines) == "event: tail"
        await app.workspaces.remove(ann, WORKSPACE, "Ben")
        rest = [line async for line in lines]
        town.house.script.gates[1].set()
    assert not any("lo" in line for line in rest if line.startswith("data")), rest
    assert "event: done" not in rest
    async with town.client("Ben") as client:
        assert (await client.get(address)).status_code == 404
