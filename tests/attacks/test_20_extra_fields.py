"""Attack 20: fields that nobody offers are sent along, hoping that they end up in a row: a role, an owner, a quota.

Made from the table of operations, so that a new one is attacked as soon as it is there.
"""

from __future__ import annotations

import re
from typing import Any, Literal, get_args, get_origin

import httpx
import msgspec
import pytest
from sqlalchemy import text

from halext.accounts.types import LOCAL, Permission
from halext.runtime.operations import Operation
from halext_web.api.hx import operations
from tests.attacks.conftest import Sentinel
from tests.web.conftest import MODEL, House

EXTRA: dict[str, Any] = {
    "is_admin": True,
    "admin": True,
    "role": "admin",
    "permissions": ["manage-people"],
    "scopes": ["manage-people"],
    "owner_id": 1,
    "owner": "Ada",
    "user_id": 1,
    "author_id": 1,
    "workspace_id": 1,
    "quota": 1_000_000,
    "disabled": False,
    "password_hash": "x",
    "created_at": 0.0,
    "id": 1,
    "sharing": {"access": 3},
}
ADDRESSES = ("base_url", "api_base", "model_url", "url", "webhook", "callback_url")
RIGHTS = [str(right) for right in Permission if right is not Permission.PUBLIC]
"""All of them by name: a token that carries whatever its owner may is no fresh sign-in."""
WRITES = [entry for entry in operations() if entry.method != "GET"]


def fields(entry: Operation[Any, Any]) -> dict[str, Any]:
    return {field.name: field for field in msgspec.structs.fields(entry.params)}


def value(kind: Any) -> Any:
    """Something that fits."""
    if get_origin(kind) is Literal:
        return get_args(kind)[0]
    if get_origin(kind) is list:
        return [value(get_args(kind)[0])]
    return {int: 1, float: 1.0, bool: True}.get(kind, "x")


def minimal(entry: Operation[Any, Any]) -> dict[str, Any]:
    return {name: value(field.type) for name, field in fields(entry).items() if field.required}


@pytest.mark.parametrize("entry", operations(), ids=lambda entry: entry.name)
def test_no_schema_takes_a_field_that_it_does_not_name(entry: Operation[Any, Any]) -> None:
    taken = minimal(entry)
    assert msgspec.convert(taken, entry.params) is not None
    for name, extra in {**EXTRA, **dict.fromkeys(ADDRESSES, "http://127.0.0.1:1")}.items():
        if name not in fields(entry):
            with pytest.raises(msgspec.ValidationError, match=name):
                msgspec.convert({**taken, name: extra}, entry.params)


async def rows(house: House) -> dict[str, list[str]]:
    """Everything in the database."""
    await house.app.ledger.flush()
    async with house.app.database.reader.connect() as connection:
        tables = (await connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'"))).scalars().all()
        return {name: sorted(map(repr, await connection.execute(text(f'SELECT * FROM "{name}"')))) for name in tables}


async def send(client: httpx.AsyncClient, entry: Operation[Any, Any], extra: dict[str, Any]) -> httpx.Response:
    known = minimal(entry)
    path = re.sub(r"\{(\w+)\}", lambda found: str(known[found[1]]), entry.path)
    rest = {name: each for name, each in known.items() if "{" + name + "}" not in entry.path}
    sent = rest | {name: each for name, each in extra.items() if name not in fields(entry)}
    if entry.method == "DELETE":
        return await client.request("DELETE", path, params={name: str(each) for name, each in sent.items()})
    return await client.request(entry.method, path, json=sent)


async def test_even_an_administrator_is_refused_and_no_row_changes(house: House, sentinel: Sentinel) -> None:
    token, _ = await house.app.people.create_token(LOCAL, "tests", for_user="Ada", scopes=RIGHTS)
    before = await rows(house)
    extra = {**EXTRA, **dict.fromkeys(ADDRESSES, sentinel.url)}
    async with house.client({"Authorization": f"Bearer {token}"}) as client:
        for entry in WRITES:
            answer = await send(client, entry, extra)
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input"), entry.name
    assert await rows(house) == before
    assert sentinel.heard == []
    assert len(WRITES) > 25


async def test_what_a_member_makes_is_their_own_whatever_a_form_says(house: House, member: httpx.AsyncClient) -> None:
    lies = {name: str(each) for name, each in EXTRA.items() if name != "id"}
    assert (await member.post("/tasks", data={"do": "add", "title": "mine", **lies})).status_code == 303
    asked = await member.post("/ask", data={"prompt": "why?", "model": MODEL, **lies})
    assert asked.status_code == 303
    refused = await member.post("/workspaces", data={"do": "create", "name": "mine", **lies})
    assert refused.status_code == 422
    async with house.app.database.reader.connect() as connection:

        async def one(query: str) -> Any:
            return (await connection.execute(text(query))).scalar_one()

        mia = await one("SELECT id FROM users WHERE name = 'Mia'")
        for table in ("tasks", "conversations"):
            assert await one(f"SELECT owner_id FROM {table}") == mia
            assert await one(f"SELECT workspace_id FROM {table}") is None
        assert await one("SELECT role FROM users WHERE name = 'Mia'") == "member"
        assert await one("SELECT count(*) FROM workspaces") == 0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}]}),
        ("/v1/completions", {"prompt": "hi"}),
        ("/api/chat", {"messages": [{"role": "user", "content": "hi"}], "stream": False}),
        ("/api/generate", {"prompt": "hi", "stream": False}),
    ],
)
async def test_clients_of_others_send_much_and_none_of_it_counts(
    house: House, member: httpx.AsyncClient, sentinel: Sentinel, path: str, body: dict[str, Any]
) -> None:
    before = await rows(house)
    lies = {**EXTRA, **dict.fromkeys(ADDRESSES, sentinel.url)}
    answer = await member.post(path, json={"model": MODEL, **body, **lies})
    assert answer.status_code == 200, answer.text
    after = await rows(house)
    (used,) = after.pop("usage")
    assert "'Mia', 'token'" in used
    assert after == {name: known for name, known in before.items() if name != "usage"}
    assert sentinel.heard == []
