"""The table of operations over HTTP."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest

from halext_web.api.hx import operations
from halext_web.credentials import MANAGING

if TYPE_CHECKING:
    from tests.web.conftest import House

OWN = [entry for entry in operations() if entry.permission not in MANAGING]
OTHERS = [entry for entry in operations() if entry.permission in MANAGING]


@pytest.mark.parametrize("entry", OTHERS, ids=lambda entry: entry.name)
async def test_a_member_may_not_do_what_admins_do(member: httpx.AsyncClient, entry: Any) -> None:
    path = re.sub(r"\{\w+\}", "x", entry.path)
    minimal = {field: "x" for field in required(entry) if "{" + field + "}" not in entry.path}
    if entry.method in {"GET", "DELETE"}:
        answer = await member.request(entry.method, path, params=minimal)
    else:
        lists = {"urls": ["x"], "role": "member", "disabled": True}
        body = {name: lists.get(name, value) for name, value in minimal.items()}
        answer = await member.request(entry.method, path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), answer.text


def required(entry: Any) -> list[str]:
    return [field.name for field in msgspec.structs.fields(entry.params) if field.required]


async def test_a_result_is_json_of_its_shape(member: httpx.AsyncClient) -> None:
    models = await member.get("/hx/models")
    assert models.headers["content-type"] == "application/json"
    assert [row["name"] for row in models.json()] == ["llama3.2:3b", "nomic-embed-text:latest"]
    (place,) = models.json()[0]["places"]
    assert (place["node"], place["loaded"], place["available"]) == ("mac", True, True)


async def test_a_parameter_of_the_path(member: httpx.AsyncClient) -> None:
    assert (await member.get("/hx/nodes/mac")).json()["name"] == "mac"
    answer = await member.get("/hx/nodes/pc")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_node")
    twice = await member.get("/hx/nodes/mac", params={"name": "pc"})
    assert (twice.status_code, twice.json()["code"]) == (422, "invalid_input")


@pytest.mark.parametrize(
    ("query", "status"), [({}, 200), ({"since": "12.5"}, 200), ({"since": "x"}, 422), ({"sicne": "1"}, 422)]
)
async def test_a_query_is_text_and_still_typed(
    house: House, member: httpx.AsyncClient, query: dict[str, str], status: int
) -> None:
    assert (await member.get("/hx/usage", params=query)).status_code == status


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"name":"laptop"}', 200),
        (b'{"name":"laptop","expires_in_s":60}', 200),
        (b'{"name":"laptop","expires_in_s":"60"}', 422),
        (b'{"name":5}', 422),
        (b'{"name":"x","is_admin":true}', 422),
        (b'{"name":"x","owner_id":1}', 422),
        (b"{}", 422),
        (b"", 422),
        (b"[]", 422),
        (b"{", 400),
        (b"[" * 100_000, 422),
    ],
)
async def test_a_body_is_checked_field_by_field(member: httpx.AsyncClient, body: bytes, status: int) -> None:
    answer = await member.post("/hx/tokens", content=body)
    assert answer.status_code == status, answer.text
    if status != 200:
        assert answer.headers["content-type"] == "application/problem+json"
        assert set(answer.json()) == {"code", "message", "request_id"}


async def test_a_token_is_made_used_and_ended(house: House, member: httpx.AsyncClient) -> None:
    made = (await member.post("/hx/tokens", json={"name": "laptop"})).json()
    with_it = {"Authorization": f"Bearer {made['token']}"}
    assert (await member.get("/hx/me", headers=with_it)).status_code == 200
    assert (await member.delete(f"/hx/tokens/{made['info']['id']}")).status_code == 200
    assert (await member.get("/hx/me", headers=with_it)).status_code == 401


async def test_what_belongs_to_others_is_not_there(house: House, member: httpx.AsyncClient) -> None:
    session, _ = await house.app.people.sign_in("Ada", "correct horse")
    ada = {"Authorization": f"Bearer {session}"}
    made = (await member.post("/hx/tokens", json={"name": "hers"}, headers=ada)).json()
    theirs = await member.delete(f"/hx/tokens/{made['info']['id']}")
    missing = await member.delete("/hx/tokens/99999")
    assert theirs.status_code == missing.status_code == 404
    assert theirs.json()["message"] == missing.json()["message"]
    asked = await member.post(
        "/api/chat", json={"model": "llama3.2:3b", "messages": [{"role": "user", "content": "Hi"}]}, headers=ada
    )
    answer = await member.get(f"/hx/requests/{asked.headers['x-halext-request']}")
    assert answer.status_code == 404


async def test_where_a_request_would_go_can_be_asked_without_sending_it(
    house: House, member: httpx.AsyncClient
) -> None:
    answer = await member.post("/hx/route", json={"model": "llama3.2:3b", "prompt": "Hi"})
    assert answer.json()["chosen"] == "mac"
    assert house.script.requests == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"title": "a\0b"}, 422),
        ({"title": "a", "due": ["\0"]}, 422),
        ({"title": "a", "\0": 1}, 422),
        ({"title": "a", "unknown": 2**63}, 422),
        ({"title": "\\u0000"}, 200),
    ],
)
async def test_what_a_database_could_not_keep(member: httpx.AsyncClient, body: dict[str, Any], status: int) -> None:
    assert (await member.post("/hx/tasks", json=body)).status_code == status


async def test_a_number_in_an_address_has_an_end(member: httpx.AsyncClient) -> None:
    assert (await member.delete(f"/hx/tokens/{2**63}")).status_code == 404
    assert (await member.delete(f"/hx/tokens/{2**63 - 1}")).status_code == 404


async def test_secrets_of_ones_own_go_in_and_never_come_out(house: House, member: httpx.AsyncClient) -> None:
    stored = await member.put("/hx/me/keys/webhook%2Fslack", json={"value": "hush-hush"})
    listed = await member.get("/hx/me/keys")
    assert [(row["name"], row["owner"], row["purpose"]) for row in listed.json()] == [
        ("webhook/slack", "Mia", "personal")
    ]
    other = await member.delete("/hx/me/keys/webhook%2Fslack", params={"user": "Ada"})
    missing = await member.delete("/hx/me/keys/nothing")
    assert (other.status_code, missing.status_code) == (404, 404)
    removed = await member.delete("/hx/me/keys/webhook%2Fslack")
    assert removed.status_code == 200
    assert await house.app.vault.check() == ()
    for answer in (stored, listed, other, missing, removed):
        assert "hush-hush" not in answer.text
