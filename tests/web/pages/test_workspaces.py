"""One's workspaces, with plain forms."""

from __future__ import annotations

import re

import httpx
import pytest

from halext.accounts.workspaces.types import WorkspaceRole
from tests.web.conftest import House


async def act(member: httpx.AsyncClient, **fields: str) -> httpx.Response:
    return await member.post("/workspaces", data=fields)


async def test_a_workspaces_life(member: httpx.AsyncClient) -> None:
    assert "You are in none." in (await member.get("/workspaces")).text
    made = await act(member, do="create", name="Home & <b>garden</b>")
    assert (made.status_code, made.headers["location"]) == (303, "/workspaces")
    page = (await member.get("/workspaces")).text
    assert "<h2>Home &amp; &lt;b&gt;garden&lt;/b&gt;" in page
    assert (await act(member, do="rename", name="home & <b>garden</b>", to="home")).status_code == 303
    assert (await act(member, do="add", name="home", person="Ada", role="viewer")).status_code == 303
    assert (await act(member, do="role", name="home", person="Ada", role="member")).status_code == 303
    page = (await member.get("/workspaces")).text
    assert 'Ada <span class="tag">member' in page
    assert (await act(member, do="remove", name="home", person="Ada")).status_code == 303
    assert "Remove" not in (await member.get("/workspaces")).text
    assert (await act(member, do="delete", name="home")).status_code == 303
    assert "You are in none." in (await member.get("/workspaces")).text


@pytest.mark.parametrize(
    ("fields", "status", "says"),
    [
        ({"do": "create", "name": " "}, 422, "characters"),
        ({"do": "add", "name": "home", "person": "Ada", "role": "king"}, 422, "field is missing"),
        ({"do": "add", "name": "home"}, 422, "field is missing"),
        ({"do": "create", "name": "x", "user": "Ada"}, 404, "their own only"),
        ({"do": "create", "name": "x", "owner_id": "1"}, 422, "field is missing"),
        ({"do": "delete", "name": "nowhere"}, 404, "no workspace of this name"),
        ({"do": "explode", "name": "x"}, 422, "button"),
        ({"name": "x"}, 422, "do"),
    ],
)
async def test_what_can_not_be_done_is_said_on_the_page(
    member: httpx.AsyncClient, fields: dict[str, str], status: int, says: str
) -> None:
    answer = await act(member, **fields)
    assert (answer.status_code, says in answer.text) == (status, True)
    assert "<h1>Workspaces</h1>" in answer.text


async def test_a_member_sees_no_buttons_for_owners(house: House, member: httpx.AsyncClient) -> None:
    session, _ = await house.app.people.sign_in("Ada", "correct horse")
    ada = await house.app.people.caller_for(session)
    await house.app.workspaces.create(ada, "home")
    await house.app.workspaces.add(ada, "home", "Mia", WorkspaceRole.MEMBER)
    page = (await member.get("/workspaces")).text
    assert re.findall(r'name="do" value="(\w+)"', page) == ["create", "remove"]
    assert "Leave" in page
