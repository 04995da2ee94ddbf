"""What requests name: one line per kind says how to make a thing of somebody's, and where its id stands."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from halext.accounts.links.types import ChatAccount
from halext.accounts.types import LOCAL, Role
from halext.accounts.workspaces.types import WorkspaceRole
from halext.chat import later
from halext.chat.types import ConversationId, TurnId, TurnState
from halext.jobs.types import Draft as JobDraft
from halext.pictures import Recipe
from halext.runtime.shapes import AddNode
from halext.runtime.verbs.nodes import add_node
from halext.tasks.types import Draft, TaskId
from halext.types import SecretRef

from .house import HOST, MODEL, PASSWORD, RESIDENTS, House
from .rights import Subject

Ids = Mapping[str, str]
Make = Callable[[House, str], Awaitable[Ids]]
Share = Callable[[House, Ids, str], Awaitable[None]]
"""(house, id of a thing of the host's, workspace)."""
FIELD = re.compile(r"\{(\w+)(?::\w+)?\}")

ABSENT_NUMBER = "2000000000"
"""A number that every database can count to, and that nothing has."""
BAD_NUMBERS = ("abc", "-1", "3000000000", "9" * 25, "1%0a")
BAD_NAMES = ("%0a", "%2e%2e", "x" * 3000)


@dataclass(frozen=True)
class Kind:
    """A kind of thing with an id."""

    make: Make
    """(house, person) → the id of a thing of this person's, by field; for things of the house the person is ignored."""
    missing: Ids = field(default_factory=dict)
    """An id in the right form of something that is not there; none where the request makes what it names."""
    malformed: tuple[str, ...] = BAD_NAMES
    """For the last field of the id, as they stand in an address."""
    is_owned: bool = True
    """It belongs to a person; else to the house."""
    reach: str | None = None
    """The right by which also others' can be reached."""
    share: Share | None = None
    """For what can be shared: how its owner does it."""


def numbered(make: Make, *, reach: str | None = None, share: Share | None = None) -> Kind:
    """Things of people with a number."""
    return Kind(make, {"id": ABSENT_NUMBER}, BAD_NUMBERS, reach=reach, share=share)


def named(make: Make, missing: str = "nobody-s") -> Kind:
    """Things of the house with a name."""
    return Kind(make, {"name": missing}, is_owned=False)


async def conversation(house: House, person: str) -> Ids:
    begun, turn = await house.app.answers.ask(house.callers[person], "Why is the sky blue?", model=MODEL)
    await house.ended(house.callers[person], turn.id)
    return {"id": str(begun.id)}


async def share_conversation(house: House, ids: Ids, workspace: str) -> None:
    await house.app.answers.share(house.callers[HOST], ConversationId(int(ids["id"])), workspace)


async def share_answer(house: House, ids: Ids, workspace: str) -> None:
    turn = await house.app.answers.turn(house.callers[HOST], TurnId(int(ids["id"])))
    await house.app.answers.share(house.callers[HOST], turn.conversation, workspace)


async def answer(house: House, person: str) -> Ids:
    caller = house.callers[person]
    _, turn = await house.app.answers.ask(caller, "Why is the sky blue?", model=MODEL)
    await house.ended(caller, turn.id)
    ended = await house.app.answers.turn(caller, turn.id)
    assert ended.outcome.state is TurnState.DONE, ended.outcome
    return {"id": str(turn.id)}


async def task(house: House, person: str) -> Ids:
    return {"id": str((await house.app.desk.add(house.callers[person], Draft("Water the plants"))).id)}


async def share_task(house: House, ids: Ids, workspace: str) -> None:
    await house.app.desk.share(house.callers[HOST], TaskId(int(ids["id"])), workspace)


async def job(house: House, person: str) -> Ids:
    """One that can be asked for again, and deleted."""
    caller = house.callers[person]
    made = await house.app.jobs.add(caller, JobDraft(later.KIND, later.payload([("user", "Hi")])))
    return {"id": str((await house.app.jobs.cancel(caller, made.id)).id)}


async def session(house: House, person: str) -> Ids:
    await house.app.people.sign_in(person, PASSWORD)
    return {"id": str(max(each.id for each in await house.app.people.sessions(house.callers[person])))}


async def invite(house: House, _person: str) -> Ids:
    return {"id": str((await house.app.invites.make(LOCAL, Role.GUEST)).invite.id)}


async def invite_code(house: House, _person: str) -> Ids:
    return {"code": (await house.app.invites.make(LOCAL, Role.GUEST)).code}


async def quota(house: House, _person: str) -> Ids:
    return {"kind": "user", "subject": (await house.app.people.add_user(house.fresh("user"), Role.MEMBER)).name}


async def own_secret(house: House, person: str) -> Ids:
    name = house.fresh("secret")
    await house.app.vault.set(SecretRef(name), "nobody sees this", owner=house.callers[person].user_id)
    return {"name": name}


async def workspace(house: House, person: str) -> Ids:
    """With Dora in it; guests get theirs from others, as they make none."""
    name, groups, host = house.fresh("workspace"), house.app.workspaces, house.callers[HOST]
    await groups.create(host, name)
    await groups.add(host, name, "Dora", WorkspaceRole.OWNER)
    if person != HOST:
        await groups.add(host, name, person, WorkspaceRole.OWNER)
        await groups.remove(host, name, HOST)
    return {"name": name}


async def place(house: House, person: str) -> Ids:
    return {**await workspace(house, person), "person": "Dora"}


async def let_in(house: House, ids: Ids, workspace: str) -> None:
    """As they are in the workspace of this name."""
    groups, host = house.app.workspaces, house.callers[HOST]
    _, people = await groups.people(host, workspace)
    roles = {each.name: each.role for each in people}
    for person in RESIDENTS:
        await groups.add(host, ids["name"], person, roles.get(person, WorkspaceRole.MEMBER))
        if person not in roles:
            await groups.remove(host, ids["name"], person)


async def token(house: House, person: str) -> Ids:
    _, info = await house.app.people.create_token(house.callers[person], house.fresh("token"))
    return {"id": str(info.id)}


async def image_job(house: House, person: str) -> Ids:
    caller = house.callers[person]
    job = await house.app.studio.make(caller, Recipe("a lighthouse", width=64, height=64, steps=1))
    return {"id": job.id}


async def request(house: House, person: str) -> Ids:
    subject = Subject(person, "bearer", frozenset())
    body = b'{"model": "%s", "messages": [{"role": "user", "content": "Hi"}]}' % MODEL.encode()
    answered = await house.ask(subject, "POST", "/v1/chat/completions", body)
    assert answered.status == 200, answered.body
    return {"id": answered.headers["x-halext-request"]}


async def link(house: House, person: str) -> Ids:
    number = house.fresh("7000").replace("-", "")
    code = await house.app.links.code(house.callers[person])
    await house.app.links.claim(ChatAccount("telegram", number, person), code.text)
    return {"platform": "telegram", "account": number}


async def node(house: House, _person: str) -> Ids:
    name = house.fresh("node")
    for known in house.app.registry.nodes():
        if known.name not in {"mac", "pc"}:
            await house.app.registry.remove(known.name)
    await add_node(house.app, LOCAL, AddNode(name=name, urls=[house.spare.url], kind="ollama"))
    return {"name": name}


async def user(house: House, _person: str) -> Ids:
    return {"name": (await house.app.people.add_user(house.fresh("user"), Role.MEMBER)).name}


async def secret(house: House, _person: str) -> Ids:
    name = house.fresh("secret")
    await house.app.vault.set(SecretRef(name), "nobody sees this")
    return {"name": name}


async def model(_house: House, _person: str) -> Ids:
    return {"id": MODEL}


async def blob(_house: House, _person: str) -> Ids:
    return {"digest": "sha256:" + "0" * 64}


async def asset(house: House, person: str) -> Ids:
    page = await house.ask(Subject(person, "none", None), "GET", "/sign-in")
    found = re.search(rb"/static/([\w.-]+)", page.body)
    assert found, page.body
    return {"name": found[1].decode()}


async def new(house: House, _person: str) -> Ids:
    return {"name": house.fresh("new")}


KINDS: dict[str, Kind] = {
    "/hx/conversations/{id}": numbered(conversation, share=share_conversation),
    "/c/{id}": numbered(conversation, share=share_conversation),
    "/hx/answers/{id}": numbered(answer, share=share_answer),
    "/hx/tasks/{id}": numbered(task, share=share_task),
    "/hx/jobs/{id}": numbered(job),
    "/hx/sessions/{id}": numbered(session),
    "/hx/me/keys/{name}": Kind(own_secret, {"name": "nobody-s"}),
    "/hx/workspaces/{name}": Kind(workspace, {"name": "nobody-s"}, share=let_in),
    "/hx/workspaces/{name}/people/{person}": Kind(place, {"name": "nobody-s", "person": "Dora"}, share=let_in),
    "/hx/admin/workspaces/{name}/owners/{person}": Kind(
        lambda house, _: place(house, HOST), {"name": "nobody-s", "person": "Dora"}, is_owned=False
    ),
    "/hx/admin/invites/{id}": Kind(invite, {"id": ABSENT_NUMBER}, BAD_NUMBERS, is_owned=False, reach="manage-people"),
    "/hx/admin/quotas/{kind}/{subject}": Kind(quota, {"kind": "user", "subject": "nobody-s"}, is_owned=False),
    "/hx/tokens/{id}": numbered(token, reach="manage-people"),
    "/hx/images/{id}": Kind(image_job, {"id": "r_00000000000000000000"}),
    "/hx/requests/{id}": Kind(request, {"id": "r_00000000000000000000"}),
    "/hx/links/{platform}/{account}": Kind(link, {"platform": "telegram", "account": "1"}),
    "/hx/nodes/{name}": named(node),
    "/hx/keys/{name}": named(secret),
    "/hx/admin/users/{name}": named(user),
    "/v1/models/{id}": Kind(model, {"id": "nothing:1b"}, is_owned=False),
    "/api/blobs/{digest}": Kind(blob, {"digest": "sha256:1"}, is_owned=False),
    "/static/{name}": named(asset, "nothing.css"),
    "POST /hx/nodes/{name}/join": Kind(new, is_owned=False),
    "PUT /hx/keys/{name}": Kind(new, malformed=(), is_owned=False),
    "PUT /hx/me/keys/{name}": Kind(new, malformed=(), is_owned=False),
    "POST /hx/invites/claim": Kind(invite_code, malformed=(), is_owned=False),
}
"""Address up to its last field, or method and whole address where one request means something else there."""


def kind_of(method: str, path: str) -> tuple[str, Kind] | None:
    """What an address names, if anything. Raises `LookupError` for a kind that nobody said how to make."""
    plain = FIELD.sub(lambda found: f"{{{found[1]}}}", path)
    if "{" not in plain:
        return None
    upto = plain[: plain.rindex("}") + 1]
    key = f"{method} {plain}" if f"{method} {plain}" in KINDS else upto
    if key not in KINDS:
        raise LookupError(f"{method} {path} names something: say in tests/access/kinds.py how to make one")
    return key, KINDS[key]
